"""The analytics service's settings."""

from typing import Annotated, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from shared.contracts.types import Email
from shared.plumbing.settings import ServiceSettings

_PORTS = {"smtp": 587, "smtps": 465}
PageUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^\s?#@]+$")]


class Mail(NamedTuple):
    """The mail server. `is_encrypted`: from the first byte on; else with STARTTLS, where there is a password always."""

    host: str
    port: int
    is_encrypted: bool
    username: str | None
    password: SecretStr | None
    sender: str
    dashboard_url: str | None


class Settings(ServiceSettings):
    """`learn_every_seconds`: how often the model and the cohorts are refreshed, by one of the replicas.

    With `smtp_url`, such as `smtp://user:password@mail.example:587` (`smtps://` is TLS from the first byte on),
    notifications are sent by email from `mail_from`, with a link to `dashboard_url` where that is set.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True)

    port: int = 8104
    learn_every_seconds: float = Field(900.0, gt=0)
    smtp_url: SecretStr | None = None
    mail_from: Annotated[Email | None, Field(validate_default=True)] = None
    dashboard_url: PageUrl | None = None

    @field_validator("smtp_url")
    @classmethod
    def _is_the_address_of_a_server(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            url = urlsplit(secret.get_secret_value())
            if url.scheme not in _PORTS or not url.hostname or (url.username is None) != (url.password is None):
                raise ValueError("should be such as smtp://user:password@mail.example:587, or smtps://")
            _ = url.port  # raises ValueError
        return secret

    @field_validator("mail_from")
    @classmethod
    def _goes_with_its_server(cls, sender: str | None, info: ValidationInfo) -> str | None:
        if "smtp_url" in info.data and (sender is None) != (info.data["smtp_url"] is None):
            raise ValueError("SMTP_URL and MAIL_FROM go together; one of them is missing")
        return sender

    @property
    def mail(self) -> Mail | None:
        """Where mails are sent, if they are."""
        if self.smtp_url is None or self.mail_from is None:
            return None
        url = urlsplit(self.smtp_url.get_secret_value())
        assert url.hostname  # noqa: S101  (checked above)
        return Mail(
            host=url.hostname,
            port=url.port or _PORTS[url.scheme],
            is_encrypted=url.scheme == "smtps",
            username=None if url.username is None else unquote(url.username),
            password=None if url.password is None else SecretStr(unquote(url.password)),
            sender=self.mail_from,
            dashboard_url=self.dashboard_url,
        )
