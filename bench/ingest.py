"""Runs the contenders in turns, each in a process of its own, and gathers what each of them measured."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from bench.load import of_many_users
from bench.probe import Measured
from mycelium.simulator import publish
from services.activity.consumer import TOPICS
from shared.plumbing import mongo
from shared.plumbing.mongo import Client

EVENTS = 40_000
_ONE_BY_ONE = 2_000  # events for the contender that takes them one by one
_ROUNDS, _SECONDS = 5, 90.0  # no round is begun after so many seconds
_CONTENDER_SECONDS = 90.0
_WAYS = ("bare", "ours", "faststream_batch", "faststream")


@dataclass(frozen=True)
class Comparison:
    """Events a second of two contenders (medians), and the median of their ratios, round by round."""

    one: float
    other: float
    ratio: float


class Results:
    """What each contender measured, round by round; `redelivered` is `ours`, given the same records again.

    `stored` is how many activities `ours` had stored before each redelivery, and after it.
    """

    def __init__(self) -> None:
        self.measured: dict[str, list[Measured]] = defaultdict(list)
        self.stored: list[tuple[int, int]] = []

    def by_the_clock(self, one: str, other: str) -> Comparison:
        """Compares events a second."""
        return _comparison(*([m.records / m.seconds for m in self.measured[name]] for name in (one, other)))

    def by_cpu(self, one: str, other: str) -> Comparison:
        """Compares events in a second of the contender's own CPU time."""
        return _comparison(*([m.records / m.cpu_seconds for m in self.measured[name]] for name in (one, other)))


def _comparison(one: list[float], other: list[float]) -> Comparison:
    return Comparison(median(one), median(other), median(a / b for a, b in zip(one, other, strict=True)))


async def results(environment: Mapping[str, str]) -> Results:
    """Publishes the events and lets all contenders have all of them in each round.

    `environment` is what a service of ours is started with.
    """
    await publish(of_many_users(EVENTS), environment["KAFKA_BOOTSTRAP_SERVERS"], idempotence=False)
    client = mongo.connect(environment["MONGO_URL"])
    found, started = Results(), time.monotonic()
    for number in range(_ROUNDS):
        if time.monotonic() - started < _SECONDS:
            for way in _WAYS if number % 2 == 0 else reversed(_WAYS):  # whoever is first finds everything cold
                await _round(way, f"bench_{way}_{number}", environment, client, found)
    client.close()
    return found


async def _round(way: str, name: str, environment: Mapping[str, str], client: Client, found: Results) -> None:
    events = _ONE_BY_ONE if way == "faststream" else EVENTS
    found.measured[way].append(await _run(way, name, events, environment))
    if way == "ours":
        activities = client[name]["activities"]
        before = await activities.count_documents({})
        await _rewind(name, environment)
        found.measured["redelivered"].append(await _run(way, name, events, environment))
        found.stored.append((before, await activities.count_documents({})))
    await client.drop_database(name)


async def _run(way: str, name: str, events: int, environment: Mapping[str, str]) -> Measured:
    arguments = ("-m", "bench.contender", way, name, str(events))
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE, env=environment)
    try:
        async with asyncio.timeout(_CONTENDER_SECONDS):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if process.returncode:
            raise RuntimeError(f"{name} failed or took more than {_CONTENDER_SECONDS:.0f} s; what it said stands above")
    return Measured(**orjson.loads(output))


async def _rewind(group: str, environment: Mapping[str, str]) -> None:
    """Has the group, of which nobody is a member any more, begin at the start again."""
    consumer = AIOKafkaConsumer(
        *(topic.name for topic in TOPICS),
        bootstrap_servers=environment["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=group,
        enable_auto_commit=False,
        partition_assignment_strategy=(RangePartitionAssignor,),  # the group's own, which a broker may insist on
        session_timeout_ms=int(environment["KAFKA_SESSION_TIMEOUT_MS"]),
        heartbeat_interval_ms=int(environment["KAFKA_HEARTBEAT_INTERVAL_MS"]),
    )
    async with consumer:
        await consumer.commit(dict.fromkeys(consumer.assignment(), 0))
