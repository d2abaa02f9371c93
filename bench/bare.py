"""A service that merges facts against a bare loop, and the writes of that loop: as many as ours, with nothing checked.

They are one for each thing of a batch that was told of, and one for each user.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

from pymongo import IndexModel, UpdateOne

from shared.plumbing import mongo
from shared.plumbing.mongo import Client, Database, Document

_ROUNDS: Final = 5
_KINDS: Final = {"support": "purchase", "wallet": "transaction"}
UNTIL: Final = datetime.now(UTC).replace(
    minute=0, second=0, microsecond=0
)  # or Mongo removes what is too old meanwhile
_MARKED: Final = {"marked.one": {"$each": ["2026-05"]}, "marked.other": {"$each": []}}
_MARK: Final = {"$inc": {"version": 1}, "$set": {"dirty": True}, "$addToSet": _MARKED}

Event = Mapping[str, Any]  # JSON
Writes = dict[str, list[UpdateOne]]
Record = tuple[str, bytes, bytes]  # topic, key, value
Way = Callable[[Database, Sequence[Record]], Awaitable[None]]


class Things:
    """What the events of a batch tell of. `collections` are those of the kinds of things that are kept."""

    def __init__(self, collections: Mapping[str, str]) -> None:
        self._collections = collections
        self._things: dict[tuple[str, str], Document] = defaultdict(dict)
        self._users: set[str] = set()

    def add(self, event: Event) -> None:
        """Notes what the event says of each thing that it tells of."""
        user = event["subject"]
        self._users.add(user)
        for kind in _kinds(event):
            if kind in self._collections:
                id = _id_of(event, kind)  # noqa: A001
                said = {key: value for key, value in event["data"].items() if key != "user_email"}
                own = {"user": user, "id": id, "at": 0, "tags": ["", "a=b", "c=d"], "status": "active", "day": UNTIL}
                name = f"fields.{event['type'][-20:].replace('.', '_')}"
                self._things[kind, f"{user}/{id}"] |= {name: [0, event["time"], event["id"], said], **own}

    def writes(self) -> Writes:
        """An upsert for each thing, and a mark for each user, by collection."""
        found: Writes = defaultdict(list)
        for (kind, key), fields in self._things.items():
            found[self._collections[kind]].append(UpdateOne({"_id": key}, {"$set": fields}, upsert=True))
        found["users"] = [UpdateOne({"_id": user}, _MARK, upsert=True) for user in self._users]
        return found


async def store(database: Database, writes: Writes) -> None:
    """One bulk write for each collection."""
    for collection, these in writes.items():
        await database[collection].bulk_write(these, ordered=False)


@dataclass
class Costs:
    """Events a second, round by round; seconds of what is asked for, by the purchases behind the user (medians)."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    seconds: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios of ours to bare."""
        return median(a / b for a, b in zip(self.ours, self.bare, strict=True))


async def compared(
    client: Client, indexes: Mapping[str, Sequence[IndexModel]], records: Sequence[Record], ours: Way, bare: Way
) -> Costs:
    """Lets both ways bring in the records, in turns, each time into a database of its own."""
    found = Costs()
    for number in range(_ROUNDS):
        left = []
        ways = ((bare, found.bare), (ours, found.ours))
        for way, speeds in ways if number % 2 == 0 else reversed(ways):
            database = client[f"bench_facts_{number}"]
            await mongo.ensure_indexes(database, indexes)
            started = time.perf_counter()
            await way(database, records)
            speeds.append(len(records) / (time.perf_counter() - started))
            left.append(await _documents(database))
            await client.drop_database(database.name)
        assert left[0] == left[1], "both should come to as many documents"
    return found


async def _documents(database: Database) -> dict[str, int]:
    names = await database.list_collection_names()
    return {name: await database[name].estimated_document_count() for name in names}


def _kinds(event: Event) -> list[str]:
    kind = event["type"]
    if "health" in kind:
        return ["deployment", "health"]
    if "pool_" in kind:
        return ["pool"]
    if kind == "user.registered.v1":
        return ["settings"]
    first = kind.partition(".")[0]
    return [_KINDS.get(first, first), *(["purchase"] if event["data"].get("purchase") else [])]


def _id_of(event: Event, kind: str) -> str:
    data = event["data"]
    if kind == "health":
        return f"{data['deployment_id']}/{event['time'][:10]}"
    return str((data.get("purchase") or data).get(f"{kind}_id") or data.get(f"{kind}_id"))
