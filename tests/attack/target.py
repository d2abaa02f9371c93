"""What is attacked: all that `mycelium up` runs, in processes of its own, as clients and publishers see it."""

import os
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from shared.contracts.topics import SERVICES
from shared.plumbing.publish import Publisher
from shared.plumbing.settings import KafkaSettings
from tests.attack.records import Hostile
from tests.servers.dashboard import API, PASSWORD, Site, User, log_in
from tests.servers.header_names import sending_any_names
from tests.servers.up import Up, mycelium_up
from tests.waiting import eventually

OPERATOR = "operator@attack.example"
TIMES = int(os.environ.get("ATTACK_TIMES", "1"))  # how much more than in every run of the tests
SEED = int(os.environ.get("ATTACK_SEED") or (random.randrange(2**32) if TIMES > 1 else 0))
_SETTINGS = {"OPERATORS": OPERATOR, "FREE_FAILURES_PER_ADDRESS": "1000000"}  # all clients of the tests have one address


@dataclass
class Target:
    """A stack that is up. `marks` counts the records that were put on topics."""

    up: Up
    site: Site
    publisher: Publisher
    operator: User
    marks: int = 0

    async def put(self, records: list[Hostile]) -> list[bytes]:
        """Puts records on their topics; the mark that each has got, by which it is found again."""
        first = self.marks
        self.marks += len(records)
        marks = [b"%d" % number for number in range(first, self.marks)]
        with sending_any_names():
            await self.publisher.records(
                (record.topic, record.key, record.value, [*record.headers, ("mark", mark)])
                for record, mark in zip(records, marks, strict=True)
            )
        return marks

    async def is_at_rest(self) -> None:
        """Waits until all services have read everything."""

        async def has_read_all() -> bool:
            for url in self.up.stack["services"].values():
                async with self.site.http.get(f"{url}/readyz") as response:
                    if (await response.json()).get("lag") != 0 or response.status != 200:
                        return False
            return True

        await eventually(has_read_all, timeout=120, interval=0.2, what="all records are read")

    def processes(self) -> Mapping[str, psutil.Process]:
        """Our own processes by their names."""
        return {name: psutil.Process(self.up.stack["pids"][name]) for name in ("gateway", *SERVICES)}

    def errors(self) -> list[str]:
        """The lines of the logs that tell of an error, or of a batch that could not be stored at once."""
        lines = [line for log in (self.up.data / "logs").glob("*.log") for line in log.read_text().splitlines()]
        ours = [line for line in lines if line.startswith('{"service"')]
        assert ours, "nothing was logged as our processes log it"
        told = ('"level": "error"', "batch_failed", "Traceback")
        return [line for line in ours if any(text in line for text in told)]


@asynccontextmanager
async def target(folder: Path) -> AsyncIterator[Target]:
    """A whole stack that is up, with an operator."""
    async with AsyncExitStack() as stack:
        up = await stack.enter_async_context(mycelium_up(folder / "data", "--no-demo", env=_SETTINGS))
        await up.is_up()
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)))
        url = up.stack["gateway"]
        async with http.get(f"{url}{API}/openapi.json") as response:
            site = Site(url, http, await response.json())
        settings = KafkaSettings(kafka_bootstrap_servers=up.stack["kafka"], kafka_enable_idempotence=False)
        publisher = Publisher("attack", settings)
        await publisher.start()
        stack.push_async_callback(publisher.stop)
        credentials = {"email": OPERATOR, "password": PASSWORD}
        assert (await site.ask("POST", f"{API}/auth/register", json=credentials)).status == 201
        yield Target(up, site, publisher, User(OPERATOR, await log_in(site, OPERATOR)))
