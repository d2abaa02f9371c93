"""A purchase as its user sees it, worked out from what was said about it."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from shared.contracts.times import rfc3339
from shared.contracts.types import PurchaseStatus
from shared.folds.state import Said, State, field, members, value

Record = dict[str, Any]  # JSON: money and times are strings

_CENT = Decimal("0.01")
_MOVES: Final[Mapping[PurchaseStatus, frozenset[PurchaseStatus]]] = {
    "pending": frozenset({"active", "completed", "cancelled", "refunded", "expired"}),
    "active": frozenset({"completed", "cancelled", "refunded", "expired", "suspended"}),
    "suspended": frozenset({"active", "completed", "cancelled", "refunded", "expired"}),
    "expired": frozenset({"active", "refunded"}),
    "completed": frozenset({"refunded"}),
    "cancelled": frozenset({"refunded"}),
    "refunded": frozenset(),
}


def is_listed(state: State) -> bool:
    """Whether the purchase itself has come. What came before it waits in the state until then."""
    return field(state, "details") is not None


def bought_at(state: State) -> int:
    """The purchase's date in microseconds since 1970: the one that was given, else when the purchase was told of."""
    date: int = value(state, "purchase_date") or value(state, "told_at", 0)
    return date


def status(state: State) -> PurchaseStatus:
    """What the purchase was last said to be; pending until anything was said."""
    moves = members(state, "history")
    last: PurchaseStatus = moves[-1].value["status"] if moves else "pending"
    return last


def record_of(id: str, state: State) -> Record:
    """The `PurchaseRecord` of a listed purchase, without its deployment, which is kept apart."""
    details = value(state, "details")
    period, rating = value(state, "period"), value(state, "rating", {})
    return {
        "id": id,
        "transaction_id": value(state, "transaction_id"),
        **details,
        "amount": money(details["amount"]),
        "purchase_date": rfc3339(bought_at(state)),
        "status": status(state),
        "billing_cycle": value(state, "billing_cycle"),
        "deployment_info": None,
        "service_period": period and _period(period),
        "rating": rating.get("rating"),
        "review": rating.get("review"),
        "support_tickets": [ticket.value for ticket in members(state, "tickets")],
    }


def monthly_cost(state: State) -> str | None:
    """What a purchase that is billed by the month or the year costs a month; None for any other."""
    details = value(state, "details", {})
    months = {"monthly": 1, "annual": 12}.get(value(state, "billing_cycle"))
    return money((details["amount"] / months).quantize(_CENT)) if details and months else None


def history_of(state: State) -> list[Record]:
    """Every move, oldest first, each with whether it is one that a purchase can make (`legal`)."""
    moves = _moves(state)
    return [
        {"status": move.value["status"], "at": rfc3339(move.at), "reason": move.value["reason"], "legal": allowed}
        for move, allowed in zip(moves, _legal(moves), strict=True)
    ]


def illegal_moves(state: State) -> int:
    """How many moves were none that a purchase can make, such as from refunded to active."""
    return _legal(_moves(state)).count(False)


def _moves(state: State) -> list[Said]:
    moves = members(state, "history")
    started = field(state, "told_at")
    if started and (not moves or moves[0].at > started.value):
        return [Said(started.value, started.event, {"status": "pending", "reason": None}), *moves]
    return moves


def _legal(moves: list[Said]) -> list[bool]:
    allowed = [_is_legal(before.value["status"], after.value["status"]) for before, after in pairwise(moves)]
    return [True, *allowed] if moves else []


def _is_legal(before: PurchaseStatus, after: PurchaseStatus) -> bool:
    return before == after or after in _MOVES[before]


def _period(period: Mapping[str, Any]) -> Record:
    times = {name: period[name] and rfc3339(period[name]) for name in ("start_date", "end_date", "next_billing_date")}
    return {**period, **times}


def money(amount: Decimal) -> str:
    """An amount as the API gives it: all its digits, no exponent."""
    return f"{amount:f}"
