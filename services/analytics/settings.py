"""The analytics service's settings."""

from pydantic import Field

from shared.plumbing.settings import ServiceSettings


class Settings(ServiceSettings):
    """`learn_every_seconds`: how often the model and the cohorts are refreshed, by one of the replicas."""

    port: int = 8104
    learn_every_seconds: float = Field(900.0, gt=0)
