"""What is on the topics, read beside everybody else: where the groups are, and what became of the hostile records."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from shared.contracts.topics import EVENT_TOPICS, SERVICES, dead_letters
from shared.plumbing import consumers
from shared.plumbing.publish import Record
from shared.plumbing.scan import partitions_of, scan
from tests.chaos.load import Outgoing

_REQUEST_MS: Final = 10_000
_ADDED: Final = 7  # headers that a dead letter has besides those of the record


class Letter(NamedTuple):
    """A dead letter: the record as it was, where it says that it came from, and why it is here."""

    record: Outgoing
    came_from: tuple[TopicPartition, int]
    reason: str


@dataclass(frozen=True)
class Snapshot:
    """What a broker held: `found` has where each hostile record is, `letters` are those of each service.

    `committed` is how far each service's group says that it has come, on the partitions that it reads, and `ends` how
    far it could have come.
    """

    committed: Mapping[str, Mapping[TopicPartition, int]]
    ends: Mapping[TopicPartition, int]
    found: Mapping[tuple[TopicPartition, int], Outgoing]
    letters: Mapping[str, list[Letter]]

    @property
    def stored_up_to(self) -> dict[TopicPartition, int]:
        """How far every service has come that reads a partition."""
        least: dict[TopicPartition, int] = {}
        for offsets in self.committed.values():
            for partition, offset in offsets.items():
                least[partition] = min(offset, least.get(partition, offset))
        return least

    @property
    def all_is_stored(self) -> bool:
        """Whether every service has committed all that there is for it."""
        return all(offset >= self.ends[p] for offsets in self.committed.values() for p, offset in offsets.items())

    def has_committed(self, service: str, place: tuple[TopicPartition, int]) -> bool:
        """Whether the service says that it is done with the record at that place."""
        partition, offset = place
        return offset < self.committed[service].get(partition, 0)


async def snapshot(kafka: str, bad: Iterable[Outgoing]) -> Snapshot:
    """The positions first: what was committed by then is a dead letter by now. Raises KafkaError."""
    wanted, found = set(bad), dict[tuple[TopicPartition, int], Outgoing]()
    committed = {service: await _committed(kafka, service) for service in SERVICES}
    ends = dict[TopicPartition, int]()
    async for records in scan(kafka, EVENT_TOPICS, ends):
        for record in records:
            if (outgoing := _as_sent(record.topic, record, record.headers)) in wanted:
                found[TopicPartition(record.topic, record.partition), record.offset] = outgoing
    letters = {
        service: [_letter(record) async for records in scan(kafka, [dead_letters(service)]) for record in records]
        for service in SERVICES
    }
    return Snapshot(committed, ends, found, letters)


def _as_sent(topic: str, record: Record, headers: Iterable[tuple[str, bytes]]) -> Outgoing:
    return Outgoing(topic, record.key, record.value, tuple((name, value) for name, value in headers))


def _letter(record: Record) -> Letter:
    said = dict(record.headers[-_ADDED:])
    topic = said["dlq_topic"].decode()
    place = (TopicPartition(topic, int(said["dlq_partition"])), int(said["dlq_offset"]))
    return Letter(_as_sent(topic, record, record.headers[:-_ADDED]), place, said["dlq_reason"].decode())


async def _committed(kafka: str, service: str) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=service, enable_auto_commit=False, request_timeout_ms=_REQUEST_MS
    )
    await consumer.start()
    try:
        partitions = partitions_of(topic for topic in EVENT_TOPICS if service in topic.consumers)
        consumer.assign(partitions)  # asks the group without joining it
        return {partition: await consumer.committed(partition) or 0 for partition in partitions}
    finally:
        await consumers.stop(consumer)
