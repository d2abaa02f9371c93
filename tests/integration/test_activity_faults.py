"""Servers go away, processes are killed: nothing is lost, nothing is doubled, and /readyz says what is waited for."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGKILL, SIGTERM
from urllib.parse import urlsplit

import pytest_asyncio

from mycelium.stack import broker
from mycelium.stack.ports import free_ports
from services.activity.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn
from shared.contracts.topics import IDENTITY
from shared.plumbing import mongo
from shared.plumbing.mongo import Database, Document
from shared.plumbing.publish import Publisher
from tests.servers.embedded import kept
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.proxy import Proxy, proxied
from tests.servers.running import publishing
from tests.waiting import eventually

Given = dict[str, object]
_runs = count()


@pytest_asyncio.fixture(loop_scope="session")
async def timelines(mongo_url: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongo_url)
    yield client["activity"]
    client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def settings(client_settings: Given, mongo_url: str) -> Given:
    return {**client_settings, "mongo_url": mongo_url}


class Load:
    """Logins of some users that nobody else has, each published once, and what must be stored of them."""

    def __init__(self, settings: Mapping[str, object], timelines: Database) -> None:
        run = next(_runs)
        self._users = [f"load{run}.{n}@example.org" for n in range(20)]
        self._settings = Settings.model_validate(settings)
        self._timelines = timelines
        self._published: Counter[str] = Counter()

    async def publish(self, number: int) -> None:
        async with publishing(self._settings) as publisher:
            await self._publish(publisher, number)

    async def _publish(self, publisher: Publisher, number: int) -> None:
        users = [self._users[n % len(self._users)] for n in range(number)]
        events = [make_event(UserLoggedIn(user_email=user, session_id="s"), source="/load") for user in users]
        await publisher.records((IDENTITY.name, e.subject.encode(), e.to_json(), ()) for e in events)
        self._published.update(users)

    async def stored(self) -> int:
        return await self._timelines["activities"].count_documents({"user": {"$in": self._users}})

    async def is_complete(self) -> bool:
        """Whether exactly what was published is stored, for every user."""
        stages: list[Document] = [
            {"$match": {"user": {"$in": self._users}}},
            {"$group": {"_id": "$user", "n": {"$sum": 1}}},
        ]
        return {g["_id"]: g["n"] async for g in self._timelines["activities"].aggregate(stages)} == self._published


async def says(process: ServiceProcess, **checks: str) -> None:
    """Waits until /readyz says so, with 503 exactly if a check is not ok."""

    async def answer() -> bool:
        health = await process.health()
        found = health.get("checks", {})
        assert isinstance(found, dict)
        return checks.items() <= found.items() and health["ready"] == all(why == "ok" for why in found.values())

    await eventually(answer, timeout=60, what=f"/readyz says {checks}")


async def test_killed_under_load_nothing_is_lost_and_nothing_doubled(
    settings: Given, timelines: Database, tmp_path: Path
) -> None:
    load = Load(settings, timelines)
    await load.publish(6_000)
    async with service_process("activity", {**settings, "batch_max_records": 200}, tmp_path / "log") as process:
        for enough in (1, 1_500, 3_000, 4_500):
            await process.start()
            await eventually(partial(at_least, load, enough), timeout=60, interval=0.005)
            await process.signal(SIGKILL)
        assert await load.stored() < 6_000, "it was killed too late for the test to mean anything"
        await process.start()
        await eventually(load.is_complete, timeout=60)


async def at_least(load: Load, number: int) -> bool:
    return await load.stored() >= number


async def test_told_to_end_it_finishes_commits_and_ends_with_0(
    settings: Given, timelines: Database, tmp_path: Path
) -> None:
    load = Load(settings, timelines)
    await load.publish(2_000)
    async with service_process("activity", {**settings, "batch_max_records": 200}, tmp_path / "log") as process:
        await process.start()
        await eventually(lambda: at_least(load, 1), timeout=60, interval=0.005)
        assert await process.signal(SIGTERM) == 0
        await process.start()
        await eventually(load.is_complete, timeout=60)
    assert "batch_failed" not in (tmp_path / "log").read_text()


async def test_two_of_them_share_the_work(settings: Given, timelines: Database, tmp_path: Path) -> None:
    load = Load(settings, timelines)
    async with (
        service_process("activity", settings, tmp_path / "one") as one,
        service_process("activity", settings, tmp_path / "two") as two,
    ):
        await one.start()
        await one.ready()
        await two.start()
        await two.ready()
        await one.ready()
        await load.publish(1_000)
        await eventually(load.is_complete, timeout=60)
        await one.signal(SIGKILL)
        await load.publish(1_000)
        await eventually(load.is_complete, timeout=60)


@pytest_asyncio.fixture(loop_scope="session")
async def mongo_proxy(mongo_url: str) -> AsyncIterator[Proxy]:
    port = urlsplit(mongo_url).port
    assert port is not None
    async with proxied(port) as proxy:
        yield proxy


def through(settings: Given, proxy: Proxy) -> Given:
    return {**settings, "mongo_url": f"mongodb://127.0.0.1:{proxy.port}/?directConnection=true"}


async def test_mongo_away_is_waited_for(
    settings: Given, timelines: Database, mongo_proxy: Proxy, tmp_path: Path
) -> None:
    load = Load(settings, timelines)
    async with service_process("activity", through(settings, mongo_proxy), tmp_path / "log") as process:
        await process.start()
        await process.ready()
        await mongo_proxy.cut()
        await load.publish(500)
        await says(process, mongo="the database does not answer")
        await says(process, kafka="a batch cannot be stored yet")
        await mongo_proxy.mend()
        await eventually(load.is_complete, timeout=60)
        await says(process, mongo="ok", kafka="ok")


async def test_mongo_away_at_the_start_is_waited_for(
    settings: Given, timelines: Database, mongo_proxy: Proxy, tmp_path: Path
) -> None:
    load = Load(settings, timelines)
    await mongo_proxy.cut()
    async with service_process("activity", through(settings, mongo_proxy), tmp_path / "log") as process:
        await process.start()
        await load.publish(100)
        await says(process, start="still connecting", mongo="the database does not answer")
        await mongo_proxy.mend()
        await eventually(load.is_complete, timeout=60)


async def test_mongo_away_for_too_long_ends_it_uncommitted(
    settings: Given, timelines: Database, mongo_proxy: Proxy, tmp_path: Path
) -> None:
    load = Load(settings, timelines)
    impatient = {**through(settings, mongo_proxy), "give_up_after_seconds": 0.5}
    async with service_process("activity", impatient, tmp_path / "log") as process:
        await process.start()
        await process.ready()
        await mongo_proxy.cut()
        await load.publish(100)
        assert await process.ended() == 1
        await mongo_proxy.mend()
        await process.start()
        await eventually(load.is_complete, timeout=60)


async def test_kafka_away_is_waited_for(mongo_url: str, timelines: Database, tmp_path: Path) -> None:
    """On a broker of its own that its clients know by the proxy's address."""
    port, proxy_port = free_ports(2)
    program = broker.program(broker.find(), port)
    argv = list(program.argv)
    argv[argv.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{proxy_port}"
    settings: Given = {
        **{name.lower(): value for name, value in broker.CLIENT_SETTINGS.items()},
        "kafka_bootstrap_servers": f"127.0.0.1:{proxy_port}",
        "internal_key": "x" * 32,
        "mongo_url": mongo_url,
    }
    async with proxied(port, proxy_port) as proxy, kept(replace(program, argv=tuple(argv)), tmp_path):
        load = Load(settings, timelines)
        async with service_process("activity", settings, tmp_path / "log") as process:
            await process.start()
            await process.ready()
            await load.publish(100)
            await eventually(load.is_complete)
            await proxy.cut()
            await says(process, kafka="the broker does not answer")
            await proxy.mend()
            await says(process, kafka="ok")
            await load.publish(100)
            await eventually(load.is_complete, timeout=60)
