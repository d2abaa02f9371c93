"""What is left of somebody: every document of every collection, and every record of a topic, gone through."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.structs import TopicPartition

from shared.contracts.topics import Topic
from shared.plumbing import mongo
from shared.plumbing.publish import Record
from shared.plumbing.scan import scan
from tests.waiting import eventually


async def traces_in_databases(mongo_url: str, names: Iterable[str], marks: Sequence[str]) -> list[str]:
    """Where a document has one of `marks` anywhere, in any case: `database.collection: number of documents`."""
    client = mongo.connect(mongo_url)
    found = []
    for name in names:
        for collection in await client[name].list_collection_names():
            hits = [document async for document in client[name][collection].find() if _has(document, marks)]
            found += [f"{name}.{collection}: {len(hits)}"] if hits else []
    client.close()
    return found


async def records_of(bootstrap_servers: str, topics: Iterable[Topic]) -> list[Record]:
    """Every record that the topics hold now."""
    return [record async for records in scan(bootstrap_servers, topics) for record in records]


async def is_read(bootstrap_servers: str, group: str, topics: Iterable[Topic]) -> bool:
    """Whether a group has committed all that the topics hold now."""
    ends: dict[TopicPartition, int] = {}
    topics = list(topics)
    for record in await records_of(bootstrap_servers, topics):
        partition = TopicPartition(record.topic, record.partition)
        ends[partition] = max(ends.get(partition, 0), record.offset + 1)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(ends))  # asks the group without joining it
        return all([(await consumer.committed(partition) or 0) >= end for partition, end in ends.items()])
    finally:
        await consumer.stop()


def traces_in_records(records: Iterable[Record], marks: Sequence[str]) -> list[Record]:
    """The records that have one of `marks` anywhere, in any case."""
    return [r for r in records if _has([r.key, r.value, r.headers], marks)]


def _has(thing: Any, marks: Sequence[str]) -> bool:  # Any: BSON
    return any(mark in text for text in _texts(thing) for mark in marks)


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, dict):
        yield from _texts([*thing.keys(), *thing.values()])
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from _texts(part)
    elif isinstance(thing, bytes):
        yield thing.decode(errors="replace").lower()
    else:
        yield str(thing).lower()


async def rewind(bootstrap_servers: str, group: str, topics: Iterable[Topic]) -> None:
    """Has a group begin every topic from the beginning, once its members are gone."""
    topics = list(topics)
    consumer = AIOKafkaConsumer(
        *(topic.name for topic in topics),
        bootstrap_servers=bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        session_timeout_ms=1_500,
        heartbeat_interval_ms=400,
        partition_assignment_strategy=(RangePartitionAssignor,),
    )
    await consumer.start()
    try:
        all_of_them = sum(topic.partitions for topic in topics)
        await eventually(lambda: len(consumer.assignment()) == all_of_them, timeout=60, what="it is the only member")
        await consumer.seek_to_beginning()
        await consumer.commit({partition: await consumer.position(partition) for partition in consumer.assignment()})
    finally:
        await consumer.stop()
