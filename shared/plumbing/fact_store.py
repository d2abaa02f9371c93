"""Facts in Mongo: one document for each thing, with what was said about it (`fields`, `members`) and what finds it.

A write finds the `version` that was read, or is folded again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from shared.contracts.envelope import Event, UserPayload
from shared.contracts.topics import Topic
from shared.folds.facts import Fact, Kind, facts_of, key_of
from shared.folds.state import State, empty, merge
from shared.plumbing import outbox
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document

_MOST_TRIES: Final = 20


class ContentionError(Exception):
    """Other writers kept being quicker. What was written is written; the batch may be applied again."""


@dataclass(frozen=True, slots=True)
class Writing:
    """One thing with facts merged in. `before` is what `Keeping.noted` found in it before; `version` 0: it is new.

    `key` is that of its document.
    """

    kind: Kind
    key: str
    user: str
    id: str
    version: int
    before: Any  # whatever `noted` gives
    state: State
    changed: bool


def _nothing(_: object) -> Any:  # Any: see Keeping
    return {}


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where the things of a kind are kept, what they are found by, and what is noted of them before facts come in."""

    collection: str
    columns: Callable[[Writing], Document] = _nothing
    noted: Callable[[State], Any] = _nothing


def health_columns(writing: Writing) -> Document:
    """Of a day of health checks: the key of its deployment, and the day, which the database's expiry goes by."""
    deployment_id, _, day = writing.id.rpartition("/")
    return {
        "deployment": key_of(writing.user, deployment_id),
        "day": datetime.fromisoformat(day).replace(tzinfo=UTC),
    }


class FactStore:
    """Merges facts into the things of some kinds."""

    def __init__(self, database: Database, kinds: Mapping[Kind, Keeping]) -> None:
        self._database = database
        self._kinds = kinds

    async def merge(self, facts: Iterable[Fact]) -> list[Writing]:
        """Merges the facts; what became of each thing that they are about.

        Raises an ExceptionGroup of pymongo.errors.PyMongoError or ContentionError; what was merged by then may be
        merged again.
        """
        async with asyncio.TaskGroup() as group:  # the database works on one kind while we work on another
            merging = [group.create_task(self._merge_kind(kind, things)) for kind, things in _grouped(facts).items()]
        return [writing for merged in merging for writing in merged.result()]

    async def tell(self, kind: Kind, id: str, topic: Topic, event: Event[UserPayload]) -> bool:
        """Merges what an event of our own says about a thing and puts it into the thing's outbox, in one write.

        False if the event's user has no such thing. Raises pymongo.errors.PyMongoError or ContentionError.
        """
        user = event.data.user_email
        collection = self._database[self._kinds[kind].collection]
        key = key_of(user, id)
        for _ in range(_MOST_TRIES):
            known = await collection.find_one({"_id": key})
            if known is None or not known["tags"]:
                return False
            writing = self._merged(kind, key, known, facts_of(event))
            told = self._write(writing, {"$push": {"outbox": outbox.entry(topic, event)}})
            if not await _bulk_write(collection, [key], [told]):
                return True
        raise ContentionError

    async def _merge_kind(self, kind: Kind, by_key: Mapping[str, list[Fact]]) -> list[Writing]:
        collection = self._database[self._kinds[kind].collection]
        done: list[Writing] = []
        left = dict(by_key)
        for _ in range(_MOST_TRIES):
            found = await collection.find({"_id": {"$in": list(left)}}).to_list(None)
            known = {document["_id"]: document for document in found}
            writings = [self._merged(kind, key, known.get(key), said) for key, said in left.items()]
            changed = [writing for writing in writings if writing.changed]
            late = await _bulk_write(collection, [w.key for w in changed], [self._write(w) for w in changed])
            done += [writing for writing in writings if writing.key not in late]
            left = {key: left[key] for key in late}
            if not left:
                return done
        raise ContentionError

    def _merged(self, kind: Kind, key: str, known: Document | None, facts: Sequence[Fact]) -> Writing:
        state: State = {"fields": known["fields"], "members": known["members"]} if known else empty()
        before = self._kinds[kind].noted(state)
        changed = merge(state, facts)
        user, thing = (known["user"], known["id"]) if known else (facts[0].user, facts[0].id)  # there may be no fact
        return Writing(kind, key, user, thing, known["version"] if known else 0, before, state, changed)

    def _write(self, writing: Writing, besides: Document | None = None) -> InsertOne[Document] | UpdateOne:
        """Fails with a duplicate key where another writer was quicker. `besides` are more update operators."""
        own = {"user": writing.user, "id": writing.id, "version": writing.version + 1}  # also where it was erased
        content = {**own, **writing.state, **self._kinds[writing.kind].columns(writing)}
        if writing.version == 0:
            return InsertOne({"_id": writing.key, **content})
        as_read = {"_id": writing.key, "version": writing.version}
        return UpdateOne(as_read, {"$set": content, **(besides or {})}, upsert=True)


def _grouped(facts: Iterable[Fact]) -> Mapping[Kind, Mapping[str, list[Fact]]]:
    """The facts about each thing, by kind and key; a key takes time, and is made once for each thing."""
    things: dict[tuple[Kind, str, str], list[Fact]] = defaultdict(list)
    for fact in facts:
        things[fact.kind, fact.user, fact.id].append(fact)
    grouped: dict[Kind, dict[str, list[Fact]]] = defaultdict(dict)
    for (kind, user, id), said in things.items():  # noqa: A001
        grouped[kind][key_of(user, id)] = said
    return grouped


async def _bulk_write(collection: Any, keys: Sequence[str], writes: Sequence[Any]) -> set[str]:  # Any: the driver's
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
