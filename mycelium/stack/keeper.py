"""Keeps one program running: starts it, says when it is ready, and starts it again when it ends or is silent."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mycelium.stack import leash
from mycelium.stack.errors import StackError
from mycelium.stack.logs import why_it_ended

_FIRST_DELAY, _LAST_DELAY = 0.1, 10.0  # seconds before a program that ended is started again: doubled each time
_RAN_WELL = 30.0  # seconds after which an end counts as the first one again
_TRIES = 3  # of a program that has never been ready
# How often a program is asked whether it is alive, in seconds, and after how many questions in a row without an answer
# it is killed: later than its own watchdog would end it. Questions are counted, as a clock would go on while this
# process or the whole machine stands still.
_ASK_SECONDS, _UNANSWERED = 5.0, 13


@dataclass(frozen=True)
class Program:
    """What to run, with nothing but `env` in its environment.

    `prepare` is given the process's id and returns once it is ready for use; it is cancelled if the process ends.
    `is_alive` is asked now and then whether the process answers, and raises nothing; without it, nobody asks.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    prepare: Callable[[int], Awaitable[None]]
    is_alive: Callable[[], Awaitable[bool]] | None = None


async def nothing() -> None:
    """The hook that does nothing."""


class Keeper:
    """Keeps `program` running between `start` and `stop`, its output appended to `log`.

    `say` is told in a sentence what happened, `on_spawn` is called when `pid` has changed, `on_death` is awaited when
    the process has ended on its own and before it is started again. Every `ask_seconds` it is asked if it is alive.
    """

    def __init__(
        self,
        program: Program,
        log: Path,
        *,
        say: Callable[[str], None],
        on_spawn: Callable[[], None] = lambda: None,
        on_death: Callable[[], Awaitable[None]] = nothing,
        ask_seconds: float = _ASK_SECONDS,
    ) -> None:
        self._program = program
        self._log = log
        self._say = say
        self._on_spawn = on_spawn
        self._on_death = on_death
        self._ask_seconds = ask_seconds
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ready_at: float | None = None
        self._first_ready = asyncio.get_running_loop().create_future()
        self.pid: int | None = None

    def start(self) -> None:
        """Has the program run from now on. Starting twice is starting once."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def ready(self) -> None:
        """Waits until the program has been ready once. Raises StackError if it ended every time before it was."""
        await asyncio.shield(self._first_ready)

    async def stop(self, grace: float) -> None:
        """Ends the process with SIGTERM, and with SIGKILL where that has not ended it after `grace` seconds."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})
        process = self._process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), max(0.0, grace))
        except TimeoutError:
            self._say(f"{self._program.name} did not end in time and was killed.")
            _kill(process)
            await process.wait()

    def kill(self) -> None:
        """Ends the process at once, and for good. A `stop` that is waiting for it returns."""
        if self._task is not None:
            self._task.cancel()
        if self._process is not None:
            _kill(self._process)

    async def _keep(self) -> None:
        delay, tries = _FIRST_DELAY, 0
        while True:
            tries += 1
            code = await self._run_once()
            if not self._first_ready.done() and tries == _TRIES:
                self._first_ready.set_exception(StackError(why_it_ended(self._program.name, code, self._log)))
                return
            await self._on_death()
            if self._ready_at is not None and time.monotonic() - self._ready_at > _RAN_WELL:
                delay = _FIRST_DELAY
            if self._first_ready.done():
                self._say(f"{self._program.name} ended (code {code}) and is started again; see {self._log}.")
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY)

    async def _run_once(self) -> int:
        self._ready_at = None
        try:
            process = self._process = await _spawn(self._program, self._log)
        except OSError as error:  # no process, no memory, no file is to be had right now
            self._say(f"{self._program.name} could not be started: {error.strerror}.")
            return error.errno or 1
        self.pid = process.pid
        self._on_spawn()
        attending = asyncio.create_task(self._attend(process))
        try:
            return await process.wait()
        finally:
            attending.cancel()

    async def _attend(self, process: asyncio.subprocess.Process) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._prepare(process))
            if self._program.is_alive is not None:
                tasks.create_task(self._watch(process, self._program.is_alive))

    async def _prepare(self, process: asyncio.subprocess.Process) -> None:
        try:
            await self._program.prepare(process.pid)
        except Exception as error:  # noqa: BLE001  (whatever it is, the process is of no use as it is)
            self._say(f"{self._program.name} could not be made ready: {type(error).__name__}.")
            _kill(process)
            return
        self._ready_at = time.monotonic()
        if not self._first_ready.done():
            self._first_ready.set_result(None)

    async def _watch(self, process: asyncio.subprocess.Process, is_alive: Callable[[], Awaitable[bool]]) -> None:
        """Kills one that has answered once, which may be before it is ready, and is silent then."""
        has_answered, unanswered = False, 0
        while unanswered < _UNANSWERED:
            answered, _ = await asyncio.gather(_within(self._ask_seconds, is_alive), asyncio.sleep(self._ask_seconds))
            has_answered |= answered
            unanswered = 0 if answered else unanswered + has_answered
        self._say(f"{self._program.name} did not answer {_UNANSWERED} times in a row and was killed.")
        _kill(process)


async def _within(seconds: float, is_alive: Callable[[], Awaitable[bool]]) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await is_alive()
    except TimeoutError:
        return False


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()


async def _spawn(program: Program, log: Path) -> asyncio.subprocess.Process:
    """In a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone, and on a leash."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", leash.__file__, str(os.getpid())),
            *program.argv,
            env=dict(program.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
