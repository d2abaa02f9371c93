"""The activity service's settings."""

from shared.plumbing.settings import ServiceSettings


class Settings(ServiceSettings):
    """`keep_per_user` is how many activities a user's timeline has at most."""

    port: int = 8101
    keep_per_user: int = 1_000
