"""Rebuilding a projection beside the live one, without a moment of emptiness.

1. A shadow database is filled from the topics.
2. It is compared with the live one, document by document.
3. What differs is put right in the live database, one document at a time. A document is written only if it is still
   exactly as it was read, and only once the shadow has seen everything that was published by then. So whatever was in
   it is in what takes its place, and the service, which goes on meanwhile, loses nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from aiokafka import AIOKafkaConsumer
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from shared.contracts.topics import LEGACY
from shared.plumbing.erasure import erase_again
from shared.plumbing.mongo import DUPLICATE_KEY, Client, Database, Document
from shared.plumbing.rebuild_parts import Expected, Pair, Part
from shared.plumbing.rebuild_report import Counts, NotRebuildableError, Report
from shared.plumbing.rebuild_shadow import (
    LONGEST_SECONDS,
    BusyError,
    Pace,
    Plan,
    Shadow,
    database_of,
    expires,
    is_expired,
)
from shared.plumbing.rebuild_topics import Offsets, Topics, reach
from shared.plumbing.tombstones import Tombstone, Tombstones

__all__ = ["BusyError", "Counts", "NotRebuildableError", "Phase", "Plan", "Rebuild", "Report", "Tell"]

_PAGE: Final = 1_000
_ROUNDS: Final = 20
_AGAIN_SECONDS: Final = 0.5
_SERVICE_SECONDS: Final = 10  # for the service to read what the shadow has read, before that is called a difference

Phase = Literal["filling", "comparing", "switching"]
Tell = Callable[[Phase, int, int], None]  # how many of how many records or documents


class _Seen(NamedTuple):
    id: Any  # an _id
    live: Document | None
    shadow: Document | None
    expected: Expected


class Rebuild:
    """Rebuilds one service; `rate` is how many records or documents it may work on in a second."""

    def __init__(self, plan: Plan, bootstrap_servers: str, client: Client, rate: float, tell: Tell) -> None:
        self._plan = plan
        self._live: Database = client[plan.service]
        self._pace = Pace(rate)
        self._shadow = Shadow(plan, self._live, database_of(client, plan.service), self._pace)
        self._topics = Topics(bootstrap_servers, plan.topics, plan.service)
        self._tombstones = Tombstones(self._live)
        self._tell = tell
        self._kept_for_long = [topic for topic in plan.topics if topic is not LEGACY]
        self._page_size = int(min(_PAGE, max(1, rate * LONGEST_SECONDS)))
        self._untold = self._told = 0
        self._service_reads = True
        self._consumer: AIOKafkaConsumer | None = None

    async def run(self, *, dry_run: bool) -> Report:
        """Fills, compares and, unless it is a dry run, switches.

        Raises NotRebuildableError, BusyError, pymongo.errors.PyMongoError or aiokafka.errors.KafkaError; it may then be
        called again, and goes on.
        """
        resumed = await self._shadow.take()
        await self._tombstones.prepare()
        beginnings = await self._topics.beginnings()
        ends = await self._topics.ends({p: begin.offset for p, begin in beginnings.items()})
        await self._shadow.prepare(beginnings, ends, resumed=resumed)
        async with self._topics.reading(self._shadow.positions) as self._consumer:
            await self._fill(ends)
            # now, not before: what a retention has removed meanwhile may not have been read
            self._reach = reach(await self._topics.beginnings(), self._kept_for_long, datetime.now(UTC))
            found = await self._pass("comparing", switch=False)
            await self._refuse_unless_it_can_be_told()
            left = None if dry_run else await self._pass("switching", switch=True)
        await self._shadow.drop()
        return Report(found, left, self._reach, resumed)

    async def _refuse_unless_it_can_be_told(self) -> None:
        """Where a retention has passed, it is known what is missing, and it is kept. Else the topics are others."""
        if not self._reach.cut and self._untold > self._told:
            await self._shadow.drop()
            oldest = datetime.fromtimestamp(self._reach.oldest / 1_000_000, UTC)
            raise NotRebuildableError(oldest, self._untold, self._told)

    async def _fill(self, ends: Offsets) -> None:
        done = sum(self._shadow.positions.values())
        total = sum(ends.values()) - done
        read = 0

        def more(records: int) -> None:
            nonlocal read
            read += records
            self._tell("filling", read, max(total, read))

        assert self._consumer is not None  # noqa: S101  (`run` made it)
        await self._shadow.fill(self._consumer, ends, more)

    async def _catch_up(self) -> None:
        """Makes the shadow know everything that was published before this call, and gives the service time to."""
        ends = await self._topics.ends(self._shadow.positions)
        assert self._consumer is not None  # noqa: S101  (`run` made it)
        await self._shadow.fill(self._consumer, ends, lambda _: None)
        if self._service_reads:
            self._service_reads = await self._service_comes_to(ends)

    async def _service_comes_to(self, ends: Offsets) -> bool:
        """Whether the service has stored everything before `ends`, or is at least on its way."""
        assert self._consumer is not None  # noqa: S101  (`run` made it)
        behind: list[int] = []
        for _ in range(int(_SERVICE_SECONDS / _AGAIN_SECONDS)):
            at = {partition: await self._consumer.committed(partition) or 0 for partition in ends}
            behind.append(sum(max(0, end - at[partition]) for partition, end in ends.items()))
            if not behind[-1]:
                return True
            await self._shadow.hold()
            await asyncio.sleep(_AGAIN_SECONDS)
        return behind[-1] < behind[0]

    async def _pass(self, phase: Phase, *, switch: bool) -> dict[str, Counts]:
        found = {part.collection: Counts() for part in self._plan.parts}
        total = sum([await self._live[part.collection].estimated_document_count() for part in self._plan.parts])
        done = 0
        for part in self._plan.parts:
            async for where in self._pages(part):
                counts = found[part.collection]
                looked_at = await self._page(part, where, counts, switch=switch)
                done += looked_at
                self._tell(phase, done, max(total, done))
                await self._shadow.hold()
                await self._pace.take(looked_at)
        return found

    async def _pages(self, part: Part) -> AsyncIterator[Document]:
        """Queries that together match every document of both databases once, in the order of the ids."""
        after: Document = {}
        while True:
            found = [
                [d["_id"] for d in await self._ids(database, part, after)]
                for database in (self._live, self._shadow.database)
            ]
            last = min((ids[-1] for ids in found if len(ids) == self._page_size), default=None)
            if last is None:
                yield {"_id": after} if after else {}
                return
            yield {"_id": {**after, "$lte": last}}
            after = {"$gt": last}

    async def _ids(self, database: Database, part: Part, after: Document) -> list[Document]:
        where = {"_id": after} if after else {}
        return await database[part.collection].find(where, {"_id": 1}).sort("_id", 1).to_list(self._page_size)

    async def _page(self, part: Part, where: Document, counts: Counts, *, switch: bool) -> int:
        """Compares, and with `switch` puts right; how many documents there were."""
        every = await self._look(part, where)
        settled = [seen for seen in every if part.is_same(seen.live, seen.expected.document)]
        for seen in settled:
            self._count_equal(seen, counts, switch=switch)
        if switch:
            await self._plan.written(part.collection, [Pair(s.live, s.live) for s in settled if s.live])
        left = {seen.id for seen in every} - {seen.id for seen in settled}
        for turn in range(_ROUNDS):
            if not left:
                break
            if turn:
                await asyncio.sleep(_AGAIN_SECONDS)
            left = await self._work_on(part, left, counts, switch=switch)
        for id in left:  # noqa: A001
            counts.note("changing", part, id)
        return len(every)

    def _count_equal(self, seen: _Seen, counts: Counts, *, switch: bool) -> None:
        counts.equal += seen.live is not None
        counts.kept += seen.expected.is_old
        if not switch:
            self._weigh(seen)

    def _weigh(self, seen: _Seen) -> None:
        """How much of what the service has the topics can tell."""
        if seen.live is not None:
            self._told += seen.shadow is not None
            self._untold += seen.shadow is None and seen.expected.is_old

    async def _look(self, part: Part, where: Document) -> list[_Seen]:
        """Every document with what it should be."""
        live = await self._read(self._live, part, where)
        return self._seen(part, live, await self._read(self._shadow.database, part, where))

    def _seen(self, part: Part, live: Mapping[Any, Document], shadow: Mapping[Any, Document]) -> list[_Seen]:
        rule, now = expires(self._plan, part.collection), datetime.now(UTC)
        seen = []
        for id in {**live, **shadow}:  # noqa: A001
            one, other = live.get(id), shadow.get(id)
            if is_expired(one, rule, now) or is_expired(other, rule, now):
                continue
            seen.append(_Seen(id, one, other, part.expect(one, other, self._reach.oldest)))
        return seen

    async def _read(self, database: Database, part: Part, where: Document) -> dict[Any, Document]:
        return {d["_id"]: d for d in await database[part.collection].find(where).to_list(None)}

    async def _work_on(self, part: Part, ids: Collection[Any], counts: Counts, *, switch: bool) -> set[Any]:
        """Settles those of the documents that did not change meanwhile; the others."""
        where = {"_id": {"$in": list(ids)}}
        live = await self._read(self._live, part, where)
        await self._catch_up()
        now = await self._read(self._live, part, where)
        shadow = await self._read(self._shadow.database, part, where)
        every = self._seen(part, live, shadow)
        later = {key for key in ids if live.get(key) != now.get(key) or (now.get(key) or {}).get("outbox")}
        later |= await self._whose_leaving_is_not_settled(part, every)
        every = [seen for seen in every if seen.id not in later]
        wrong = [seen for seen in every if not part.is_same(seen.live, seen.expected.document)]
        surplus = await part.surplus(
            [Pair(s.live, s.shadow).either for s in wrong if s.live is None or s.shadow is None]
        )
        wrong = [seen for seen in wrong if seen.id not in surplus]
        for seen in every:
            if part.is_same(seen.live, seen.expected.document):
                self._count_equal(seen, counts, switch=switch)
        if switch and wrong:
            late = await self._put_right(part, wrong)
            later |= late
            wrong = [seen for seen in wrong if seen.id not in late]
        for seen in wrong:
            what: Literal["missing", "extra", "different"]
            what = "missing" if seen.live is None else "extra" if seen.expected.document is None else "different"
            counts.note(what, part, seen.id)
            counts.kept += seen.expected.is_old
            if not switch:
                self._weigh(seen)
        return later

    async def _put_right(self, part: Part, wrong: Sequence[_Seen]) -> set[Any]:
        """Writes what is still as it was read; the ids of what was not."""
        await part.complete([document for seen in wrong if (document := seen.expected.document)])
        pairs = [Pair(seen.live, seen.expected.document) for seen in wrong]
        await self._plan.written(part.collection, pairs)  # before, too: if this ends in between, nothing is forgotten
        await self._shadow.hold()
        late = await self._write(part, wrong)
        done = [pair for seen, pair in zip(wrong, pairs, strict=True) if seen.id not in late]
        await self._plan.written(part.collection, done)
        await self._erase_the_gone(part, [pair.either for pair in done])
        return late

    async def _write(self, part: Part, wrong: Sequence[_Seen]) -> set[Any]:
        collection = self._live[part.collection]
        try:
            await collection.bulk_write([_change(seen) for seen in wrong], ordered=False)
        except BulkWriteError as error:
            if any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise
        where = {"_id": {"$in": [seen.id for seen in wrong]}}
        now = await self._read(self._live, part, where)
        return {seen.id for seen in wrong if not part.is_same(now.get(seen.id), seen.expected.document)}

    async def _tombstones_of(self, part: Part, documents: Iterable[Document]) -> Mapping[str, Tombstone]:
        users = {user for document in documents if (user := part.whose(document))}
        return await self._tombstones.of(self._tombstones.ids(users))

    async def _whose_leaving_is_not_settled(self, part: Part, every: Sequence[_Seen]) -> set[Any]:
        """The documents of users of whose leaving or coming back only one of the two databases has heard."""
        whose = {seen.id: part.whose(Pair(seen.live, seen.shadow).either) for seen in every}
        users = {user for user in whose.values() if user}
        live = await self._tombstones.of(self._tombstones.ids(users))
        shadow = await self._shadow.tombstones.of(self._shadow.tombstones.ids(users))
        unsure = {user for user in live.keys() | shadow.keys() if _told(live.get(user)) != _told(shadow.get(user))}
        return {key for key, user in whose.items() if user in unsure}

    async def _erase_the_gone(self, part: Part, documents: Iterable[Document]) -> None:
        """As every writer does: whoever was erased while something of theirs was written is erased again."""
        for user, tombstone in (await self._tombstones_of(part, documents)).items():
            if tombstone.is_gone:
                await erase_again(self._tombstones, self._plan.erase, user)


def _told(tombstone: Tombstone | None) -> tuple[int, int | None] | None:
    return (tombstone.erased_at, tombstone.registered_at) if tombstone else None


def _change(seen: _Seen) -> InsertOne[Document] | ReplaceOne[Document] | DeleteOne:
    """Takes effect only on the document that was read, down to the last member."""
    document = seen.expected.document
    if seen.live is None:
        assert document is not None  # noqa: S101  (else there would be no difference)
        return InsertOne(document)
    as_read = {"_id": seen.id, "$expr": {"$eq": ["$$ROOT", {"$literal": seen.live}]}}
    return DeleteOne(as_read) if document is None else ReplaceOne(as_read, document)
