"""Everything that `mycelium up` runs: in which order it starts, what depends on what, and in which order it ends."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import aiohttp
from aiokafka.errors import KafkaError

from mycelium.stack import broker, carry, mongod, services
from mycelium.stack.datadir import DataDir, write_json
from mycelium.stack.errors import StackError
from mycelium.stack.keeper import Keeper, Program, nothing
from mycelium.stack.logs import fresh_log
from mycelium.stack.ports import free_ports
from mycelium.stack.services import FIGURES, GATEWAY, NAMES, Addresses, at_rest, health
from shared.contracts.topics import SERVICES
from shared.plumbing.topics import ensure_topics

_START_SECONDS = 60.0
_BROKER_DIED_GRACE = 1.0
# When each step of the end has to be done, in seconds after it was asked for: less than 10 in all, usually two.
_FRONT_BY, _DRAINED_BY, _SERVICES_BY, _CARRIED_BY, _SERVERS_BY = 2.0, 5.0, 7.0, 8.5, 9.5


class Stack:
    """One stack. `kafka` and `mongo` name servers of the user's own; where they are None, embedded ones are run."""

    def __init__(
        self,
        data: DataDir,
        http: aiohttp.ClientSession,
        say: Callable[[str], None],
        *,
        port: int,
        kafka: str | None = None,
        mongo: str | None = None,
    ) -> None:
        self._data, self._http, self._say = data, http, say
        self._keepers: dict[str, Keeper] = {}
        self._up = self._stopping = False
        self._hurried = asyncio.Event()
        self._embedded_broker = kafka is None
        kafka_port, mongo_port, *ports = free_ports(2 + len(SERVICES), but=(port,))
        self.addresses = Addresses(
            kafka=kafka or broker.address(kafka_port),
            mongo=mongo or mongod.url(mongo_port),
            ports=dict(zip(NAMES, (*ports, port), strict=True)),
        )
        if mongo is None:
            self._keep(mongod.program(mongod.find(), data.mongo, mongo_port))
        if kafka is None:
            self._keep(broker.program(broker.find(), kafka_port, self._fill_broker), self._broker_died)
        self.client_settings = broker.CLIENT_SETTINGS if kafka is None else {}
        for program in services.programs(self.addresses, data.secrets(), self.client_settings, http):
            self._keep(program)

    async def start(self) -> None:
        """Starts everything and returns when all of it is ready. Raises StackError where something cannot be."""
        if "mongod" in self._keepers:
            self._keepers["mongod"].start()
        else:
            await asyncio.to_thread(mongod.check, self.addresses.mongo)
        if self._embedded_broker:
            self._keepers["kafka"].start()
        else:
            await self._use_kafka()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await asyncio.gather(*(keeper.ready() for keeper in self._keepers.values()))
        except TimeoutError:
            raise StackError(await self._what_is_missing()) from None
        self._up = True
        self._write()

    def add(self, program: Program) -> None:
        """Has `program`, which publishes, run beside the others from now on; it is the first to be ended."""
        self._keep(program)
        self._keepers[program.name].start()

    async def stop(self) -> int | None:
        """Ends everything within 10 seconds: first what publishes, then, when what it published is stored, the rest.

        How many records were not stored in time and are kept for the next start; None if they could not be kept.
        """
        self._stopping = True
        asked_at = time.monotonic()
        front = [name for name in self._keepers if name not in ("mongod", "kafka", *SERVICES)]
        await self._stop(front, asked_at + _FRONT_BY)
        await self._drain(asked_at + _DRAINED_BY)
        await self._stop(SERVICES, asked_at + _SERVICES_BY)
        kept, _ = await asyncio.gather(
            self._end_broker(asked_at + _CARRIED_BY), self._stop(("mongod",), asked_at + _SERVERS_BY)
        )
        self._data.stack_json.unlink(missing_ok=True)
        return kept

    def hurry(self) -> None:
        """Makes `stop` end everything at once."""
        self._hurried.set()
        for keeper in self._keepers.values():
            keeper.kill()

    def _keep(self, program: Program, on_death: Callable[[], Awaitable[None]] = nothing) -> None:
        log = fresh_log(self._data.logs, program.name)
        self._keepers[program.name] = Keeper(program, log, say=self._say, on_spawn=self._write, on_death=on_death)

    async def _use_kafka(self) -> None:
        try:
            await ensure_topics(self.addresses.kafka)
        except KafkaError as error:
            raise StackError(
                f"No Kafka broker at {self.addresses.kafka} makes the topics ({type(error).__name__}). "
                "Start it, or leave --kafka out to run the embedded one."
            ) from None
        await self._start_dependants()

    async def _fill_broker(self) -> None:
        await carry.restore(carry.load(self._data.carried), self.addresses.kafka)
        await self._start_dependants()

    async def _start_dependants(self) -> None:
        for name, keeper in self._keepers.items():
            if name not in ("mongod", "kafka") and not self._stopping:
                keeper.start()

    async def _broker_died(self) -> None:
        """Nobody may carry positions of the old broker's records over to the new one, which has none of them."""
        if self._up and not self._stopping:
            self._say("The embedded broker ended, and with it the records that were not stored yet; all is restarted.")
        dependants = [name for name in self._keepers if name not in ("mongod", "kafka")]
        await self._stop(dependants, time.monotonic() + _BROKER_DIED_GRACE)

    async def _stop(self, names: Iterable[str], by: float) -> None:
        keepers = [self._keepers[name] for name in names if name in self._keepers]
        await asyncio.gather(*(keeper.stop(by - time.monotonic()) for keeper in keepers))

    async def _drain(self, by: float) -> None:
        """Waits until all that was published is stored. A broker of the user's own keeps its records by itself."""
        if not self._up:
            return
        figures = FIGURES if self._embedded_broker else FIGURES[1:]
        urls = [self.addresses.url(name) for name in SERVICES]
        resting = asyncio.create_task(at_rest(self._http, urls, figures, by - time.monotonic()))
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait({resting, hurried}, return_when=asyncio.FIRST_COMPLETED)
        resting.cancel()
        hurried.cancel()

    async def _end_broker(self, by: float) -> int | None:
        """How many records it still held for a service to read, which are kept; None if they could not be."""
        if not self._embedded_broker:
            return 0
        try:
            async with asyncio.timeout(by - time.monotonic()):
                left = await carry.left_in(self.addresses.kafka) if self._up else []
            if self._up:
                carry.save(self._data.carried, left)
        except (KafkaError, TimeoutError, OSError):
            return None
        finally:
            self._keepers["kafka"].kill()  # it would wait for its clients, and has nothing to keep
            await self._stop(("kafka",), by)
        return sum(not carry.is_dead_letter(record) for record in left)

    async def _what_is_missing(self) -> str:
        for name in NAMES:
            answer = await health(self._http, self.addresses.url(name))
            if not answer.get("ready"):
                checks = answer.get("checks") or "it does not answer"
                return f"{name} is not ready after {_START_SECONDS:.0f} s: {checks}. See {self._data.logs / name}.log"
        return f"Not everything is ready after {_START_SECONDS:.0f} s. See the logs in {self._data.logs}"

    def _write(self) -> None:
        if not self._up:
            return
        content = {
            "gateway": self.addresses.url(GATEWAY),
            "kafka": self.addresses.kafka,
            "mongo": self.addresses.mongo,
            "services": {name: self.addresses.url(name) for name in SERVICES},
            "pids": {name: keeper.pid for name, keeper in self._keepers.items() if keeper.pid is not None},
        }
        write_json(self._data.stack_json, content)
