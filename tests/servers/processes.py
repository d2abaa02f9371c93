"""A service of ours as a process of its own, that can be killed."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL

import aiohttp

from mycelium.stack.ports import LOOPBACK, free_ports
from mycelium.stack.services import environment, health
from tests.waiting import eventually


class ServiceProcess:
    """`python -m services.<name>` with the given settings; started again and again on the same port."""

    def __init__(self, name: str, settings: Mapping[str, object], log: Path, http: aiohttp.ClientSession) -> None:
        self._name = name
        self._port = free_ports(1)[0]
        self._settings = {key.upper(): str(value) for key, value in settings.items()} | {"PORT": str(self._port)}
        self._log = log
        self._http = http
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://{LOOPBACK}:{self._port}"

    async def start(self) -> None:
        """Starts it; `ready` tells when it is up."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"services.{self._name}", env={**environment(), **self._settings}, stderr=log
            )

    async def ready(self) -> None:
        """Waits until it is ready."""
        await eventually(self._is_ready, timeout=60, what=f"{self._name} is ready")

    async def _is_ready(self) -> bool:
        return (await self.health()).get("ready") is True

    async def health(self) -> Mapping[str, object]:
        """What /readyz says; empty if nobody answers."""
        return await health(self._http, self.url)

    async def signal(self, number: int) -> int:
        """Sends the signal and waits for the end; the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Waits for the end; the exit code."""
        assert self._process is not None
        async with asyncio.timeout(20):
            return await self._process.wait()

    async def kill(self) -> None:
        """Makes sure that it is gone."""
        if self._process is not None and self._process.returncode is None:
            await self.signal(SIGKILL)


@asynccontextmanager
async def service_process(name: str, settings: Mapping[str, object], log: Path) -> AsyncIterator[ServiceProcess]:
    """A process that is not started yet, and gone afterwards."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:
        process = ServiceProcess(name, settings, log, http)
        try:
            yield process
        finally:
            await process.kill()
