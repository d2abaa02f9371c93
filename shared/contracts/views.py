"""What the dashboard answers: the read models and the questions, shared by the services and the gateway."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.types import Id, UtcTime, utc_time

ActivityType = Literal[
    "login",
    "logout",
    "marketplace_browse",
    "product_view",
    "cart_add",
    "cart_remove",
    "purchase",
    "service_deploy",
    "app_deploy",
    "profile_update",
    "preferences_update",
    "wallet_transaction",
    "pool_investment",
    "service_rating",
    "support_request",
    "credentials_reveal",
    "data_export",
    "data_import",
]
Impact = Literal["low", "medium", "high"]


class UserActivity(BaseModel):
    """One thing that the user did. `timestamp` is in UTC; `metadata` holds what the event said besides."""

    id: str
    user_email: str
    activity_type: ActivityType
    description: str
    timestamp: datetime
    metadata: dict[str, Any]  # any JSON
    related_entity_id: str | None
    related_entity_type: str | None
    impact_level: Impact
    session_id: str | None


class ActivityPage(BaseModel):
    """Activities, newest first; `next_cursor` leads to the older ones and is null on the last page."""

    items: list[UserActivity]
    next_cursor: str | None


_UNENCODED_PLUS = re.compile(r" (?=\d\d:\d\d$)")  # what a URL makes of the offset's plus sign


def _at_start_of_day(value: object) -> object:
    return _at(value, time.min)


def _at_end_of_day(value: object) -> object:
    return _at(value, time.max)


def _at(value: object, moment: time) -> object:
    if isinstance(value, str) and len(value) == len("2026-01-31"):
        try:
            return datetime.combine(date.fromisoformat(value), moment, UTC)
        except ValueError:
            return value
    return utc_time(_UNENCODED_PLUS.sub("+", value) if isinstance(value, str) else value)


From = Annotated[UtcTime, BeforeValidator(_at_start_of_day)]
To = Annotated[UtcTime, BeforeValidator(_at_end_of_day)]
Limit = Annotated[int, Field(ge=1, le=200)]
Cursor = Annotated[str, StringConstraints(max_length=500)]
Search = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]  # NUL: no database searches for it


class DateRange(BaseModel):
    """`from` and `to` are inclusive: an RFC 3339 time, or a date, which is a whole day in UTC."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)

    from_: From | None = Field(None, alias="from")
    to: To | None = None

    @model_validator(mode="after")
    def _from_is_not_after_to(self) -> Self:
        if self.from_ and self.to and self.from_ > self.to:
            raise ValueError("from should not be after to")
        return self


class ActivityQuery(DateRange):
    """Which activities."""

    type: list[ActivityType] = []
    impact: Impact | None = None
    q: Search | None = Field(None, description="Text that the activity mentions; case does not matter.")
    session_id: Id | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class SummaryQuery(BaseModel):
    """How far back to count."""

    days: Annotated[int, Field(ge=1, le=366)] = 30
