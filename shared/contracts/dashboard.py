"""What the dashboard itself says: what its pages saw a user do, and which section of whom has changed."""

from typing import Annotated, ClassVar

from pydantic import (
    Field,
    FiniteFloat,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from shared.contracts.envelope import UserPayload
from shared.contracts.types import Id, Label, ReportedActivity, Section, Text, UtcTime

MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
MetadataValue = (
    Annotated[str, StringConstraints(max_length=1_000)]
    | bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | FiniteFloat
    | None
)


def without_names(expected: str) -> WrapValidator:
    """Has the one error say what is expected: a member's name is the user's own data, so no error may name it."""

    def validated(value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except ValidationError:
            raise ValueError(expected) from None

    return WrapValidator(validated)


_METADATA = (
    "should be an object of at most 20 members: names of up to 64 characters without control characters,"
    " values that are texts of up to 1000 characters, numbers, booleans or null"
)
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=20), without_names(_METADATA)]


class ActivityReported(UserPayload):
    """What a page of the dashboard saw the user do: browse, view, put into the cart or take out (`gateway.events`)."""

    event_type: ClassVar[str] = "activity.reported.v1"
    activity_type: ReportedActivity
    description: Text | None = None
    metadata: Metadata = {}
    related_entity_id: Id | None = None
    related_entity_type: Label | None = None
    session_id: Id | None = None


class SectionChanged(UserPayload):
    """A section of the user's dashboard has new content, true as of `as_of` (`dashboard.updates`)."""

    event_type: ClassVar[str] = "section.changed.v1"
    section: Section
    as_of: UtcTime
