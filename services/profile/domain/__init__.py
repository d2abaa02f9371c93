"""Users, their accounts, sessions, profiles and preferences as such: no database, no clock, no framework."""
