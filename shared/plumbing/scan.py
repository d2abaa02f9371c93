"""Reading topics from their beginning to the end that they have now, without a group."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.structs import TopicPartition

from shared.contracts.topics import EVENT_TOPICS, Topic
from shared.plumbing.consumers import stop
from shared.plumbing.publish import Record

Ends = dict[TopicPartition, int]
_POLL_MS = 100
_FETCH_BYTES = 65_536
_PLACES_SECONDS = 20


async def scan(
    bootstrap_servers: str, topics: Iterable[Topic], ends: Ends | None = None
) -> AsyncIterator[list[Record]]:
    """All records up to `ends`, which is filled in where it is empty, in order within each partition.

    A topic that does not exist yet has none. Raises aiokafka.errors.KafkaError.
    """
    ends = {} if ends is None else ends
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    try:
        await consumer.start()
        existing = await consumer.topics()
        partitions = partitions_of(topic for topic in topics if topic.name in existing)
        if not partitions:
            return
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while not await is_through(consumer, ends):
            fetched = await consumer.getmany(timeout_ms=_POLL_MS)
            if records := [r for p, found in fetched.items() for r in found if r.offset < ends.get(p, r.offset + 1)]:
                yield records
        ends.update({partition: await consumer.position(partition) for partition in partitions} | ends)
    finally:
        await stop(consumer)


async def records_at(bootstrap_servers: str, places: Iterable[tuple[str, int, int]]) -> list[Record]:
    """The records at these places (topic, partition, offset), in their order; but for those that are no longer there.

    Raises aiokafka.errors.KafkaError, also if it takes more than 20 seconds.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,  # of each fetch only the first record is wanted, however large it is
    )
    try:
        async with asyncio.timeout(_PLACES_SECONDS):
            await consumer.start()
            existing = await consumer.topics()
            there = {partition for partition in partitions_of(EVENT_TOPICS) if partition.topic in existing}
            every = [(TopicPartition(topic, number), offset) for topic, number, offset in sorted(places)]
            wanted = [(partition, offset) for partition, offset in every if partition in there]
            consumer.assign({partition for partition, _ in wanted})
            return [record for place in wanted for record in await _at(consumer, *place)]
    except TimeoutError:
        raise KafkaTimeoutError from None
    finally:
        await stop(consumer)


async def _at(consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int) -> list[Record]:
    """One record, or none: a retention has removed it, or the broker has forgotten it."""
    end = consumer.highwater(partition)
    if end is not None and offset >= end:
        return []
    consumer.seek(partition, offset)
    while True:
        fetched = await consumer.getmany(partition, timeout_ms=_POLL_MS, max_records=1)
        if records := fetched.get(partition):
            return [record for record in records if record.offset == offset]
        end = consumer.highwater(partition)
        if end is not None and await consumer.position(partition) >= end:
            return []


def partitions_of(topics: Iterable[Topic]) -> list[TopicPartition]:
    """Every partition of the topics, as they are declared."""
    return [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]


async def is_through(consumer: AIOKafkaConsumer, ends: Ends) -> bool:
    """Whether the consumer has come to the `ends`; to those that its partitions have now where none is given.

    The end of a partition is known once something, or nothing, was fetched from it.
    """
    for partition in consumer.assignment():
        end = ends.get(partition, consumer.highwater(partition))
        if end is None or await consumer.position(partition) < end:
            return False
    return True
