"""`mycelium up` as an operator starts it: a process, its screen, its data directory."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from mycelium.stack.ports import free_ports
from tests.waiting import eventually

START_SECONDS = 60
STOP_SECONDS = 10  # as the contract has it


@dataclass(frozen=True)
class Up:
    """A started command, whether the stack is up already or not."""

    process: asyncio.subprocess.Process
    data: Path
    port: int
    screen_file: Path

    @property
    def stack(self) -> Mapping[str, Any]:  # Any: JSON
        """What stack.json says now."""
        found: Mapping[str, Any] = json.loads((self.data / "stack.json").read_text())
        return found

    @property
    def screen(self) -> str:
        """All that was printed so far, on standard output and standard error."""
        return self.screen_file.read_text()

    async def is_up(self) -> None:
        """Waits for the address."""
        await eventually(
            lambda: "Mycelium is up" in self.screen or self.process.returncode is not None,
            timeout=START_SECONDS,
            what="mycelium up prints the address",
        )
        assert "Mycelium is up" in self.screen, self.screen

    async def ends(self) -> int:
        """The exit code, waited for as long as a busy machine may take."""
        async with asyncio.timeout(START_SECONDS):
            return await self.process.wait()

    async def stop(self) -> int:
        """Asks it to end as an operator does; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await self.ends()


def _as_from_a_terminal() -> None:
    """Whoever runs the tests may ignore the signal that a closed terminal sends; a child would inherit that."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@asynccontextmanager
async def mycelium_up(
    data: Path, *options: str, port: int | None = None, env: Mapping[str, str] | None = None
) -> AsyncIterator[Up]:
    """Starts the command with `options`, on a free port unless one is given; ends it if it has not ended by itself."""
    port = port or free_ports(1)[0]
    argv = (sys.executable, "-m", "mycelium", "up", "--port", str(port), "--data-dir", str(data), *options)
    unset = ("KAFKA_BOOTSTRAP_SERVERS", "MONGO_URL")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | dict(env or {})
    screen = data.parent / f"{data.name}.screen"
    with screen.open("w") as output:
        process = await asyncio.create_subprocess_exec(
            *argv, stdout=output, stderr=output, env=environment, preexec_fn=_as_from_a_terminal
        )
    try:
        yield Up(process, data, port, screen)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
