"""The simulator against a real broker: what its ledger says is what is on the topics, whatever ends it."""

import asyncio
import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer

from mycelium.check import check_file
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.topics import CATALOG, IDENTITY, MARKETPLACE, WALLET
from shared.plumbing.publish import Record
from tests.waiting import eventually

TOPICS = (IDENTITY.name, MARKETPLACE.name, CATALOG.name, WALLET.name)
USERS = ("--users", 3, "--days", 30)
SCENARIO = (*USERS, "--until", "2026-03-01T00:00:00Z")
COMMAND = "import typer; from mycelium.simulator.command import simulate; typer.run(simulate)"


@asynccontextmanager
async def simulating(settings: Mapping[str, object], *arguments: object) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as a process; it is killed if it is still there at the end."""
    named = {name.upper(): str(value) for name, value in settings.items() if name.startswith("kafka_")}
    environment = os.environ | named
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMAND, *map(str, arguments), env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def simulated(settings: Mapping[str, object], *arguments: object) -> None:
    async with simulating(settings, *arguments) as process:
        _, said = await process.communicate()
        assert (process.returncode, said) == (0, b"")


def ledger_of(path: Path) -> list[dict[str, Any]]:  # Any: JSON
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def event_of(record: Record) -> dict[str, Any]:  # Any: JSON
    """The event in a record; empty for what other tests put there that is none, or is one in binary mode."""
    try:
        event = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}


def namespaces(ledger: Sequence[Mapping[str, object]]) -> set[str]:
    """What the ids of this simulation begin with, and those of no other."""
    return {str(event["id"]).rpartition("-")[0] for event in ledger}


async def on_topics(kafka: str, ours: set[str], at_least: int) -> list[Record]:
    """The records with those ids, of each partition in order, once there are `at_least` of them and no more come."""
    consumer = AIOKafkaConsumer(*TOPICS, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Record] = []

    async def all_there() -> bool:
        fetched = await consumer.getmany(timeout_ms=300)
        for records in fetched.values():
            found.extend(record for record in records if str(event_of(record).get("id")).rpartition("-")[0] in ours)
        return not fetched and len(found) >= at_least

    try:
        await eventually(all_there, timeout=60, what=f"{at_least} records of the simulation")
    finally:
        await consumer.stop()
    return found


def as_in_ledger(record: Record) -> bytes:
    return (record.value or b"")[:-1] + b',"topic":"%b"}' % record.topic.encode()


async def test_the_ledger_is_what_was_published_and_check_accepts_it(
    client_settings: dict[str, object], kafka: str, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.jsonl"
    await simulated(client_settings, *SCENARIO, "--seed", 101, "--ledger", path, "--user", "Seen.101@Example.org")
    lines, ledger = path.read_bytes().splitlines(), ledger_of(path)
    records = await on_topics(kafka, namespaces(ledger), len(ledger))

    assert Counter(as_in_ledger(record) for record in records) == Counter(lines)
    assert all(record.key == event_of(record)["subject"].encode() for record in records)
    assert all(list(record.headers) == [CONTENT_TYPE_HEADER] for record in records)
    assert all(finding is None for _, finding in check_file(path))
    assert "seen.101@example.org" in {event["subject"] for event in ledger}


async def test_each_users_events_are_on_a_topic_in_the_order_of_the_ledger(
    client_settings: dict[str, object], kafka: str, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.jsonl"
    await simulated(client_settings, *SCENARIO, "--seed", 102, "--ledger", path)
    ledger = ledger_of(path)
    expected: dict[tuple[object, object], list[object]] = defaultdict(list)
    for event in ledger:
        expected[event["topic"], event["subject"]].append(event["id"])
    seen: dict[tuple[object, object], list[object]] = defaultdict(list)
    for record in await on_topics(kafka, namespaces(ledger), len(ledger)):
        seen[record.topic, (record.key or b"").decode()].append(event_of(record)["id"])
    assert seen == expected


async def test_a_second_run_of_the_same_command_publishes_the_same_bytes(
    client_settings: dict[str, object], tmp_path: Path
) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    for path in (first, second):
        await simulated(client_settings, *SCENARIO, "--seed", 103, "--ledger", path)
    assert first.read_bytes() == second.read_bytes() != b""


async def test_sigterm_ends_it_with_0_and_what_was_published_is_in_the_ledger(
    client_settings: dict[str, object], kafka: str, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.jsonl"
    path.touch()
    arguments = (*SCENARIO, "--seed", 104, "--ledger", path, "--rate", 200)
    async with simulating(client_settings, *arguments) as process:
        await eventually(lambda: path.stat().st_size > 10_000, timeout=60, what="some events are published")
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    lines, ledger = path.read_bytes().splitlines(), ledger_of(path)
    records = await on_topics(kafka, namespaces(ledger), len(ledger))
    assert Counter(as_in_ledger(record) for record in records) == Counter(lines)


async def test_killed_and_started_again_it_goes_on_without_a_gap(
    client_settings: dict[str, object], kafka: str, tmp_path: Path
) -> None:
    path, state = tmp_path / "ledger.jsonl", tmp_path / "state.json"
    arguments = (*USERS, "--seed", 105, "--ledger", path, "--state", state, "--live")
    await simulated(client_settings, *arguments, 0)
    history = path.stat().st_size
    async with simulating(client_settings, *arguments, "inf", "--rate", 150) as process:
        await eventually(lambda: path.stat().st_size > history + 60_000, timeout=60, what="it is live")
        process.kill()
    killed = path.stat().st_size
    await simulated(client_settings, *arguments, 2, "--rate", 150)
    assert path.stat().st_size > killed

    events = {(event["source"], event["id"]): event for event in ledger_of(path)}
    records = await on_topics(kafka, namespaces(list(events.values())), len(events))
    assert {as_in_ledger(record) for record in records} == set(path.read_bytes().splitlines())
    assert_wallets_have_no_gap(events.values())


def assert_wallets_have_no_gap(events: Iterable[Mapping[str, Any]]) -> None:
    """Each user's transactions count up from 1, and each balance is the one before plus the amount."""
    wallets: dict[str, dict[int, Mapping[str, Any]]] = defaultdict(dict)
    for event in events:
        is_welcome = event["id"].startswith("answer-")  # of users whom other tests signed up
        if event["type"] == "wallet.transaction_posted.v1" and not is_welcome:
            wallets[event["subject"]][event["data"]["sequence"]] = event["data"]
    for transactions in wallets.values():
        assert sorted(transactions) == list(range(1, len(transactions) + 1))
        balance = Decimal(0)
        for sequence in sorted(transactions):
            balance += Decimal(transactions[sequence]["amount"])
            assert Decimal(transactions[sequence]["balance_after"]) == balance
    assert len(wallets) == 3
