"""The gateway's settings."""

from typing import Annotated

from pydantic import StringConstraints

from shared.plumbing.settings import ProcessSettings, Secret

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#]+$")]


class Settings(ProcessSettings):
    """`token_key` signs the users' access tokens; the addresses are the services', such as `http://127.0.0.1:8101`."""

    port: int = 8000
    token_key: Secret
    activity_url: Address
    purchases_url: Address
    profile_url: Address
    analytics_url: Address
