"""What `mycelium import-legacy` found in the marketplace's old files and no other event can carry (`legacy.events`)."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from shared.contracts.dashboard import Metadata
from shared.contracts.envelope import UserPayload
from shared.contracts.types import Id, Label, Name, Text
from shared.contracts.views import ActivityType


class LegacyPreferencesFound(UserPayload):
    """The preferences of an old file. They count until the user chooses here; `preferences` may have any of them."""

    event_type: ClassVar[str] = "legacy.preferences_found.v1"
    preferences: Annotated[dict[Name, Any], Field(max_length=50)]  # Any: JSON, checked by whoever owns them


class LegacyActivityFound(UserPayload):
    """An activity of an old file; the event's `time` is when it was."""

    event_type: ClassVar[str] = "legacy.activity_found.v1"
    activity_type: ActivityType
    description: Text | None = None
    metadata: Metadata = {}
    related_entity_id: Id | None = None
    related_entity_type: Label | None = None
    session_id: Id | None = None
