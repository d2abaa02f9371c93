"""What the embedded broker still holds when it is ended: kept in a file, and published again at the next start.

The broker's memory is gone when it stops. So, once the services have left their groups, everything that one of them
has not committed is read back, and with it the dead letters and what operators did about them, which nobody else keeps.
Publishing it again is safe: an event that was stored all the same is known by its identity.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from mycelium.simulator.answers import GROUP as MARKETPLACE_GROUP
from shared.contracts.topics import AUDIT, COMMANDS, EVENT_TOPICS, SERVICES, dead_letters
from shared.plumbing.consumers import stop
from shared.plumbing.publish import Outgoing, Publisher, Record
from shared.plumbing.scan import is_through, partitions_of
from shared.plumbing.settings import KafkaSettings

# Which consumer group has to have read what: without the simulator nobody answers commands, and all of them are kept.
_READ_BY = {service: [topic for topic in EVENT_TOPICS if service in topic.consumers] for service in SERVICES}
_READ_BY[MARKETPLACE_GROUP] = [COMMANDS]

_KEPT = (*map(dead_letters, SERVICES), AUDIT)

_POLL_MS = 100


async def left_in(bootstrap_servers: str) -> list[Record]:
    """The records that a service or the marketplace has still to read, and all dead letters with their audit.

    In order within each partition. Raises aiokafka.errors.KafkaError.
    """
    start = dict.fromkeys(partitions_of(_KEPT), 0)
    for group, topics in _READ_BY.items():
        for partition, offset in (await _committed(bootstrap_servers, group, partitions_of(topics))).items():
            start[partition] = min(offset, start.get(partition, offset))
    return await _read(bootstrap_servers, start)


def is_dead_letter(record: Record) -> bool:
    """Whether the record is one that a service could not use, or says what was done about one."""
    return record.topic in {topic.name for topic in _KEPT}


def save(path: Path, records: Sequence[Record]) -> None:
    """Replaces what the file held, as a whole; only its owner may read it."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.writelines(_line(record) for record in records)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load(path: Path) -> list[bytes]:
    """What was saved last, a record a line. It stays in the file, and is true, until the next `save`."""
    return path.read_bytes().splitlines() if path.exists() else []


async def restore(lines: Sequence[bytes], bootstrap_servers: str) -> None:
    """Publishes what was saved, in its order. Raises aiokafka.errors.KafkaError."""
    if not lines:
        return
    settings = KafkaSettings(kafka_bootstrap_servers=bootstrap_servers, kafka_enable_idempotence=False)
    publisher = Publisher("stack", settings)
    try:
        await publisher.start()
        await publisher.records(map(_outgoing, lines))
    finally:
        await publisher.stop()


async def _committed(
    bootstrap_servers: str, group: str, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(list(partitions))  # asks the group without joining it
        return {partition: await consumer.committed(partition) or 0 for partition in partitions}
    finally:
        await stop(consumer)


async def _read(bootstrap_servers: str, start: dict[TopicPartition, int]) -> list[Record]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    try:
        await consumer.start()
        consumer.assign(list(start))
        for partition, offset in start.items():
            consumer.seek(partition, offset)
        records: list[Record] = []
        while not await is_through(consumer, {}):
            for fetched in (await consumer.getmany(timeout_ms=_POLL_MS)).values():
                records += fetched
        return records
    finally:
        await stop(consumer)


def _line(record: Record) -> bytes:
    headers = [(name, _text(value)) for name, value in record.headers]
    return orjson.dumps(
        {"topic": record.topic, "key": _text(record.key), "value": _text(record.value), "headers": headers},
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _outgoing(line: bytes) -> Outgoing:
    record = orjson.loads(line)
    key, value = _bytes(record["key"]), _bytes(record["value"])
    headers = [(name, _bytes(text)) for name, text in record["headers"]]
    if key is None and value is None:  # the client refuses to send what is as empty as that
        value = b""
    return record["topic"], key, value, headers


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else b64encode(raw).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
