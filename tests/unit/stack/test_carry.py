"""What is carried from one embedded broker to the next."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition

from mycelium.simulator.answers import GROUP
from mycelium.stack import carry
from shared.contracts.topics import AUDIT, COMMANDS, IDENTITY, MARKETPLACE, SERVICES, UPDATES, dead_letters
from shared.plumbing.publish import Record
from tests.servers.embedded import embedded_kafka

DEAD = dead_letters("activity").name
Sent = tuple[str, bytes | None, bytes | None]


async def publish(address: str, records: Sequence[Sent], headers: Sequence[tuple[str, bytes]] = ()) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=address, max_request_size=8_000_000)
    await producer.start()
    for topic, key, value in records:
        await producer.send_and_wait(topic, value, key=key, headers=list(headers))
    await producer.stop()


async def commit(address: str, service: str, offsets: Mapping[TopicPartition, int]) -> None:
    """Says for a service that it has read up to `offsets`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=service, enable_auto_commit=False)
    await consumer.start()
    consumer.assign(list(offsets))
    await consumer.commit(dict(offsets))
    await consumer.stop()


def seen(records: Sequence[Record]) -> set[tuple[str, bytes | None, bytes | None]]:
    return {(record.topic, record.key, record.value) for record in records}


async def test_what_one_service_at_least_has_not_committed_is_left(tmp_path: Path) -> None:
    async with embedded_kafka(tmp_path) as address:
        assert await carry.left_in(address) == []
        await publish(address, [(MARKETPLACE.name, b"ada", str(n).encode()) for n in range(5)])
        await publish(address, [(IDENTITY.name, b"bob", b"new"), (UPDATES.name, b"bob", b"nobody stores these")])
        (partition,) = {record.partition for record in await carry.left_in(address) if record.topic == MARKETPLACE.name}
        for read, service in enumerate(SERVICES, start=3):
            if service in MARKETPLACE.consumers:
                await commit(address, service, {TopicPartition(MARKETPLACE.name, partition): read})
        left = await carry.left_in(address)
        assert [r.value for r in left if r.topic == MARKETPLACE.name] == [b"3", b"4"]
        assert [r.value for r in left if r.topic != MARKETPLACE.name] == [b"new"]
        assert not any(carry.is_dead_letter(record) for record in left)


async def test_a_command_is_left_until_the_marketplace_has_read_it(tmp_path: Path) -> None:
    async with embedded_kafka(tmp_path) as address:
        await publish(address, [(COMMANDS.name, b"ada", b"buy")])
        (record,) = await carry.left_in(address)
        await commit(address, GROUP, {TopicPartition(COMMANDS.name, record.partition): 1})
        assert await carry.left_in(address) == []


async def test_what_operators_did_is_kept_with_the_dead_letters(tmp_path: Path) -> None:
    async with embedded_kafka(tmp_path) as address:
        await publish(address, [(DEAD, b"ada", b"bad"), (AUDIT.name, b"an id", b"done")])
        left = await carry.left_in(address)
        assert seen(left) == {(DEAD, b"ada", b"bad"), (AUDIT.name, b"an id", b"done")}
        assert all(carry.is_dead_letter(record) for record in left)


async def test_every_kind_of_record_comes_back_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "carried.jsonl"
    sent: list[Sent] = [
        (MARKETPLACE.name, b"ada", b'{"not": "\xff\n json"}'),
        (MARKETPLACE.name, None, b"no key"),
        (IDENTITY.name, b"no value", None),
        (DEAD, b"\xfe", b"x" * 5_000_000),
    ]
    headers = [("dlq_reason", b"invalid"), ("odd", b"\xff\x00")]
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    async with embedded_kafka(tmp_path / "first") as address:
        await publish(address, sent, headers)
        carry.save(file, await carry.left_in(address))
    async with embedded_kafka(tmp_path / "second") as address:
        await carry.restore(carry.load(file), address)
        back = await carry.left_in(address)
    assert seen(back) == set(sent)
    assert all(list(record.headers) == headers for record in back)
    assert [record.topic for record in back if carry.is_dead_letter(record)] == [DEAD]


async def test_the_order_of_a_key_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "carried.jsonl"
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
    async with embedded_kafka(tmp_path / "first") as address:
        await publish(address, [(MARKETPLACE.name, b"ada", str(n).encode()) for n in range(100)])
        carry.save(file, await carry.left_in(address))
    async with embedded_kafka(tmp_path / "second") as address:
        await carry.restore(carry.load(file), address)
        assert [record.value for record in await carry.left_in(address)] == [str(n).encode() for n in range(100)]


def test_the_file_is_its_owners_alone_and_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "carried.jsonl"
    assert carry.load(file) == []
    file.write_bytes(b"of the end before\n")
    carry.save(file, [])
    assert carry.load(file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
