"""The profile service's own API. Only the gateway's signed calls are answered."""
