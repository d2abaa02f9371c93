"""Pure: what an event says that the user did, and what the user lets us keep. No I/O, no clock, no framework."""
