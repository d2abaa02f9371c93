"""What the proxy does to connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from mycelium.stack.ports import LOOPBACK
from tests.servers.proxy import Proxy, proxied

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
    writer.write(b"goodbye\n")
    writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Proxy, Connection]]:
    """A proxy before a server that says what it is told, and goodbye at the end; and a connection to it."""
    server = await asyncio.start_server(_echo, LOOPBACK, 0)
    async with server, proxied(server.sockets[0].getsockname()[1]) as proxy, asyncio.timeout(20):
        connection = await asyncio.open_connection(LOOPBACK, proxy.port)
        assert await says(connection, b"hello\n") == b"hello\n"
        try:
            yield proxy, connection
        finally:
            connection[1].close()


async def says(connection: Connection, line: bytes) -> bytes:
    """What comes back."""
    connection[1].write(line)
    return await connection[0].readline()


async def test_a_black_hole_gives_back_what_it_swallowed_once_it_is_mended() -> None:
    async with echoing() as (proxy, connection):
        proxy.black_hole()
        answer = asyncio.create_task(says(connection, b"are you there?\n"))
        done, _ = await asyncio.wait([answer], timeout=0.1)
        assert not done
        await proxy.mend()
        assert await answer == b"are you there?\n"


async def test_delayed_it_takes_its_time_in_both_directions() -> None:
    async with echoing() as (proxy, connection):
        proxy.delay(0.05)
        began = asyncio.get_running_loop().time()
        assert await says(connection, b"slowly\n") == b"slowly\n"
        assert asyncio.get_running_loop().time() - began >= 0.09  # at least, however busy the machine is


async def test_cut_it_breaks_connections_and_refuses_new_ones() -> None:
    async with echoing() as (proxy, connection):
        await proxy.cut()
        with suppress(ConnectionResetError):
            assert await connection[0].readline() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(LOOPBACK, proxy.port)


async def test_half_closed_to_the_server_it_still_answers() -> None:
    async with echoing() as (proxy, connection):
        proxy.half_close("server")
        assert await connection[0].readline() == b"goodbye\n"


async def test_half_closed_to_the_client_it_is_told_no_more() -> None:
    async with echoing() as (proxy, connection):
        proxy.half_close("client")
        assert await says(connection, b"unheard\n") == b""
