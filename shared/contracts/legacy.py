"""What `mycelium import-legacy` found in the marketplace's old files and no other event can carry (`legacy.events`)."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.dashboard import Metadata, MetadataKey, MetadataValue, without_names
from shared.contracts.envelope import UserPayload
from shared.contracts.types import Id, Label, Text
from shared.contracts.views import ActivityType

_Items = Annotated[list[MetadataValue], Field(max_length=1_000)]
_Members = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20)]


_PREFERENCES = (
    "should be an object of at most 50 members: names of up to 64 characters without control characters,"
    " values that are texts, numbers, booleans, null, or lists or objects of these"
)
_Values = dict[MetadataKey, MetadataValue | _Items | _Members]
Preferences = Annotated[_Values, Field(max_length=50), without_names(_PREFERENCES)]


class LegacyPreferencesFound(UserPayload):
    """The preferences of an old file. They count until the user chooses here; whoever owns them checks each."""

    event_type: ClassVar[str] = "legacy.preferences_found.v1"
    preferences: Preferences


class LegacyActivityFound(UserPayload):
    """An activity of an old file; the event's `time` is when it was."""

    event_type: ClassVar[str] = "legacy.activity_found.v1"
    activity_type: ActivityType
    description: Text | None = None
    metadata: Metadata = {}
    related_entity_id: Id | None = None
    related_entity_type: Label | None = None
    session_id: Id | None = None
