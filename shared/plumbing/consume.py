"""Consuming: at least once in, exactly once in effect.

For every batch, in this order and in one visible place: decode, decide and store, publish, commit. The offsets are
committed per partition and only when all that came before them is safe, so that a crash anywhere means that the batch
comes again; the stores are written so that coming again changes nothing. Who was erased is gone: their tombstones are
read before anything of the batch is stored, and again afterwards, as another process may have erased them meanwhile.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from aiokafka.structs import TopicPartition

from shared.contracts.reading import AnyEvent, Poison, Reader
from shared.contracts.topics import Topic
from shared.contracts.types import Section
from shared.plumbing import consumers, metrics, tracing
from shared.plumbing.batch import Batch, names_the_gone
from shared.plumbing.erasure import Erasure
from shared.plumbing.heed import heed, make_good
from shared.plumbing.logs import get
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.settings import ServiceSettings
from shared.plumbing.tracing import Causes, Following
from shared.plumbing.waiting import set_within

_POLL_MS = 250
_ANSWER_SECONDS = 2
_BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # the last one repeats
_log = get(__name__)


class GaveUpError(Exception):
    """A batch could not be stored for as long as it was allowed to be tried. Nothing of it was committed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the events of a batch, and which sections of whom are new.

    `poison` holds, by their place in the batch, the events that only turned out to be unusable when they were applied.
    """

    applied: int
    duplicates: int
    changed: frozenset[tuple[str, Section]] = frozenset()
    poison: Mapping[int, Poison] = field(default_factory=dict)


Apply = Callable[[Sequence[AnyEvent]], Awaitable[Stored]]


class Consumer:
    """Feeds the events of `topics` to `apply`, batch by batch, as one member of the service's consumer group.

    `reader` has to read erasure.PAYLOADS too. `apply` gets no `user.erased`, and nothing of users who are gone.
    """

    def __init__(
        self,
        service: str,
        settings: ServiceSettings,
        topics: Iterable[Topic],
        reader: Reader,
        apply: Apply,
        publisher: Publisher,
        erasure: Erasure,
    ) -> None:
        self._service = service
        self._settings = settings
        self._topics = [topic.name for topic in topics]
        self._reader = reader
        self._apply = apply
        self._publisher = publisher
        self._erasure = erasure
        self._stopping = asyncio.Event()
        self._kafka: AIOKafkaConsumer | None = None
        self._in_flight = 0
        self._processed = self._seen = 0
        self._fault: str | None = None

    async def run(self) -> None:
        """Consumes until `stop`. Waits out a broker that is away; raises GaveUpError when a batch cannot be stored."""
        delays = _Delays()
        while not self._stopping.is_set():
            try:
                await self._as_member_of_the_group(delays)
            except KafkaError as error:
                self._fault = "the broker does not answer"
                _log.warning("broker_away", error=type(error).__name__)
                await delays.wait(self._stopping)

    def stop(self) -> None:
        """Ends `run` once the batch in hand is finished or given back."""
        self._stopping.set()

    async def _as_member_of_the_group(self, delays: "_Delays") -> None:
        kafka = AIOKafkaConsumer(
            *self._topics,
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            group_id=self._service,
            client_id=self._service,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=self._settings.kafka_session_timeout_ms,
            heartbeat_interval_ms=self._settings.kafka_heartbeat_interval_ms,
        )
        try:
            await kafka.start()
            self._kafka, self._fault = kafka, None
            delays.reset()
            while not self._stopping.is_set():
                fetched = await kafka.getmany(timeout_ms=_POLL_MS, max_records=self._settings.batch_max_records)
                if fetched:
                    await self._process(kafka, fetched)
        finally:
            self._kafka, self._in_flight = None, 0
            await consumers.stop(kafka)

    async def _process(self, kafka: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[Record]]) -> None:
        started = time.perf_counter()
        self._in_flight = sum(len(records) for records in fetched.values())
        with tracing.current().batch(self._service, self._in_flight) as following:
            if not await self._consume(kafka, fetched, following):
                return
        metrics.BATCH_RECORDS.observe(self._in_flight)
        metrics.BATCH_SECONDS.observe(time.perf_counter() - started)
        self._processed += self._in_flight
        self._in_flight = 0

    async def _consume(
        self, kafka: AIOKafkaConsumer, fetched: Mapping[TopicPartition, Sequence[Record]], following: Following
    ) -> bool:
        """The four steps; False if the process is to stop before they could be done."""
        batch = Batch.of(self._reader, (record for records in fetched.values() for record in records))
        causes = following.causes(batch)
        if not await self._until_it_succeeds(lambda attempt: self._settle(batch, causes, attempt)):
            return False
        await self._commit(kafka, {partition: records[-1].offset + 1 for partition, records in fetched.items()})
        return True

    async def _settle(self, came: Batch, causes: Causes, attempt: int) -> None:
        with tracing.current().step("store"):
            await self._erasure.take_note(came.notes)
            ids = self._erasure.ids(came.users, (record for record, _ in came.poison))
            tombstones, bootstrap_servers = self._erasure.tombstones, self._settings.kafka_bootstrap_servers
            batch, back = await heed(tombstones, bootstrap_servers, self._reader, came, ids)
            stored = await self._apply(batch.events) if batch.events else Stored(0, 0)
            now = datetime.now(UTC)
            gone = await self._erasure.erase_what_slipped_in(ids)
        with tracing.current().step("publish"):
            unusable = [*batch.poison, *((batch.records[place], why) for place, why in stored.poison.items())]
            await self._publisher.dead_letters([p for p in unusable if not names_the_gone(p[0], gone)], attempt)
            if unusable or attempt > 1:
                await self._erasure.remove_dead_letters_of_the_gone(ids)
            await self._publisher.sections_changed((c for c in stored.changed if c[0] not in gone), now, causes)
        await make_good(tombstones, back)
        _count(batch, stored, now)

    async def _until_it_succeeds(self, work: Callable[[int], Awaitable[None]]) -> bool:
        """False if the process is to stop before the work could be done; the batch then stays uncommitted."""
        delays, give_up_at, attempt = _Delays(), time.monotonic() + self._settings.give_up_after_seconds, 1
        while True:
            try:
                await work(attempt)
            except Exception as error:
                self._fault = "a batch cannot be stored yet"
                _log.warning("batch_failed", attempt=attempt, exc_info=error)
                if time.monotonic() > give_up_at:
                    raise GaveUpError from error
            else:
                self._fault = None
                return True
            attempt += 1
            metrics.BATCH_RETRIES.inc()
            if await delays.wait(self._stopping):
                return False

    async def _commit(self, kafka: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
        """A partition that was taken away meanwhile is its new owner's to commit; its records change nothing there."""
        try:
            with tracing.current().step("commit"):
                await kafka.commit(offsets)
        except (CommitFailedError, IllegalStateError) as error:
            _log.info("commit_after_rebalance", error=type(error).__name__)

    async def lag(self) -> int | None:
        """Records on the held partitions that are not committed yet; None while that cannot be known."""
        behind = await self._behind()
        metrics.LAG.set(math.nan if behind is None else behind)
        metrics.PARTITIONS.set(len(self._kafka.assignment()) if self._kafka else 0)
        return behind

    async def _behind(self) -> int | None:
        kafka = self._kafka
        if kafka is None or not kafka.assignment():
            return None
        behind = self._in_flight
        try:
            async with asyncio.timeout(1):
                for partition in kafka.assignment():
                    end = kafka.highwater(partition)
                    if end is None:
                        return None
                    behind += max(0, end - await kafka.position(partition))
        except (TimeoutError, KafkaError):
            return None
        return behind

    async def is_stuck(self) -> bool:
        """Whether this member holds nothing or does not move, though there is a broker and no fault to wait out.

        Compares with the previous call: call it about once a second.
        """
        moved, self._seen = self._seen != self._processed, self._processed
        if (kafka := self._kafka) is None or self._fault:
            return False
        idle = not kafka.assignment() or (not moved and bool(await self.lag()))
        return idle and await _answers(kafka)

    async def trouble(self) -> str | None:
        """Why this member cannot do its work right now, in plain words; None if it can."""
        kafka = self._kafka
        if self._fault or kafka is None:
            return self._fault or "not connected yet"
        if not await _answers(kafka):
            return "the broker does not answer"
        return None if kafka.assignment() else "no partition is assigned"


async def _answers(kafka: AIOKafkaConsumer) -> bool:
    """Whether there is a broker."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            await kafka.topics()
    except (TimeoutError, KafkaError):
        return False
    return True


class _Delays:
    """Bounded back-off: a little longer each time, until the last step, which repeats."""

    def __init__(self) -> None:
        self._step = 0

    def reset(self) -> None:
        self._step = 0

    async def wait(self, unless: asyncio.Event) -> bool:
        """Waits for the next delay. True, and at once, if `unless` is set meanwhile."""
        delay = _BACK_OFF_SECONDS[min(self._step, len(_BACK_OFF_SECONDS) - 1)]
        self._step += 1
        return await set_within(unless, delay)


def _count(batch: Batch, stored: Stored, now: datetime) -> None:
    metrics.RECORDS.labels("applied").inc(stored.applied)
    metrics.RECORDS.labels("duplicate").inc(stored.duplicates)
    metrics.RECORDS.labels("ignored").inc(batch.ignored)
    metrics.RECORDS.labels("gone").inc(batch.gone)
    metrics.RECORDS.labels("poison").inc(len(batch.poison) + len(stored.poison))
    if batch.events:
        oldest = min(event.time for event in batch.events)
        metrics.FRESHNESS_SECONDS.observe(max(0.0, (now - oldest).total_seconds()))
