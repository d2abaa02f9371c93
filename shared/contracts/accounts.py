"""Accounts and sessions: what a client sends to get one, and what the profile service answers."""

from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from shared.contracts.profiles import AnyCountry, AnyLine, AnyTimeZone
from shared.contracts.types import Count, Email, Id, Label, Text, UtcTime

PASSWORD_MIN, PASSWORD_MAX = 8, 256


def _as_text(password: SecretStr) -> SecretStr:
    if len(password) > PASSWORD_MAX:
        raise ValueError(f"should have at most {PASSWORD_MAX} characters")
    if any("\ud800" <= character <= "\udfff" for character in password.get_secret_value()):
        raise ValueError("should be text: half a surrogate pair is none")
    return password


def _long_enough(password: SecretStr) -> SecretStr:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise ValueError(f"should have {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return _as_text(password)


NewPassword = Annotated[
    SecretStr,
    AfterValidator(_long_enough),
    Field(json_schema_extra={"minLength": PASSWORD_MIN, "maxLength": PASSWORD_MAX}),
]
Password = Annotated[SecretStr, AfterValidator(_as_text), Field(json_schema_extra={"maxLength": PASSWORD_MAX})]


class _Request(BaseModel):
    """What a client sends: an unknown member is an error, because it is most likely a misspelt one."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)


class Registration(_Request):
    """A new account. `timezone` is an IANA name, `country` an ISO 3166 code."""

    email: Email
    password: NewPassword
    display_name: AnyLine = None
    country: AnyCountry = None
    timezone: AnyTimeZone = None


class Credentials(_Request):
    """What a user logs in with."""

    email: Email
    password: Password


class Login(_Request):
    """What the gateway asks the profile service to open a session for. `address` is the client's, as it was seen."""

    credentials: Credentials
    user_agent: Text | None = None
    address: Label | None = None


class OpenedSession(BaseModel):
    """A session that was opened for `user`, a normalised email. `expires_at` is in UTC."""

    user: str
    session_id: str
    expires_at: AwareDatetime


class ExternalSession(_Request):
    """A session that an outside issuer's token stands for; it ends with the token, or when its user ends it."""

    expires_at: UtcTime
    user_agent: Text | None = None


class ListedSession(BaseModel):
    """Where the user is signed in. Times are in UTC; `last_seen_at` is true to a few minutes."""

    id: str
    user_agent: str | None
    opened_at: AwareDatetime
    last_seen_at: AwareDatetime
    expires_at: AwareDatetime


class SessionList(BaseModel):
    """The sessions that are alive, the newest first."""

    items: list[ListedSession]


class Account(BaseModel):
    """The account that was made. `user_id` is how other users may know it."""

    user_id: str
    email: str


class PasswordCheck(_Request):
    """Asks whether this is the password of the user on whose behalf the call is made."""

    password: Password


class PasswordChange(_Request):
    """A new password in place of the old one."""

    old: Password
    new: NewPassword


class PasswordChangeFrom(PasswordChange):
    """A new password, changed from within the session `session_id`: all the user's other sessions end."""

    session_id: Id


class ExportDone(_Request):
    """A copy of everything was taken: how many things it holds."""

    items: Count


class ImportDone(ExportDone):
    """A copy was put back: `added` things of it were not here."""

    added: Count
