"""The activity service: everything that a user did, as one timeline."""
