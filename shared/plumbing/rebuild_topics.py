"""Rebuilding: the topics as they are, without being a member of any group."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from shared.contracts.times import microseconds
from shared.contracts.topics import Topic
from shared.plumbing.consumers import stop
from shared.plumbing.publish import Record
from shared.plumbing.scan import partitions_of

Offsets = dict[TopicPartition, int]
_POLL_MS = 100


class Beginning(NamedTuple):
    """The first record that a partition still has: its offset, and when it was published (microseconds since 1970).

    `at` is None where there is no record at all; `offset` is then where the next one will be.
    """

    offset: int
    at: int | None


class Topics:
    """Some topics of one broker. Every method raises aiokafka.errors.KafkaError where it does not answer."""

    def __init__(self, bootstrap_servers: str, topics: Iterable[Topic], group: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topics = list(topics)
        self._group = group
        self.partitions: list[TopicPartition] = []

    @asynccontextmanager
    async def reading(
        self, start: Mapping[TopicPartition, int] | None = None, wait_ms: int = _POLL_MS
    ) -> AsyncIterator[AIOKafkaConsumer]:
        """A consumer of all partitions, at `start` or else at their beginning. It joins no group and commits nothing.

        Where there is nothing more to read the broker says so after `wait_ms`.

        Its group is the service's, so that it can be asked what the service has committed.
        """
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap_servers,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=wait_ms,
        )
        try:
            await consumer.start()
            existing = await consumer.topics()
            self.partitions = partitions_of(topic for topic in self._topics if topic.name in existing)
            consumer.assign(self.partitions)
            if start is None:
                await consumer.seek_to_beginning(*self.partitions)
            for partition, offset in (start or {}).items():
                consumer.seek(partition, offset)
            yield consumer
        finally:
            await stop(consumer)

    async def beginnings(self) -> dict[TopicPartition, Beginning]:
        """The first record of each partition."""
        async with self.reading() as consumer:
            return await _first(consumer)

    async def ends(self, near: Offsets) -> Offsets:
        """Where the next record of each partition will be: nothing that was published before this call is behind it.

        `near` are places in the partitions, best at their ends. A connection of its own, so that no answer is older
        than the question; and the end is what comes with what was fetched, because that is right on every broker.
        """
        async with self.reading(near, wait_ms=1) as consumer:
            found: Offsets = {}
            while len(found) < len(self.partitions):
                await consumer.getmany(timeout_ms=_POLL_MS)
                found |= {p: end for p in self.partitions if (end := consumer.highwater(p)) is not None}
            return found


async def _first(consumer: AIOKafkaConsumer) -> dict[TopicPartition, Beginning]:
    found: dict[TopicPartition, Beginning] = {}
    while waiting := consumer.assignment() - found.keys():
        for partition, records in (await consumer.getmany(timeout_ms=_POLL_MS, max_records=100)).items():
            record: Record = records[0]
            found.setdefault(partition, Beginning(record.offset, max(0, record.timestamp) * 1_000))
            consumer.pause(partition)
        for partition in waiting - found.keys():
            end = consumer.highwater(partition)
            if end is not None and await consumer.position(partition) >= end:
                found[partition] = Beginning(end, None)
    return found


class Reach(NamedTuple):
    """What the topics can tell. `oldest` (microseconds since 1970): every event published since then is in them.

    `cut` are the topics whose first records are gone: their retention has passed.
    """

    oldest: int
    cut: tuple[str, ...]


def reach(beginnings: Mapping[TopicPartition, Beginning], topics: Iterable[Topic], now: datetime) -> Reach:
    """How far back the topics go.

    A partition that begins with its first record goes back to when the topics were made, which is when the first record
    of all was published: one broker loses all topics together. One that begins later goes back to its first record.
    """
    by_time = {topic.name for topic in topics if topic.retention is not None}
    counted = {p: begin for p, begin in beginnings.items() if p.topic in by_time}
    made = min((begin.at for begin in counted.values() if begin.at is not None), default=microseconds(now))
    cut = {p: begin for p, begin in counted.items() if begin.offset > 0}
    oldest = max([made, *(microseconds(now) if begin.at is None else begin.at for begin in cut.values())])
    return Reach(oldest, tuple(sorted({p.topic for p in cut})))
