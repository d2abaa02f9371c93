"""Pure: what an event says that the user did. No I/O, no clock, no framework."""
