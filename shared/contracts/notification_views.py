"""What needs the user's attention: the read model and the questions, shared by the service and the gateway."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from shared.contracts.types import Section
from shared.contracts.views import Cursor, Limit

NotificationKind = Literal["deployment", "billing", "security", "anomaly", "budget"]
Severity = Literal["info", "warning", "critical"]
NotificationCode = Literal[
    "deployment_error",
    "deployment_unhealthy",
    "request_refused",
    "purchase_suspended",
    "billing_uncovered",
    "service_ending",
    "runway_short",
    "refund",
    "new_sign_in",
    "credentials_revealed",
    "data_exported",
    "password_changed",
    "spending_unusual",
    "provider_spending_unusual",
    "budget_reached",
    "budget_expected",
]


class Notification(BaseModel):
    """Something that the user should know. `title` and `body` are English; `code` with `params` says the same.

    `at` is when it happened, `read_at` when the user was done with it, and `resolved_at` when it needed nobody's
    attention any more, such as a deployment that runs again (all UTC). `section` is where to look at it.
    """

    id: str
    kind: NotificationKind
    severity: Severity
    title: str
    body: str
    at: datetime
    read_at: datetime | None
    resolved_at: datetime | None
    section: Section
    related_entity_id: str | None
    related_entity_type: Literal["deployment", "purchase", "command"] | None
    code: NotificationCode
    params: dict[str, str]


class NotificationPage(BaseModel):
    """Newest first; `next_cursor` leads to the older ones. `unread` counts all of the user's, not only this page's."""

    items: list[Notification]
    next_cursor: str | None
    unread: int


class NotificationQuery(BaseModel):
    """Which notifications: with `unread`, only those that were not read."""

    unread: bool = False
    limit: Limit = 50
    cursor: Cursor | None = None
