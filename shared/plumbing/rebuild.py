"""Rebuilding a projection beside the live one, without a moment of emptiness.

1. A shadow database is filled from the topics.
2. It is compared with the live one, document by document.
3. What differs is put right in the live database, one document at a time. A document is written only if it is still
   exactly as it was read, and only once the shadow has seen everything that was published by then. So whatever was in
   it is in what takes its place, and the service, which goes on meanwhile, loses nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import LEGACY
from shared.plumbing.mongo import Client, Database, Document
from shared.plumbing.publish import Publisher
from shared.plumbing.rebuild_documents import Documents, Seen
from shared.plumbing.rebuild_parts import Part
from shared.plumbing.rebuild_report import Counts, NotRebuildableError, Report
from shared.plumbing.rebuild_shadow import LONGEST_SECONDS, BusyError, Pace, Plan, Shadow, database_of
from shared.plumbing.rebuild_topics import Offsets, Topics, reach

__all__ = ["BusyError", "Counts", "NotRebuildableError", "Phase", "Plan", "Rebuild", "Report", "Tell"]

_PAGE: Final = 1_000
_ROUNDS: Final = 20
_AGAIN_SECONDS: Final = 0.05  # longer by as much with each round
_SERVICE_SECONDS: Final = 10  # for the service to read what the shadow has read, before that is called a difference
_SERVICE_POLL_SECONDS: Final = 0.1

Phase = Literal["filling", "comparing", "switching"]
Tell = Callable[[Phase, int, int], None]  # how many of how many records or documents


class Rebuild:
    """Rebuilds one service; `rate` is how many records or documents it may work on in a second.

    `publisher`, which is connected, tells the gateways whose documents were put right.
    """

    def __init__(
        self, plan: Plan, bootstrap_servers: str, client: Client, publisher: Publisher, rate: float, tell: Tell
    ) -> None:
        self._plan = plan
        self._live: Database = client[plan.service]
        self._pace = Pace(rate)
        self._shadow = Shadow(plan, bootstrap_servers, self._live, database_of(client, plan.service), self._pace)
        self._documents = Documents(plan, self._live, self._shadow, publisher)
        self._topics = Topics(bootstrap_servers, plan.topics, plan.service)
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
        await self._documents.prepare()
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

    async def _catch_up(self) -> Offsets:
        """Makes the shadow know everything that was published before this call; the ends of the topics then."""
        ends = await self._topics.ends(self._shadow.positions)
        assert self._consumer is not None  # noqa: S101  (`run` made it)
        await self._shadow.fill(self._consumer, ends, lambda _: None)
        return ends

    async def _wait_for_the_service(self, ends: Offsets) -> None:
        """Gives the service time to store everything before `ends`; none any more once it made no use of it."""
        assert self._consumer is not None  # noqa: S101  (`run` made it)
        behind: list[int] = []
        for _ in range(int(_SERVICE_SECONDS / _SERVICE_POLL_SECONDS) if self._service_reads else 0):
            at = {partition: await self._consumer.committed(partition) or 0 for partition in ends}
            behind.append(sum(max(0, end - at[partition]) for partition, end in ends.items()))
            if not behind[-1]:
                return
            await self._shadow.hold()
            await asyncio.sleep(_SERVICE_POLL_SECONDS)
        self._service_reads = bool(behind) and behind[-1] < behind[0]

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
        live = await self._documents.live(part, where)
        every = await self._documents.beside(part, where, live, self._reach.oldest)
        settled = [seen for seen in every if seen.is_right]
        self._count_right(settled, counts, switch=switch)
        if switch:
            await self._documents.follow(part, settled)
        left = {seen.id for seen in every} - {seen.id for seen in settled}
        for turn in range(_ROUNDS):
            if not left:
                break
            await asyncio.sleep(turn * _AGAIN_SECONDS)
            left = await self._work_on(part, left, counts, switch=switch)
        for id in left:  # noqa: A001
            counts.note("changing", part, id)
        return len(every)

    async def _work_on(self, part: Part, ids: Collection[Any], counts: Counts, *, switch: bool) -> set[Any]:
        """Settles those of the documents that are right, or wrong and at rest; the others.

        What was read before the ends of the topics were asked is made of events before them, which the shadow has by
        the time that it is read. What is still as it was read when the service has come there too is really wrong.
        """
        where = {"_id": {"$in": list(ids)}}
        live = await self._documents.live(part, where)
        ends = await self._catch_up()
        every = await self._documents.beside(part, where, live, self._reach.oldest)
        self._count_right([seen for seen in every if seen.is_right], counts, switch=switch)
        wrong = [seen for seen in every if not seen.is_right]
        if not wrong:
            return set()
        await self._wait_for_the_service(ends)
        later = await self._documents.restless(part, wrong)
        wrong = [seen for seen in wrong if seen.id not in later]
        surplus = await self._documents.surplus(part, wrong)
        wrong = [seen for seen in wrong if seen.id not in surplus]
        if switch and wrong:
            late = await self._documents.put_right(part, wrong)
            later |= late
            wrong = [seen for seen in wrong if seen.id not in late]
        self._count_wrong(wrong, counts, switch=switch)
        return later

    def _count_right(self, right: Sequence[Seen], counts: Counts, *, switch: bool) -> None:
        for seen in right:
            counts.equal += seen.live is not None
            counts.kept += seen.expected.is_old
            if not switch:
                self._weigh(seen)

    def _count_wrong(self, wrong: Sequence[Seen], counts: Counts, *, switch: bool) -> None:
        for seen in wrong:
            what: Literal["missing", "extra", "different"]
            what = "missing" if seen.live is None else "extra" if seen.expected.document is None else "different"
            counts.note(what, seen.part, seen.id, seen.part.differing(seen.live, seen.expected.document))
            counts.kept += seen.expected.is_old
            if not switch:
                self._weigh(seen)

    def _weigh(self, seen: Seen) -> None:
        """How much of what the service has the topics can tell."""
        if seen.live is not None:
            self._told += seen.shadow is not None
            self._untold += seen.shadow is None and seen.expected.is_old
