"""The gateway's settings."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from shared.contracts.types import normalise_email
from shared.plumbing.settings import ProcessSettings, Secret

Address = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#]+$")]
_LOOPBACK = r"(127\.0\.0\.1|localhost|\[::1\])"
IssuerUrl = Annotated[str, StringConstraints(pattern=rf"^(https://|http://{_LOOPBACK}[:/])[^\s?#@]+$")]


def _emails(value: object) -> object:
    """Emails from a text with commas between."""
    texts = [text for text in value.split(",") if text.strip()] if isinstance(value, str) else value
    if not isinstance(texts, list):
        return texts
    try:
        return frozenset(map(normalise_email, texts))
    except ValueError:
        raise ValueError("should be emails with commas between, such as grace@example.org,ada@example.org") from None


class Settings(ProcessSettings):
    """`token_key` signs the users' access tokens; the addresses are the services', such as `http://127.0.0.1:8101`.

    `export_key` seals the exports, so that only what this installation made can be imported.

    With `oidc_issuer`, a URL, nobody signs in here: tokens are that issuer's, for `oidc_audience`, and there is no
    `token_key`. `export_key` seals the files that users take away. `trusted_proxies` are the addresses or networks,
    with commas between, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed. `operators` are the emails,
    with commas between, of those accounts of our own that may do what operators do.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = 8000
    oidc_issuer: IssuerUrl | None = None
    oidc_audience: Annotated[str | None, Field(validate_default=True)] = None
    token_key: Annotated[Secret | None, Field(validate_default=True)] = None
    export_key: Secret
    trusted_proxies: str = ""
    operators: Annotated[frozenset[str], NoDecode, BeforeValidator(_emails)] = frozenset()
    activity_url: Address
    purchases_url: Address
    profile_url: Address
    analytics_url: Address

    @field_validator("oidc_audience")
    @classmethod
    def _goes_with_its_issuer(cls, audience: str | None, info: ValidationInfo) -> str | None:
        if "oidc_issuer" in info.data and (audience is None) != (info.data["oidc_issuer"] is None):
            raise ValueError("OIDC_ISSUER and OIDC_AUDIENCE go together; one of them is missing")
        return audience

    @field_validator("token_key")
    @classmethod
    def _signs_where_no_one_else_does(cls, key: Secret | None, info: ValidationInfo) -> Secret | None:
        if "oidc_issuer" in info.data and (key is None) == (info.data["oidc_issuer"] is None):
            raise ValueError("TOKEN_KEY is needed, or OIDC_ISSUER in its place; not both")
        return key
