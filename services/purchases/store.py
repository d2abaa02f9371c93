"""The purchases service's facts: the only place where purchases, deployments, wallets and pools meet Mongo.

Each thing is one document that holds what was said about it (`fields`, `members`) beside what it is found by. Each user
has one document in `users`: the blocks of the ledger, the overview, and a mark of what is not worked out again yet.
A write finds the `version` that was read, or is folded again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.purchases.domain import deployment, purchase, wallet
from services.purchases.domain.facts import Fact, Kind, facts_of, key_of
from services.purchases.domain.state import State, empty, field, merge, value
from services.purchases.tags import deployment_tags, purchase_tags, transaction_tags
from shared.contracts.envelope import Event, UserPayload
from shared.contracts.topics import Topic
from shared.contracts.types import Section
from shared.plumbing import outbox
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document

COLLECTIONS: Final[Mapping[Kind, str]] = {
    "purchase": "purchases",
    "deployment": "deployments",
    "health": "health",
    "transaction": "transactions",
    "pool": "pools",
    "command": "commands",
    "settings": "settings",
}
_SECTIONS: Final[Mapping[Kind, Section]] = {
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
_MOST_TRIES = 20


class ContentionError(Exception):
    """Other writers kept being quicker. What was written is written; the batch may be applied again."""


@dataclass(frozen=True, slots=True)
class Merged:
    """How many things changed or did not, whose sections they are in, and how many illegal moves came to light."""

    changed: int
    unchanged: int
    sections: frozenset[tuple[str, Section]]
    illegal_moves: int


class FactStore:
    """Merges facts into things."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def merge(self, facts: Sequence[Fact]) -> Merged:
        """Merges the facts, then marks their users, whether anything changed or not: after a crash in between the
        same facts come again and change nothing, but what follows from them is still to be worked out and told.

        Raises an ExceptionGroup of pymongo.errors.PyMongoError or ContentionError; what was merged by then may be
        merged again.
        """
        sections: set[tuple[str, Section]] = set()
        changed = unchanged = illegal = 0
        marks: dict[str, _Mark] = defaultdict(_Mark)
        async with asyncio.TaskGroup() as group:  # the database works on one kind while we work on another
            merging = [
                (kind, group.create_task(self._merge_kind(kind, by_key))) for kind, by_key in _grouped(facts).items()
            ]
        for kind, merged in merging:
            for writing in merged.result():
                marks[writing.user].note(kind, writing)
                sections.add((writing.user, _SECTIONS[kind]))
                changed += writing.changed
                unchanged += not writing.changed
                illegal += writing.illegal_moves
        if marks:
            await self._database["users"].bulk_write([mark.write(user) for user, mark in marks.items()], ordered=False)
        return Merged(changed, unchanged, frozenset(sections), illegal)

    async def tell(self, kind: Kind, id: str, topic: Topic, event: Event[UserPayload]) -> bool:
        """Merges what an event of our own says about a thing and puts it into the thing's outbox, in one write.

        False if the event's user has no such thing. Raises pymongo.errors.PyMongoError or ContentionError.
        """
        user = event.data.user_email
        collection = self._database[COLLECTIONS[kind]]
        for _ in range(_MOST_TRIES):
            known = await collection.find_one({"_id": key_of(user, id)})
            if known is None or not known["tags"]:
                return False
            writing = _Writing(kind, known, facts_of(event), user, id)
            told = writing.write(**{"$push": {"outbox": outbox.entry(topic, event)}})
            if not await _write(collection, [writing.key], [told]):
                return True
        raise ContentionError

    async def _merge_kind(self, kind: Kind, by_key: Mapping[str, list[Fact]]) -> list["_Writing"]:
        collection = self._database[COLLECTIONS[kind]]
        done: list[_Writing] = []
        left = dict(by_key)
        for _ in range(_MOST_TRIES):
            known = {d["_id"]: d async for d in collection.find({"_id": {"$in": list(left)}})}
            writings = [
                _Writing(kind, known.get(key), facts, facts[0].user, facts[0].id) for key, facts in left.items()
            ]
            changed = [writing for writing in writings if writing.changed]
            late = await _write(collection, [w.key for w in changed], [w.write() for w in changed])
            done += [writing for writing in writings if writing.key not in late]
            left = {key: left[key] for key in late}
            if not left:
                return done
        raise ContentionError


class _Writing:
    """One thing with the facts about it merged in, and the write that stores it."""

    def __init__(self, kind: Kind, known: Document | None, facts: Sequence[Fact], user: str, id: str) -> None:
        self.key, self.user, self.id = key_of(user, id), user, id
        self._known = known
        self.state: State = {"fields": known["fields"], "members": known["members"]} if known else empty()
        self._sequences = {value(self.state, "line", {}).get("sequence")} if kind == "transaction" else set()
        illegal = purchase.illegal_moves(self.state) if kind == "purchase" else 0
        self.changed = merge(self.state, facts)
        self.illegal_moves = max(0, purchase.illegal_moves(self.state) - illegal) if kind == "purchase" else 0
        self._columns = _COLUMNS[kind](self)

    @property
    def sequences(self) -> set[int]:
        """Where a transaction was, and is, in the ledger."""
        now = value(self.state, "line", {}).get("sequence")
        return {sequence for sequence in (*self._sequences, now) if sequence is not None}

    def write(self, **besides: Document) -> InsertOne[Document] | UpdateOne:
        """Fails with a duplicate key where another writer was quicker. `besides` are more update operators."""
        if self._known is None:
            own = {"_id": self.key, "user": self.user, "id": self.id, "version": 1}
            return InsertOne({**own, **self.state, **self._columns})
        version = self._known["version"]
        own = {"user": self.user, "id": self.id, "version": version + 1}  # whose, also where it was erased meanwhile
        change = {"$set": {**own, **self.state, **self._columns}, **besides}
        return UpdateOne({"_id": self.key, "version": version}, change, upsert=True)


class _Mark:
    """What of a user is to be worked out again."""

    def __init__(self) -> None:
        self._blocks: set[int] = set()
        self._deployments: set[str] = set()

    def note(self, kind: Kind, writing: _Writing) -> None:
        if kind == "transaction":
            self._blocks |= {wallet.block_of(sequence) for sequence in writing.sequences}
        elif kind == "deployment":
            self._deployments.add(writing.key)
        elif kind == "health":
            self._deployments.add(_deployment_of(writing))

    def write(self, user: str) -> UpdateOne:
        marked = {
            "marked.blocks": {"$each": sorted(self._blocks)},
            "marked.deployments": {"$each": sorted(self._deployments)},
        }
        change = {"$inc": {"version": 1}, "$set": {"dirty": True}, "$addToSet": marked}
        return UpdateOne({"_id": user}, change, upsert=True)


def _grouped(facts: Iterable[Fact]) -> Mapping[Kind, Mapping[str, list[Fact]]]:
    grouped: dict[Kind, dict[str, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    for fact in facts:
        grouped[fact.kind][fact.key].append(fact)
    return grouped


async def _write(collection: Any, keys: Sequence[str], writes: Sequence[Any]) -> set[str]:  # Any: the driver's types
    """Writes; which of the `keys`, in the order of the writes, another writer had changed meanwhile."""
    if not writes:
        return set()
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        details = error.details
        if any(e["code"] != DUPLICATE_KEY for e in details["writeErrors"]) or details["writeConcernErrors"]:
            raise
        return {keys[e["index"]] for e in details["writeErrors"]}
    return set()


def _purchase_columns(writing: _Writing) -> Document:
    return {"at": purchase.bought_at(writing.state), "tags": purchase_tags(writing.state)}


def _deployment_columns(writing: _Writing) -> Document:
    details = value(writing.state, "details", {})
    return {
        "at": deployment.created_at(writing.state),
        "tags": deployment_tags(writing.state),
        "purchase_id": details.get("purchase_id"),
    }


def _health_columns(writing: _Writing) -> Document:
    day = writing.id.rpartition("/")[2]
    return {"deployment": _deployment_of(writing), "day": datetime.fromisoformat(day).replace(tzinfo=UTC)}


def _deployment_of(writing: _Writing) -> str:
    return key_of(writing.user, writing.id.rpartition("/")[0])


def _transaction_columns(writing: _Writing) -> Document:
    said = field(writing.state, "line")
    at, sequence = (said.at, said.value["sequence"]) if said else (0, None)
    return {"at": at, "sequence": sequence, "tags": transaction_tags(writing.state)}


def _no_columns(_writing: _Writing) -> Document:
    return {}


_COLUMNS: Final[Mapping[Kind, Callable[[_Writing], Document]]] = {
    "purchase": _purchase_columns,
    "deployment": _deployment_columns,
    "health": _health_columns,
    "transaction": _transaction_columns,
    "pool": _no_columns,
    "command": _no_columns,
    "settings": _no_columns,
}
