"""The purchases service's facts: the only place where purchases, deployments, wallets and pools meet Mongo.

Each thing is one document that holds what was said about it (`fields`, `members`) beside what it is found by. Each user
has one document in `users`: the blocks of the ledger, the overview, and a mark of what is not worked out again yet.
A write finds the `version` that was read, or is folded again.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.purchases.tags import deployment_tags, purchase_tags, transaction_tags
from shared.contracts.types import Section
from shared.folds import deployment, purchase, wallet
from shared.folds.facts import Fact, Kind
from shared.folds.state import State, field, value
from shared.plumbing import outbox
from shared.plumbing.fact_store import FactStore, Keeping, Writing, health_columns
from shared.plumbing.mongo import Database, Document

SECTIONS: Final[Mapping[Kind, Section]] = {
    "purchase": "purchases",
    "deployment": "deployments",
    "health": "deployments",
    "transaction": "wallet",
    "pool": "wallet",
    "command": "purchases",
    "settings": "purchases",
}
_LIST = [("user", ASCENDING), ("tags", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)]
HEALTH_KEPT: Final = timedelta(days=91)  # a check of the ninetieth day is in a document that began a day before
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "purchases": [IndexModel(_LIST, name="list"), outbox.INDEX],
    "deployments": [
        IndexModel(_LIST, name="list"),
        IndexModel([("user", ASCENDING), ("purchase_id", ASCENDING)], name="purchase"),
        outbox.INDEX,
    ],
    "health": [
        IndexModel([("user", ASCENDING)], name="user"),
        IndexModel([("deployment", ASCENDING), ("day", DESCENDING)], name="deployment"),
        IndexModel([("day", ASCENDING)], name="kept", expireAfterSeconds=int(HEALTH_KEPT.total_seconds())),
    ],
    "transactions": [
        IndexModel(_LIST, name="list"),
        IndexModel([("user", ASCENDING), ("sequence", ASCENDING)], name="ledger"),
    ],
    "pools": [IndexModel([("user", ASCENDING)], name="user")],
    "settings": [IndexModel([("user", ASCENDING)], name="user")],
    "users": [IndexModel([("dirty", ASCENDING)], name="dirty", sparse=True)],
}


@dataclass(frozen=True, slots=True)
class Merged:
    """How many things changed or did not, whose sections they are in, and how many illegal moves came to light."""

    changed: int
    unchanged: int
    sections: frozenset[tuple[str, Section]]
    illegal_moves: int


class PurchaseStore:
    """Merges facts into things, and marks what follows from them."""

    def __init__(self, database: Database) -> None:
        self._users = database["users"]
        self._facts = FactStore(database, KINDS)
        self.tell = self._facts.tell

    async def merge(self, facts: Sequence[Fact]) -> Merged:
        """Merges the facts, then marks their users, whether anything changed or not: after a crash in between the
        same facts come again and change nothing, but what follows from them is still to be worked out and told.

        Raises an ExceptionGroup of pymongo.errors.PyMongoError or ContentionError; what was merged by then may be
        merged again.
        """
        merged = await self._facts.merge(facts)
        await self.mark(merged)
        changed = sum(writing.changed for writing in merged)
        return Merged(
            changed,
            len(merged) - changed,
            frozenset((writing.user, SECTIONS[writing.kind]) for writing in merged),
            sum(_new_illegal_moves(writing) for writing in merged),
        )

    async def mark(self, written: Sequence[Writing]) -> None:
        """Says that what follows from these things is to be worked out again."""
        marks: dict[str, _Mark] = defaultdict(_Mark)
        for writing in written:
            marks[writing.user].note(writing)
        if marks:
            await self._users.bulk_write([mark.write(user) for user, mark in marks.items()], ordered=False)


class _Mark:
    """What of a user is to be worked out again."""

    def __init__(self) -> None:
        self._blocks: set[int] = set()
        self._deployments: set[str] = set()

    def note(self, writing: Writing) -> None:
        if writing.kind == "transaction":
            places = (writing.before, _sequence(writing.state))
            self._blocks |= {wallet.block_of(sequence) for sequence in places if sequence is not None}
        elif writing.kind == "deployment":
            self._deployments.add(writing.key)
        elif writing.kind == "health":
            self._deployments.add(health_columns(writing)["deployment"])

    def write(self, user: str) -> UpdateOne:
        marked = {
            "marked.blocks": {"$each": sorted(self._blocks)},
            "marked.deployments": {"$each": sorted(self._deployments)},
        }
        change = {"$inc": {"version": 1}, "$set": {"dirty": True}, "$addToSet": marked}
        return UpdateOne({"_id": user}, change, upsert=True)


def _new_illegal_moves(writing: Writing) -> int:
    return max(0, purchase.illegal_moves(writing.state) - writing.before) if writing.kind == "purchase" else 0


def _sequence(state: State) -> int | None:
    sequence: int | None = value(state, "line", {}).get("sequence")
    return sequence


def _purchase_columns(writing: Writing) -> Document:
    return {"at": purchase.bought_at(writing.state), "tags": purchase_tags(writing.state)}


def _deployment_columns(writing: Writing) -> Document:
    details = value(writing.state, "details", {})
    return {
        "at": deployment.created_at(writing.state),
        "tags": deployment_tags(writing.state),
        "purchase_id": details.get("purchase_id"),
    }


def _transaction_columns(writing: Writing) -> Document:
    said = field(writing.state, "line")
    at, sequence = (said.at, said.value["sequence"]) if said else (0, None)
    return {"at": at, "sequence": sequence, "tags": transaction_tags(writing.state)}


KINDS: Final[Mapping[Kind, Keeping]] = {
    "purchase": Keeping("purchases", _purchase_columns, purchase.illegal_moves),
    "deployment": Keeping("deployments", _deployment_columns),
    "health": Keeping("health", health_columns),
    "transaction": Keeping("transactions", _transaction_columns, _sequence),
    "pool": Keeping("pools"),
    "command": Keeping("commands"),
    "settings": Keeping("settings"),
}
