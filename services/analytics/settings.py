"""The analytics service's settings."""

from shared.plumbing.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service with a projection has."""

    port: int = 8104
