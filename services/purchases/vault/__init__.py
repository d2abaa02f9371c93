"""How credentials are kept: opened once as they come, then encrypted with a key of their user's own."""
