"""The servers that `mycelium up` runs, by the same code."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mycelium.stack import broker, mongod
from mycelium.stack.keeper import Keeper, Program
from mycelium.stack.ports import free_ports

_GRACE_SECONDS = 5


@asynccontextmanager
async def kept(program: Program, folder: Path) -> AsyncIterator[Keeper]:
    """`program`, ready, with its log in `folder`; ended afterwards."""
    keeper = Keeper(program, folder / f"{program.name}.log", say=lambda text: print(text, file=sys.stderr))  # noqa: T201
    keeper.start()
    try:
        await keeper.ready()
        yield keeper
    finally:
        await keeper.stop(_GRACE_SECONDS)


@asynccontextmanager
async def embedded_mongo(folder: Path) -> AsyncIterator[str]:
    """The URL of a mongod whose files are in a new folder below `folder`."""
    data = folder / "mongo"
    data.mkdir()
    (port,) = free_ports(1)
    async with kept(mongod.program(mongod.find(), data, port), folder):
        yield mongod.url(port)


@asynccontextmanager
async def embedded_kafka(folder: Path) -> AsyncIterator[str]:
    """The address of a broker that has the contract's topics."""
    (port,) = free_ports(1)
    async with kept(broker.program(broker.find(), port), folder):
        yield broker.address(port)
