"""Runs the contenders of each service in turns, each in a process of its own, and gathers what each measured."""

import asyncio
import secrets
import sys
import time
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from bench.contestants import CONTESTANTS
from bench.load import LOADS
from bench.probe import Measured
from bench.table import Comparison, Row, compared, count_gate, speed
from mycelium.simulator import publish
from mycelium.stack import broker
from mycelium.stack.services import environment
from services.purchases.vault.make_keys import make_keys
from shared.plumbing import mongo
from shared.plumbing.mongo import Client, Database
from tests.servers.embedded import embedded_kafka

_ONE_BY_ONE = 2_000  # events for the contender that takes them one by one
_ROUNDS, _SECONDS = 3, 50.0  # no round of a service is begun after so many seconds
_CONTENDER_SECONDS = 300.0
_EVENTS: Final[Mapping[str, int]] = {"activity": 40_000, "purchases": 12_000, "profile": 6_000, "analytics": 12_000}
_TARGETS: Final[Mapping[str, float]] = {"activity": 0.6, "purchases": 0.6, "analytics": 0.6}
_WAYS: Final = ("bare", "ours", "bare-alone", "ours-alone")
_MORE: Final[Mapping[str, Sequence[str]]] = {"activity": ("faststream-batch", "faststream")}
# What a batch may ask of Mongo, however many events, users and things it tells of: three questions about erasures; and
# then choices, consents, inserts and replacements, what is too old (activity); a question, inserts and updates of each
# kind of thing, keys, marks (purchases); users (profile); kinds of things, presences, notices, marks (analytics).
MOST_COMMANDS: Final[Mapping[str, int]] = {"activity": 12, "purchases": 27, "profile": 6, "analytics": 32}


@dataclass(frozen=True)
class Run:
    """What the contenders of one service are given."""

    service: str
    environment: Mapping[str, str]
    client: Client


class Results:
    """What each contender of a service measured, round by round; `redelivered` is `ours`, given the same again.

    `added` is how many documents each redelivery added.
    """

    def __init__(self) -> None:
        self.measured: dict[str, list[Measured]] = defaultdict(list)
        self.added: list[int] = []

    def by_the_clock(self, one: str, other: str) -> Comparison:
        """Compares events a second."""
        return compared(*([m.records / m.seconds for m in self.measured[name]] for name in (one, other)))

    def by_cpu(self, one: str, other: str) -> Comparison:
        """Compares events in a second of the contender's own CPU time."""
        return compared(*([m.records / m.cpu_seconds for m in self.measured[name]] for name in (one, other)))


async def rows(folder: Path, mongo_url: str, services: Sequence[str] = tuple(CONTESTANTS)) -> list[Row]:
    """The lines about the ingest of these services."""
    found: list[Row] = []
    client = mongo.connect(mongo_url)
    for service in services:
        own = folder / service
        own.mkdir()
        async with embedded_kafka(own) as kafka:
            servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "MONGO_URL": mongo_url, "INTERNAL_KEY": secrets.token_hex(32)}
            given = {**environment(), **broker.CLIENT_SETTINGS, **servers, **make_keys(), "LOG_LEVEL": "ERROR"}
            found += _rows(service, await _results(Run(service, given, client)))
    client.close()
    return found


def _rows(service: str, results: Results) -> Iterator[Row]:
    what = f"Ingest of {service}"
    yield speed(f"{what}, against the bare loop", results.by_the_clock("ours", "bare"), _TARGETS.get(service))
    yield speed("the same by CPU time of the process", results.by_cpu("ours", "bare"))
    yield speed("the same without the database", results.by_the_clock("ours-alone", "bare-alone"))
    yield speed("the same records again, against the first time", results.by_the_clock("redelivered", "ours"))
    if "faststream" in results.measured:
        stock = results.by_the_clock("ours", "faststream")
        yield speed("against a FastStream handler called for each message", stock, 10)
        yield speed("a FastStream raw batch, against the bare loop", results.by_the_clock("faststream-batch", "bare"))
    ours = results.measured["ours"] + results.measured["redelivered"]
    batches, records = sum(m.batches for m in ours), sum(m.records for m in ours)
    commands = sum(m.commands for m in ours)
    yield count_gate(f"Commits a batch, {service}", sum(m.commits for m in ours) / batches, 1)
    yield count_gate(
        f"Mongo commands a batch, {service}",
        max(m.commands / m.batches for m in ours),
        MOST_COMMANDS[service],
        f"{commands / records:.3f} an event",
    )
    yield count_gate(f"Documents that the same records again added, {service}", sum(results.added), 0)


async def _results(run: Run) -> Results:
    """Publishes the events and lets all contenders have all of them in each round."""
    events = LOADS[run.service](_EVENTS[run.service])
    await publish(events, run.environment["KAFKA_BOOTSTRAP_SERVERS"], idempotence=False)
    found, started = Results(), time.monotonic()
    ways = (*_WAYS, *_MORE.get(run.service, ()))
    for number in range(_ROUNDS):
        if time.monotonic() - started < _SECONDS:
            for way in ways if number % 2 == 0 else reversed(ways):  # whoever is first finds everything cold
                await _round(run, way, f"bench_{way}_{number}", found)
    return found


async def _round(run: Run, way: str, name: str, found: Results) -> None:
    events = _ONE_BY_ONE if way == "faststream" else _EVENTS[run.service]
    found.measured[way].append(await _measured(run, way, name, events))
    if way == "ours":
        before = await _documents(run.client[name])
        await _rewind(run, name)
        found.measured["redelivered"].append(await _measured(run, way, name, events))
        found.added.append(await _documents(run.client[name]) - before)
    await run.client.drop_database(name)


async def _documents(database: Database) -> int:
    return sum([await database[name].count_documents({}) for name in await database.list_collection_names()])


async def _measured(run: Run, way: str, name: str, events: int) -> Measured:
    arguments = ("-m", "bench.contender", run.service, way, name, str(events))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, env=run.environment)
    try:
        async with asyncio.timeout(_CONTENDER_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if process.returncode:
            raise RuntimeError(f"{name} failed or took more than {_CONTENDER_SECONDS:.0f} s; what it said stands above")
    return Measured(**orjson.loads(output.splitlines()[-1]))  # what stands before it is the log


async def _rewind(run: Run, group: str) -> None:
    """Has the group, of which nobody is a member any more, begin at the start again."""
    consumer = AIOKafkaConsumer(
        *(topic.name for topic in CONTESTANTS[run.service].topics),
        bootstrap_servers=run.environment["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=group,
        enable_auto_commit=False,
        partition_assignment_strategy=(RangePartitionAssignor,),  # the group's own, which a broker may insist on
        session_timeout_ms=int(run.environment["KAFKA_SESSION_TIMEOUT_MS"]),
        heartbeat_interval_ms=int(run.environment["KAFKA_HEARTBEAT_INTERVAL_MS"]),
    )
    async with consumer:
        await consumer.commit(dict.fromkeys(consumer.assignment(), 0))
