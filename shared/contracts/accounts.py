"""Accounts and sessions: what a client sends to get one, and what the profile service answers."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from shared.contracts.types import Email, Label, Name, Text

PASSWORD_MIN, PASSWORD_MAX = 8, 256


def _long_enough(password: SecretStr) -> SecretStr:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise ValueError(f"should have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return password


def _not_too_long(password: SecretStr) -> SecretStr:
    if len(password) > PASSWORD_MAX:
        raise ValueError(f"should have at most {PASSWORD_MAX} characters")
    return password


NewPassword = Annotated[
    SecretStr,
    AfterValidator(_long_enough),
    Field(json_schema_extra={"minLength": PASSWORD_MIN, "maxLength": PASSWORD_MAX}),
]
Password = Annotated[SecretStr, AfterValidator(_not_too_long), Field(json_schema_extra={"maxLength": PASSWORD_MAX})]


class _Request(BaseModel):
    """What a client sends: an unknown member is an error, because it is most likely a misspelt one."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Registration(_Request):
    """A new account. `timezone` is an IANA name, `country` an ISO 3166 code."""

    email: Email
    password: NewPassword
    display_name: Name | None = None
    country: Label | None = None
    timezone: Label | None = None


class Credentials(_Request):
    """What a user logs in with."""

    email: Email
    password: Password


class Login(_Request):
    """What the gateway asks the profile service to open a session for."""

    credentials: Credentials
    user_agent: Text | None = None


class OpenedSession(BaseModel):
    """A session that was opened for `user`, a normalised email. `expires_at` is in UTC."""

    user: str
    session_id: str
    expires_at: AwareDatetime


class Account(BaseModel):
    """The account that was made. `user_id` is how other users may know it."""

    user_id: str
    email: str


class PasswordCheck(BaseModel):
    """Asks whether this is the password of the user on whose behalf the call is made."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    password: SecretStr
