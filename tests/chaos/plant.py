"""The processes of a run: what `mycelium up` starts, by its own code, with a proxy before each of the two servers."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import aiohttp
from aiokafka.errors import KafkaError

from mycelium.stack import broker, mongod, services
from mycelium.stack.datadir import DataDir, hold
from mycelium.stack.keeper import Keeper, Program, nothing
from mycelium.stack.ports import LOOPBACK, free_ports, until_it_listens
from mycelium.stack.services import FIGURES, NAMES, Addresses, at_rest, health
from shared.contracts.topics import SERVICES
from shared.plumbing.topics import ensure_topics
from tests.servers import apache_kafka
from tests.servers.proxy import Proxy, proxied
from tests.waiting import eventually

Broker = Literal["embedded", "apache"]
_READY_SECONDS: Final = 180.0
_GRACE_SECONDS: Final = 10.0
_BROKER_DIED_GRACE: Final = 1.0  # as the one-machine stack has it
_AGAIN_SECONDS: Final = 0.2
# The embedded broker needs its own. On the other, short times let a pause be as long as a death.
_CLIENT_SETTINGS: Final = {
    "embedded": broker.CLIENT_SETTINGS,
    "apache": {"KAFKA_SESSION_TIMEOUT_MS": "3000", "KAFKA_HEARTBEAT_INTERVAL_MS": "1000"},
}


@dataclass
class Plant:
    """Everything that runs. `keepers` are by name: `kafka`, `mongod`, the services, the gateway, `activity-2` …

    `broker_is_gone` is awaited when a broker that forgets has ended, before there is a new one; `broker_is_there` is
    called when that has its topics. `ended` counts the processes that ended without being asked to, by name.
    """

    kind: Broker
    data: DataDir
    http: aiohttp.ClientSession
    addresses: Addresses
    kafka: Proxy
    mongo: Proxy
    say: Callable[[str], None]
    keepers: dict[str, Keeper] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)
    broker_is_gone: Callable[[], Awaitable[None]] = nothing
    broker_is_there: Callable[[], None] = lambda: None
    _asked: Counter[str] = field(default_factory=Counter)

    @property
    def forgets(self) -> bool:
        """Whether what the broker holds, and the groups' positions, are gone when it ends."""
        return self.kind == "embedded"

    @property
    def replicas(self) -> list[str]:
        """The processes of services besides the first of each."""
        return [name for name in self.urls if name not in NAMES]

    def keep(self, program: Program, on_death: Callable[[], Awaitable[None]] = nothing) -> None:
        """Has `program` run."""
        name, log = program.name, self.data.logs / f"{program.name}.log"

        async def died() -> None:
            if self._asked[name]:
                self._asked[name] -= 1
            else:
                self.ended[name] += 1
                self.say(f"{name} ended by itself")
            await on_death()

        self.keepers[name] = Keeper(program, log, say=lambda _: None, on_death=died)
        self.keepers[name].start()

    async def broker_died(self) -> None:
        """As the one-machine stack does: nobody may carry positions of a broker that forgets over to the next one."""
        if self.forgets:
            await asyncio.gather(self.stop_services(_BROKER_DIED_GRACE), self.broker_is_gone())

    def start_services(self) -> None:
        """The services, the gateway, and what replicas there are."""
        self._asked.clear()
        for program in self._programs(self.addresses):
            if program.name not in self.keepers:
                self.urls[program.name] = self.addresses.url(program.name)
                self.keep(program)
            else:
                self.keepers[program.name].start()
        for name in self.replicas:
            self.keepers[name].start()

    def start_replica(self, name: str) -> None:
        """One more process of the service that `name` begins with."""
        service = name.partition("-")[0]
        addresses = replace(self.addresses, ports=dict(zip(NAMES, free_ports(len(NAMES)), strict=True)))
        program = next(program for program in self._programs(addresses) if program.name == service)
        self.urls[name] = addresses.url(service)
        self.keep(replace(program, name=name))

    async def take_away(self, name: str, *, hard: bool) -> None:
        """Ends a replica for good."""
        del self.urls[name]
        keeper = self.keepers.pop(name)
        if hard:
            keeper.kill()
        await keeper.stop(_GRACE_SECONDS)

    def signal(self, name: str, number: signal.Signals) -> bool:
        """Sends a signal to a process; whether it was there. One that ends it is followed by a new start."""
        pid = self.keepers[name].pid if name in self.keepers else None
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        self._asked[name] += number in (signal.SIGKILL, signal.SIGTERM)
        return True

    async def all_are_ready(self) -> bool:
        """Whether every process of ours says so. Raises AssertionError with what the others say."""
        answers = await asyncio.gather(*(health(self.http, url) for url in tuple(self.urls.values())))
        waiting = {name: answer for name, answer in zip(self.urls, answers, strict=True) if not answer.get("ready")}
        assert not waiting, waiting
        return True

    async def recovered(self) -> float:
        """Waits until every process is ready; how many seconds that took. Raises AssertionError after three minutes."""
        began = time.monotonic()
        await eventually(self.all_are_ready, timeout=_READY_SECONDS, interval=0.1, what="every process is ready again")
        return time.monotonic() - began

    async def is_at_rest(self, seconds: float) -> bool:
        """Waits until no service has anything left to do; False if that took longer."""
        urls = [self.urls[name] for name in SERVICES]
        return await at_rest(self.http, urls, FIGURES, seconds)

    async def stop_services(self, grace: float) -> None:
        """Ends all processes of ours; `start_services` has them run again."""
        await asyncio.gather(*(self.keepers[name].stop(grace) for name in self.urls))

    async def stop(self) -> None:
        """Ends everything."""
        await self.stop_services(_GRACE_SECONDS)
        await asyncio.gather(*(keeper.stop(_GRACE_SECONDS) for keeper in self.keepers.values()))

    def _programs(self, addresses: Addresses) -> list[Program]:
        settings = _CLIENT_SETTINGS[self.kind]
        return services.programs(addresses, self.data.secrets(), settings, self.http)


@asynccontextmanager
async def running(kind: Broker, folder: Path, say: Callable[[str], None]) -> AsyncIterator[Plant]:
    """A plant in `folder`, with every process of it ready."""
    kafka_port, mongo_port, kafka_seen, mongo_seen, *ports = free_ports(4 + len(NAMES))
    addresses = Addresses(
        kafka=f"{LOOPBACK}:{kafka_seen}",
        # directly: a member of a replica set would be sought where it says that it is, beside the proxy
        mongo=f"mongodb://{LOOPBACK}:{mongo_seen}/?directConnection=true",
        ports=dict(zip(NAMES, ports, strict=True)),
    )
    timeout = aiohttp.ClientTimeout(total=5)
    with hold(folder / "data") as data:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            proxied(kafka_port, kafka_seen) as kafka,
            proxied(mongo_port, mongo_seen) as mongo,
        ):
            plant = Plant(kind, data, http, addresses, kafka, mongo, say)
            try:
                plant.keep(mongod.program(mongod.find(), data.mongo, mongo_port))
                program = await _broker(plant, folder, kafka_port, kafka_seen)
                plant.keep(program, plant.broker_died)
                await asyncio.gather(plant.keepers["kafka"].ready(), plant.keepers["mongod"].ready())
                await plant.recovered()
                yield plant
            finally:
                await plant.stop()


async def _broker(plant: Plant, folder: Path, port: int, seen: int) -> Program:
    """A broker on `port` whose clients are told to find it at the port `seen`; with its topics, it has its users."""

    async def prepare(pid: int) -> None:
        await until_it_listens(pid, port)
        await _make_topics(plant.addresses.kafka)
        plant.start_services()
        plant.broker_is_there()

    if plant.kind == "apache":
        logs = folder / "apache"
        logs.mkdir()
        return replace(await apache_kafka.program(logs, port, seen, prepare), name="kafka")
    program = broker.program(broker.find(), port)
    argv = list(program.argv)
    argv[argv.index("--advertised-listener-url") + 1] = f"tcp://{LOOPBACK}:{seen}"
    return replace(program, argv=tuple(argv), prepare=prepare)


async def _make_topics(kafka: str) -> None:
    while True:
        with suppress(KafkaError, TimeoutError):
            return await ensure_topics(kafka)
        await asyncio.sleep(_AGAIN_SECONDS)
