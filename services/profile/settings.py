"""The profile service's settings."""

from shared.plumbing.settings import ProcessSettings


class Settings(ProcessSettings):
    """What every process has, and the database."""

    port: int = 8103
    mongo_url: str
