"""The stack that the end-to-end tests share."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from tests.servers.up import Up, mycelium_up


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """A whole stack that is up. Tests may end any process of it but the command itself."""
    async with mycelium_up(tmp_path_factory.mktemp("stack") / "data", "--no-demo") as up:
        await up.is_up()
        yield up


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of the gateway."""
    async with aiohttp.ClientSession() as session:
        yield session
