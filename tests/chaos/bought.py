"""What is true of one purchase, told by the events about it in the order of their times."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from shared.contracts.marketplace import (
    PurchaseDetails,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    ServicePeriod,
    SupportTicketClosed,
    SupportTicketOpened,
)
from shared.contracts.reading import AnyEvent

_SPENT: Final = ("active", "completed")
_DETAILS: Final = ("product_id", "product_name", "product_type", "provider_id", "provider_name", "amount", "currency")
_IF_TOLD: Final = ("billing_cycle", "purchase_date")
Move = tuple[str, datetime, str | None]  # the status, since when, and why


@dataclass
class Bought:
    """One purchase. `words` are the ids of the events that say what it is, by what they say."""

    details: dict[str, Any] = field(default_factory=dict)  # Any: its fields
    told_at: datetime | None = None
    period: ServicePeriod | None = None
    rating: float | None = None
    words: dict[str, str] = field(default_factory=dict)
    _optional: dict[str, Any] = field(default_factory=dict)  # Any: its fields
    _review: str | None = None
    _tickets: list[str] = field(default_factory=list)
    _moves: list[Move] = field(default_factory=list)

    def told(self, event: AnyEvent, bought: PurchaseDetails, transaction_id: str | None) -> None:
        """Takes what an event says that was bought, in the order of (time, id)."""
        self.details = {name: getattr(bought, name) for name in _DETAILS}
        self.told_at, self.words["details"] = event.time, event.id
        optional = {name: getattr(bought, name) for name in _IF_TOLD} | {"transaction_id": transaction_id}
        said = {name: value for name, value in optional.items() if value is not None}
        self._optional |= said
        self.words |= dict.fromkeys(said, event.id)
        if bought.service_period:
            self.period, self.words["period"] = bought.service_period, event.id
        if bought.status:
            self._moved(event, bought.status, None)

    def hear(self, event: AnyEvent) -> None:
        """Takes the next event about it in the order of (time, id)."""
        match event.data:
            case PurchaseStatusChanged() as moved:
                self._moved(event, moved.status, moved.reason)
            case PurchaseServicePeriodChanged() as changed:
                self.period, self.words["period"] = changed.service_period, event.id
            case PurchaseRated() as rated:
                self.rating, self._review, self.words["rating"] = rated.rating, rated.review, event.id
            case SupportTicketOpened(ticket_id=ticket) | SupportTicketClosed(ticket_id=ticket):
                self._tickets = [*(each for each in self._tickets if each != ticket), ticket]
                self.words[f"ticket {ticket}"] = event.id

    def _moved(self, event: AnyEvent, status: str, reason: str | None) -> None:
        self._moves.append((status, event.time, reason))
        self.words[f"move {event.id}"] = event.id

    @property
    def moves(self) -> list[Move]:
        """Its statuses, oldest first. Until somebody says otherwise it is pending."""
        if self.told_at and (not self._moves or self._moves[0][1] > self.told_at):
            return [("pending", self.told_at, None), *self._moves]
        return self._moves

    @property
    def status(self) -> str:
        """What it is now."""
        return self._moves[-1][0] if self._moves else "pending"

    @property
    def is_spent(self) -> bool:
        """Whether its amount counts as spent."""
        return self.status in _SPENT

    @property
    def at(self) -> datetime:
        """When it was bought. It has to have been told of."""
        at: datetime | None = self._optional.get("purchase_date") or self.told_at
        assert at is not None
        return at

    @property
    def amount(self) -> Decimal:
        """In TFP."""
        amount: Decimal = self.details["amount"]
        return amount

    @property
    def shown(self) -> dict[str, Any]:  # Any: its fields
        """What is shown of it; tickets in the order in which they were last spoken of."""
        return self.details | {
            "transaction_id": self._optional.get("transaction_id"),
            "billing_cycle": self._optional.get("billing_cycle"),
            "purchase_date": self.at,
            "status": self.status,
            "service_period": self.period,
            "rating": self.rating,
            "review": self._review,
            "support_tickets": self._tickets,
        }
