"""The analytics service's facts: what was bought, runs, was paid, and whether the user may be compared with others.

Each thing is one document. Each user has one document in `users`, with the months, what is ready to be shown, and a
mark of what is not worked out again yet.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.analytics.domain.months import credible, months_around
from shared.contracts.times import as_time, microseconds
from shared.folds import deployment, purchase
from shared.folds.facts import Fact, Kind, key_of
from shared.folds.state import State, field, value
from shared.plumbing.fact_store import FactStore, Keeping, Writing, health_columns
from shared.plumbing.mongo import Database, Document

_HEALTH_KEPT_SECONDS: Final = 35 * 86_400
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "purchases": [
        IndexModel([("user", ASCENDING), ("at", ASCENDING)], name="months"),
        IndexModel([("user", ASCENDING), ("status", ASCENDING), ("at", ASCENDING)], name="status"),
    ],
    "deployments": [IndexModel([("user", ASCENDING), ("purchase_id", ASCENDING)], name="purchase")],
    "health": [
        IndexModel([("deployment", ASCENDING), ("day", DESCENDING)], name="deployment"),
        IndexModel([("user", ASCENDING)], name="user"),
        IndexModel([("day", ASCENDING)], name="kept", expireAfterSeconds=_HEALTH_KEPT_SECONDS),
    ],
    "transactions": [
        IndexModel([("user", ASCENDING), ("sequence", DESCENDING)], name="ledger"),
        IndexModel([("refund_of", ASCENDING)], name="refund"),
        IndexModel(
            [("user", ASCENDING), ("at", DESCENDING)],
            name="refunds",
            partialFilterExpression={"refund_of": {"$type": "string"}},
        ),
    ],
    "settings": [IndexModel([("user", ASCENDING)], name="user")],
    "users": [
        IndexModel([("dirty", ASCENDING)], name="dirty", sparse=True),
        IndexModel([("budget.currency", ASCENDING)], name="budget", sparse=True),
        IndexModel([("news", ASCENDING)], name="news", sparse=True),
        IndexModel([("many", ASCENDING)], name="many", sparse=True),
        IndexModel([("weigh_at", ASCENDING)], name="weigh", sparse=True),
    ],
}


ADVISING: Final[frozenset[Kind]] = frozenset({"purchase", "settings"})  # what recommendations follow from


@dataclass(frozen=True, slots=True)
class Merged:
    """How many things changed or did not, whose they are, and of whom a purchase or the settings were among them."""

    changed: int
    unchanged: int
    users: frozenset[str]
    advised: frozenset[str]


class AnalyticsStore:
    """Merges facts into things, and marks what follows from them."""

    def __init__(self, database: Database) -> None:
        self._users = database["users"]
        self._facts = FactStore(database, KINDS)

    async def merge(self, facts: Sequence[Fact]) -> Merged:
        """Merges the facts, then marks their users, whether anything changed or not: after a crash in between the
        same facts come again and change nothing, but what follows from them is still to be worked out.

        Raises an ExceptionGroup of pymongo.errors.PyMongoError or ContentionError; what was merged by then may be
        merged again.
        """
        merged = await self._facts.merge(fact for fact in facts if fact.kind in KINDS)
        marks = await self.mark_written(merged)
        changed = sum(writing.changed for writing in merged)
        advised = frozenset(writing.user for writing in merged if writing.kind in ADVISING)
        return Merged(changed, len(merged) - changed, frozenset(marks), advised)

    async def mark(self, marks: "Mapping[str, _Mark]") -> None:
        """Says what of whom is to be worked out again."""
        if marks:
            await self._users.bulk_write([mark.write(user) for user, mark in marks.items()], ordered=False)

    async def mark_written(self, written: Iterable[Writing]) -> "Mapping[str, _Mark]":
        """Says that what follows from these things is to be worked out again; the marks by user."""
        marks: dict[str, _Mark] = defaultdict(_Mark)
        for writing in written:
            marks[writing.user].note(writing)
        await self.mark(marks)
        return marks

    async def mark_seen(self, users: Iterable[str], signed_in: Set[str]) -> None:
        """Says that these users were active; some of them signed in."""
        await self.mark({user: _Mark(news=user in signed_in) for user in users})


class _Mark:
    """What of a user is to be worked out again. `news`: there may be something to notify them of."""

    def __init__(self, *, news: bool = True) -> None:
        self._news = news
        self._months: set[str] = set()
        self._purchases: set[str] = set()
        self._deployments: set[str] = set()

    def note(self, writing: Writing) -> None:
        if writing.kind == "purchase":
            self._months |= _months(writing.before) | _months(_bought_at(writing.state))
        elif writing.kind == "transaction":
            paid_back = (writing.before, refunded(writing.state))
            self._purchases |= {key_of(writing.user, id) for id in paid_back if id}  # noqa: A001
        elif writing.kind == "deployment":
            self._deployments.add(writing.key)
        elif writing.kind == "health":
            self._deployments.add(health_columns(writing)["deployment"])

    def write(self, user: str) -> UpdateOne:
        marked = {
            "marked.months": {"$each": sorted(self._months)},
            "marked.purchases": {"$each": sorted(self._purchases)},
            "marked.deployments": {"$each": sorted(self._deployments)},
        }
        marks = {"dirty": True, **({"news": True} if self._news else {})}
        change = {"$inc": {"version": 1}, "$set": marks, "$addToSet": marked}
        return UpdateOne({"_id": user}, change, upsert=True)


def _bought_at(state: State) -> int:
    at = purchase.bought_at(state)
    return microseconds(credible(as_time(at))) if at else 0


def _months(at: int) -> set[str]:
    return set(months_around(as_time(at))) if at else set()


def refunded(state: State) -> str | None:
    """The id of the purchase that a transaction pays back, if it does."""
    related: str | None = value(state, "related_entity_id")
    return related if value(state, "line", {}).get("kind") == "refund" else None


def _purchase_columns(writing: Writing) -> Document:
    details = value(writing.state, "details", {})
    return {
        "at": _bought_at(writing.state),
        "status": purchase.status(writing.state) if details else None,
        "product_id": details.get("product_id"),
    }


def _deployment_columns(writing: Writing) -> Document:
    details = value(writing.state, "details", {})
    return {"at": deployment.created_at(writing.state), "purchase_id": details.get("purchase_id")}


def _transaction_columns(writing: Writing) -> Document:
    said = field(writing.state, "line")
    purchase_id = refunded(writing.state)
    return {
        "at": said.at if said else 0,
        "rank": said.event if said else "",
        "sequence": said.value["sequence"] if said else None,
        "refund_of": key_of(writing.user, purchase_id) if purchase_id else None,
    }


KINDS: Final[Mapping[Kind, Keeping]] = {
    "purchase": Keeping("purchases", _purchase_columns, _bought_at),
    "deployment": Keeping("deployments", _deployment_columns),
    "health": Keeping("health", health_columns),
    "transaction": Keeping("transactions", _transaction_columns, refunded),
    "settings": Keeping("settings"),
}
