"""The profile service: accounts and the sessions in which their users are signed in."""
