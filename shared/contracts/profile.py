"""What a user changed about themselves (topic `profile.events`): which fields, never their private values."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.envelope import UserPayload
from shared.contracts.types import Count, Id, Label, Price

Changed = Annotated[list[Id], Field(max_length=100)]


class ProfileUpdated(UserPayload):
    """The profile fields named in `changed` have new values; `password` stands for the account's.

    `timezone`, an IANA name, is carried, because others count this user's days and months by it.
    """

    event_type: ClassVar[str] = "profile.updated.v1"
    changed: Changed = []
    timezone: Label | None = None


class PreferencesUpdated(UserPayload):
    """The preferences named in `changed` have new values; those that other services act on are carried.

    An empty list of prices and an empty category stand for no filter.
    """

    event_type: ClassVar[str] = "preferences.updated.v1"
    changed: Changed = []
    activity_tracking: bool | None = None
    analytics_participation: bool | None = None
    auto_renewal_default: bool | None = None
    preferred_providers: Annotated[list[Id], Field(max_length=1_000)] | None = None
    blocked_providers: Annotated[list[Id], Field(max_length=1_000)] | None = None
    price_range_filter: Annotated[list[Price], Field(max_length=2)] | None = None
    default_category_filter: Label | None = None
    deployment_alerts: bool | None = None
    billing_alerts: bool | None = None
    security_alerts: bool | None = None
    email_notifications: bool | None = None


class DataExported(UserPayload):
    """The user took a copy of everything. `items` is how many things it holds."""

    event_type: ClassVar[str] = "data.exported.v1"
    items: Count = 0


class DataImported(UserPayload):
    """The user put a copy back. `items` is how many things it held, `added` how many of them were not here."""

    event_type: ClassVar[str] = "data.imported.v1"
    items: Count = 0
    added: Count = 0
