"""What the identity provider says of a user's account (topic `identity.events`)."""

from typing import ClassVar

from shared.contracts.envelope import UserPayload
from shared.contracts.types import Id, Label, Name, Text


class UserRegistered(UserPayload):
    """An account was made. `timezone` is an IANA name, `country` an ISO 3166 code, `language` a BCP 47 tag."""

    event_type: ClassVar[str] = "user.registered.v1"
    display_name: Name | None = None
    country: Label | None = None
    timezone: Label | None = None
    language: Label | None = None


class _Session(UserPayload):
    session_id: Id
    user_agent: Text | None = None
    ip_country: Label | None = None


class UserLoggedIn(_Session):
    """A session was opened."""

    event_type: ClassVar[str] = "user.logged_in.v1"


class UserLoggedOut(_Session):
    """A session was ended by its user."""

    event_type: ClassVar[str] = "user.logged_out.v1"


class UserErased(UserPayload):
    """The account was erased: every service removes all that it has of the user, and says so on `erasure.receipts`.

    `erasure_id` is what the receipts name; the event's own id where it is left out.
    """

    event_type: ClassVar[str] = "user.erased.v1"
    erasure_id: Id | None = None
    reason: Text | None = None
