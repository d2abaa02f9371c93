"""Property tests count examples, not milliseconds: a busy machine is no reason to fail."""

from hypothesis import settings

settings.register_profile("contracts", deadline=None)
settings.load_profile("contracts")
