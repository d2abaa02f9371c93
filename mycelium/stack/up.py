"""`mycelium up`: from nothing to an address, and back."""

import asyncio
import signal
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil

from mycelium.stack import demo
from mycelium.stack.datadir import DataDir, hold
from mycelium.stack.errors import StackError
from mycelium.stack.ports import is_free
from mycelium.stack.screen import Screen
from mycelium.stack.stack import Stack

_ASK_SECONDS = 5.0  # how long a process of ours may take to answer the supervisor


@dataclass(frozen=True)
class Options:
    """What `mycelium up` was asked for; `kafka` and `mongo` are None where an embedded server is to be run."""

    demo: bool
    port: int
    data_dir: Path
    kafka: str | None
    mongo: str | None


async def run(options: Options, screen: Screen) -> None:
    """Runs a stack until SIGINT, SIGTERM or SIGHUP asks it to end. Raises StackError if it cannot be started."""
    with hold(options.data_dir) as data:
        if not is_free(options.port):
            raise StackError(f"Port {options.port} is taken. Choose another one: mycelium up --port {options.port + 1}")
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ASK_SECONDS)) as http:
            stack = Stack(data, http, screen.say, port=options.port, kafka=options.kafka, mongo=options.mongo)
            await _until_asked_to_end(stack, _live(stack, options, data, http, screen), screen)


async def _live(stack: Stack, options: Options, data: DataDir, http: aiohttp.ClientSession, screen: Screen) -> None:
    with screen.starting():
        await stack.start()
    screen.is_up(stack.addresses, data, time.time() - psutil.Process().create_time())
    if options.demo:
        password = data.secrets()["DEMO_PASSWORD"]
        await demo.sign_up(http, stack.addresses, password)
        stack.add(demo.simulator(stack.addresses, data, stack.client_settings))
        screen.has_demo(stack.addresses, demo.EMAIL, password)
    await asyncio.Event().wait()


async def _until_asked_to_end(stack: Stack, life: Awaitable[None], screen: Screen) -> None:
    living = asyncio.ensure_future(life)

    def asked() -> None:
        if not living.cancel():
            stack.hurry()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            loop.add_signal_handler(number, asked)
    try:
        await living
    except asyncio.CancelledError:
        screen.say("Ending; what was published is stored first. Ctrl-C once more ends at once.")
    finally:
        kept = await stack.stop()
    screen.has_ended(kept)
