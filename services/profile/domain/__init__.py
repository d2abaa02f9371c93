"""Accounts and sessions as such: no database, no clock, no framework."""
