"""The profile service's settings."""

from pydantic import PositiveInt

from shared.plumbing.settings import ServiceSettings


class Settings(ServiceSettings):
    """What every service with a projection has, and how many wrong passwords an address may give before it waits."""

    port: int = 8103
    free_failures_per_address: PositiveInt = 50
