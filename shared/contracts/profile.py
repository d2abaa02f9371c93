"""What a user changed about themselves (topic `profile.events`): which fields, never their private values."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.envelope import UserPayload
from shared.contracts.types import Id

Changed = Annotated[list[Id], Field(max_length=100)]


class ProfileUpdated(UserPayload):
    """The profile fields named in `changed` have new values."""

    event_type: ClassVar[str] = "profile.updated.v1"
    changed: Changed = []


class PreferencesUpdated(UserPayload):
    """The preferences named in `changed` have new values; the two consents are carried, for others act on them."""

    event_type: ClassVar[str] = "preferences.updated.v1"
    changed: Changed = []
    activity_tracking: bool | None = None
    analytics_participation: bool | None = None
