"""The keeper, on real processes."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import aiohttp
import psutil
import pytest

from mycelium.stack.errors import StackError
from mycelium.stack.keeper import Keeper, Program, nothing
from mycelium.stack.ports import free_ports
from mycelium.stack.services import answers
from tests.waiting import eventually

LASTING = "import signal; print('up', flush=True); signal.pause()"
ANSWERING = """
from http.server import HTTPServer, SimpleHTTPRequestHandler
HTTPServer(("127.0.0.1", {port}), SimpleHTTPRequestHandler).serve_forever()
"""
ASK_SECONDS = 0.1
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


async def at_once(_pid: int) -> None:
    pass


def python(code: str, prepare: Callable[[int], Awaitable[None]] = at_once) -> Program:
    return Program("stub", (sys.executable, "-c", code), {"PATH": os.defpath, "STUB": "yes"}, prepare)


class Kept:
    """A keeper, and what it has said and done."""

    def __init__(self, program: Program, folder: Path, on_death: Callable[[], Awaitable[None]] = nothing) -> None:
        self.log = folder / "stub.log"
        self.said: list[str] = []
        self.pids: list[int] = []
        self.keeper = Keeper(
            program,
            self.log,
            say=self.said.append,
            on_spawn=self._spawned,
            on_death=on_death,
            ask_seconds=ASK_SECONDS,
        )

    def _spawned(self) -> None:
        assert self.keeper.pid is not None
        self.pids.append(self.keeper.pid)

    async def says(self, text: str) -> None:
        await eventually(lambda: self.log.exists() and text in self.log.read_text(), what=f"{text} in the log")


@asynccontextmanager
async def keep(
    program: Program, folder: Path, on_death: Callable[[], Awaitable[None]] = nothing
) -> AsyncIterator[Kept]:
    kept = Kept(program, folder, on_death)
    kept.keeper.start()
    try:
        yield kept
    finally:
        await kept.keeper.stop(5)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_program_runs_until_it_is_stopped(tmp_path: Path) -> None:
    async with keep(python(LASTING), tmp_path) as kept:
        await kept.keeper.ready()
        (pid,) = kept.pids
        assert alive(pid)
    assert not alive(pid)
    assert kept.said == []


async def test_it_has_only_the_environment_that_it_was_given(tmp_path: Path) -> None:
    async with keep(python("import os; print(sorted(os.environ), flush=True);" + LASTING), tmp_path) as kept:
        await kept.says("up")
        assert "'PATH', 'STUB'" in kept.log.read_text()
        assert "HOME" not in kept.log.read_text()


async def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    """So that a terminal's Ctrl-C reaches the supervisor alone."""
    async with keep(python(LASTING), tmp_path) as kept:
        await kept.says("up")
        assert os.getsid(kept.pids[0]) == kept.pids[0]


async def test_a_program_that_is_killed_is_started_again(tmp_path: Path) -> None:
    async with keep(python(LASTING), tmp_path) as kept:
        await kept.keeper.ready()
        os.kill(kept.pids[0], signal.SIGKILL)
        await eventually(lambda: len(kept.pids) == 2)
        assert kept.pids[0] != kept.pids[1]
        assert alive(kept.pids[1])
        assert kept.said == [f"stub ended (code -9) and is started again; see {kept.log}."]


async def test_one_that_ends_by_itself_without_an_error_is_started_again_too(tmp_path: Path) -> None:
    async with keep(python("print('once', flush=True)"), tmp_path) as kept:
        await kept.keeper.ready()
        await eventually(lambda: len(kept.pids) > 1)


async def test_the_back_off_grows(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    deaths: list[float] = []

    async def died() -> None:
        deaths.append(loop.time())

    async with keep(python("pass"), tmp_path, died) as kept:
        await kept.keeper.ready()
        await eventually(lambda: len(deaths) >= 4)
    gaps = [later - earlier for earlier, later in pairwise(deaths)]
    assert gaps[0] > 0.1
    assert gaps[1] > 0.2
    assert gaps[2] > 0.4


async def test_on_death_ends_before_the_next_start(tmp_path: Path) -> None:
    may_go_on = asyncio.Event()
    dying = asyncio.Event()

    async def died() -> None:
        dying.set()
        await may_go_on.wait()

    async with keep(python(LASTING), tmp_path, died) as kept:
        await kept.keeper.ready()
        os.kill(kept.pids[0], signal.SIGKILL)
        await dying.wait()
        assert len(kept.pids) == 1
        may_go_on.set()
        await eventually(lambda: len(kept.pids) == 2)


async def test_one_that_never_comes_up_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    async def never(_pid: int) -> None:
        await asyncio.Event().wait()

    async with keep(python("raise SystemExit('no such setting')", never), tmp_path) as kept:
        with pytest.raises(StackError, match=r"stub ended with code 1 before it was ready.*no such setting"):
            await kept.keeper.ready()
        assert len(kept.pids) == 3


async def test_one_that_cannot_be_prepared_is_replaced(tmp_path: Path) -> None:
    prepared: list[int] = []

    async def second_time_lucky(pid: int) -> None:
        prepared.append(pid)
        if len(prepared) == 1:
            raise ConnectionError

    async with keep(python(LASTING, second_time_lucky), tmp_path) as kept:
        await kept.keeper.ready()
        assert kept.said == ["stub could not be made ready: ConnectionError."]
        assert kept.pids == prepared


async def test_one_that_cannot_be_started_again_right_now_is_started_later(tmp_path: Path) -> None:
    async with keep(python(LASTING), tmp_path) as kept:
        await kept.keeper.ready()
        kept.log.unlink()
        kept.log.mkdir()
        os.kill(kept.pids[0], signal.SIGKILL)
        await eventually(lambda: "stub could not be started: Is a directory." in kept.said)
        kept.log.rmdir()
        await eventually(lambda: len(kept.pids) == 2)


async def test_one_that_does_not_listen_to_sigterm_is_killed(tmp_path: Path) -> None:
    async with keep(python(DEAF), tmp_path) as kept:
        await kept.says("deaf")
        await kept.keeper.stop(0.2)
        assert not alive(kept.pids[0])
        assert kept.said == ["stub did not end in time and was killed."]


async def test_a_kill_ends_a_stop_that_waits(tmp_path: Path) -> None:
    async with keep(python(DEAF), tmp_path) as kept:
        await kept.says("deaf")
        stopping = asyncio.create_task(kept.keeper.stop(60))
        kept.keeper.kill()
        async with asyncio.timeout(5):
            await stopping
        assert len(kept.pids) == 1
        assert not alive(kept.pids[0])


async def test_a_stopped_program_can_be_started_again(tmp_path: Path) -> None:
    async with keep(python(LASTING), tmp_path) as kept:
        await kept.keeper.ready()
        await kept.keeper.stop(5)
        kept.keeper.start()
        kept.keeper.start()
        await eventually(lambda: len(kept.pids) == 2)
        assert not alive(kept.pids[0])
        assert alive(kept.pids[1])


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[Program, list[bool]]]:
    """A program that answers by HTTP, and whether it did each time that its keeper asked."""
    (port,) = free_ports(1)
    heard = list[bool]()
    async with aiohttp.ClientSession() as http:

        async def is_alive() -> bool:
            heard.append(await answers(http, f"http://127.0.0.1:{port}"))
            return heard[-1]

        yield replace(python(ANSWERING.format(port=port)), is_alive=is_alive), heard


async def test_one_that_is_frozen_is_killed_and_started_again_each_time(tmp_path: Path) -> None:
    async with answering() as (program, heard), keep(program, tmp_path) as kept:
        for frozen in (1, 2, 3):
            heard.clear()
            await eventually(lambda: True in heard)
            if frozen < 3:
                os.kill(kept.pids[-1], signal.SIGSTOP)
                await eventually(lambda frozen=frozen: len(kept.pids) > frozen)  # type: ignore[misc]
        assert not any(alive(pid) for pid in kept.pids[:2])
        assert (
            kept.said
            == [
                "stub did not answer 13 times in a row and was killed.",
                f"stub ended (code -9) and is started again; see {kept.log}.",
            ]
            * 2
        )


async def test_one_that_answers_now_and_then_is_left_alone(tmp_path: Path) -> None:
    asked = 0

    async def every_thirteenth_time() -> bool:
        nonlocal asked
        asked += 1
        return asked % 13 == 0

    async with keep(replace(python(LASTING), is_alive=every_thirteenth_time), tmp_path) as kept:
        await eventually(lambda: asked > 30)
        assert (len(kept.pids), kept.said) == (1, [])


async def test_nobody_is_blamed_for_a_supervisor_that_stood_still(tmp_path: Path) -> None:
    answered = 0

    async def is_alive() -> bool:
        nonlocal answered
        await asyncio.sleep(0)
        answered += 1
        return True

    async with keep(replace(python(LASTING), is_alive=is_alive), tmp_path) as kept:
        for before in (1, 2):
            await eventually(lambda before=before: answered > before)  # type: ignore[misc]
            time.sleep(15 * ASK_SECONDS)  # noqa: ASYNC251  (it is what is tested)
        before = answered
        await eventually(lambda: answered > before + 1)
        assert (len(kept.pids), kept.said) == (1, [])


SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from mycelium.stack.keeper import Keeper, Program
async def at_once(pid): pass
async def main():
    program = Program("child", (sys.executable, "-c", sys.argv[2]), {}, at_once)
    keeper = Keeper(program, Path(sys.argv[1]), say=print)
    keeper.start()
    await keeper.ready()
    print(keeper.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_no_orphan_is_left_by_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    argv = [sys.executable, "-c", SUPERVISOR, str(log), LASTING]
    supervisor = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
    assert supervisor.stdout is not None
    child = int(await supervisor.stdout.readline())
    await eventually(lambda: "up" in log.read_text())
    supervisor.kill()
    await supervisor.wait()
    await eventually(lambda: not alive(child))
