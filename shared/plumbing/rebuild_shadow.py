"""Rebuilding: a database beside the live one, filled from the topics by the service's own code.

One run at a time has it. How far it has come is kept in it, so that one that was broken off is gone on with.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.times import microseconds
from shared.contracts.topics import Topic
from shared.plumbing import consents, mongo, tombstones
from shared.plumbing.batch import Batch
from shared.plumbing.consume import Apply
from shared.plumbing.erasure import Erase
from shared.plumbing.heed import heed, make_good
from shared.plumbing.mongo import Client, Database, Document
from shared.plumbing.rebuild_parts import Pair, Part
from shared.plumbing.rebuild_topics import Beginning, Offsets
from shared.plumbing.tombstones import Tombstones

_RUN: Final = "run"
_LEASE: Final = timedelta(seconds=10)
LONGEST_SECONDS: Final = 3  # that a page or a batch may take, so that the lease is kept
_BATCH: Final = 500
_POLL_MS: Final = 100
_SEEDED: Final = (tombstones.COLLECTION, consents.COLLECTION)  # what is known of what may be kept

Written = Callable[[str, Sequence[Pair]], Awaitable[None]]  # a collection, and its documents before and after


async def _nothing(_collection: str, _pairs: Sequence[Pair]) -> None:
    return None


@dataclass(frozen=True)
class Plan:
    """How a service is rebuilt.

    `apply` and `erase_shadow` work on the shadow, `erase` on the live database. `written` is called with documents of
    the live one before and after they are written, and with those that were right, for what follows from them.
    """

    service: str
    topics: Sequence[Topic]
    reader: Reader
    indexes: Mapping[str, Sequence[IndexModel]]
    apply: Apply
    erase_shadow: Erase
    erase: Erase
    parts: Sequence[Part]
    written: Written = field(default=_nothing)


class BusyError(Exception):
    """Another run rebuilds the same service, or one that was killed did a moment ago."""


def database_of(client: Client, service: str) -> Database:
    """The shadow's database."""
    return client[f"{service}-rebuild"]


class Pace:
    """Lets so many things a second pass."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._free_at = time.monotonic()

    async def take(self, things: int) -> None:
        """Waits until the things before these have had their time."""
        now = time.monotonic()
        wait, self._free_at = self._free_at - now, max(now, self._free_at) + things / self.rate
        if wait > 0:
            await asyncio.sleep(wait)


class Shadow:
    """The shadow of one service. Its methods raise PyMongoError, KafkaError, and BusyError where the lease was lost."""

    def __init__(self, plan: Plan, bootstrap_servers: str, live: Database, shadow: Database, pace: Pace) -> None:
        self.database = shadow
        self.tombstones = Tombstones(shadow)
        self.positions: Offsets = {}
        self._plan = plan
        self._bootstrap_servers = bootstrap_servers
        self._live = live
        self._pace = pace
        self._run = shadow["rebuild"]
        self._owner = secrets.token_hex(8)

    async def take(self) -> bool:
        """Takes the lease, waiting for that of a run that was killed; whether there is something to go on with.

        Raises BusyError while another run has it.
        """
        await Tombstones(self._live).prepare()  # the salt has to be there to be copied
        deadline = time.monotonic() + 2 * _LEASE.total_seconds()
        while (known := await self._try()) is None:
            if time.monotonic() > deadline:
                raise BusyError
            await asyncio.sleep(1)
        self.positions = {TopicPartition(topic, number): at for topic, number, at in known.get("positions", ())}
        return bool(self.positions)

    async def _try(self) -> Document | None:
        first: Document = {"$setOnInsert": {"until": datetime.fromtimestamp(0, UTC)}}
        with suppress(DuplicateKeyError):  # another run was quicker
            await self._run.update_one({"_id": _RUN}, first, upsert=True)
        free = {"_id": _RUN, "$expr": {"$lt": ["$until", "$$NOW"]}}
        found: Document | None = await self._run.find_one_and_update(free, self._renewed())
        return found

    def _renewed(self) -> list[Document]:
        until: Document = {"$add": ["$$NOW", int(_LEASE.total_seconds() * 1_000)]}
        return [{"$set": {"owner": self._owner, "until": until}}]

    async def hold(self, *, noting: bool = False) -> None:
        """Keeps the lease; with `noting`, the positions too. Raises BusyError if it was lost, and maybe the shadow."""
        kept = [[p.topic, p.partition, at] for p, at in self.positions.items()]
        noted: list[Document] = [{"$set": {"positions": {"$literal": kept}}}] if noting else []
        mine = {"_id": _RUN, "owner": self._owner}
        if not (await self._run.update_one(mine, [*self._renewed(), *noted])).matched_count:
            raise BusyError

    async def prepare(self, beginnings: Mapping[TopicPartition, Beginning], ends: Offsets, *, resumed: bool) -> None:
        """Makes it ready to be filled: what is there is gone on with if the topics still have what comes next."""
        goes_on = resumed and all(
            begin.offset <= self.positions.get(p, begin.offset) <= ends[p] for p, begin in beginnings.items()
        )
        if not goes_on:
            await self._empty()
            self.positions = {}
        self.positions = {p: self.positions.get(p, begin.offset) for p, begin in beginnings.items()}
        await mongo.ensure_indexes(self.database, self._plan.indexes)
        await self._seed()
        await self.tombstones.prepare()
        await self.hold(noting=True)

    async def _empty(self) -> None:
        for name in await self.database.list_collection_names():
            if name != self._run.name:
                await self.database[name].delete_many({})

    async def _seed(self) -> None:
        """Whom the service knows to be gone, and what users allow, is known from the start: even if no topic tells."""
        for name in _SEEDED:
            async for document in self._live[name].find():
                await self.database[name].update_one(
                    {"_id": document.pop("_id")}, {"$setOnInsert": document}, upsert=True
                )
                await self._pace.take(1)

    async def drop(self) -> None:
        """Removes it, while the lease is held, so that nobody takes what is left for a whole one."""
        await self.hold()
        await self.database.client.drop_database(self.database)

    async def fill(self, consumer: AIOKafkaConsumer, ends: Offsets, tell: Callable[[int], None]) -> None:
        """Applies everything before `ends`. `tell` is called with the number of records that were read more."""
        most = int(min(_BATCH, max(1, self._pace.rate * LONGEST_SECONDS)))
        while any(self.positions[p] < end for p, end in ends.items()):
            fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=most)
            records = [record for found in fetched.values() for record in found]
            if records:
                await self._settle(Batch.of(self._plan.reader, records))
            for partition in self.positions:
                self.positions[partition] = await consumer.position(partition)
            await self.hold(noting=bool(records))
            tell(len(records))
            await self._pace.take(len(records))

    async def _settle(self, came: Batch) -> None:
        """As `Consumer` does, but nobody else writes here, nobody is told, and poison was a dead letter before."""
        await self._take_note(came.notes)
        ids = self.tombstones.ids(came.users)
        batch, back = await heed(self.tombstones, self._bootstrap_servers, self._plan.reader, came, ids)
        if batch.events:
            await self._plan.apply(batch.events)
        await make_good(self.tombstones, back)

    async def _take_note(self, notes: Sequence[AnyEvent]) -> None:
        for event in notes:
            if isinstance(data := event.data, UserErased):
                await self._erase(data.user_email, microseconds(event.time))
        for event in notes:
            if isinstance(data := event.data, UserRegistered):
                at = microseconds(event.time)
                await self.tombstones.change(data.user_email, lambda known, at=at: known.registered(at))  # type: ignore[misc]

    async def _erase(self, user: str, at: int) -> None:
        if not (await self.tombstones.erased(user, at)).is_done(at):
            await self._plan.erase_shadow({user})
            await self.tombstones.change(user, lambda known: known.carried_out(at))


def expires(plan: Plan, collection: str) -> tuple[str, timedelta] | None:
    """The member and the time after which the database removes documents of the collection, if it does."""
    for index in plan.indexes.get(collection, ()):
        document: dict[str, Any] = index.document
        if seconds := document.get("expireAfterSeconds"):
            (member,) = document["key"]
            return member, timedelta(seconds=seconds)
    return None


def is_expired(document: Document | None, rule: tuple[str, timedelta] | None, now: datetime) -> bool:
    """Whether the database would remove the document in a moment."""
    if document is None or rule is None:
        return False
    at = document.get(rule[0])
    return isinstance(at, datetime) and at < now - rule[1]
