"""A TCP proxy on loopback that can be cut, so that a server goes away without being touched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mycelium.stack.ports import LOOPBACK, free_ports

_CHUNK = 65_536


class Proxy:
    """Passes connections to `port` on to `target`, until it is cut and again once it is mended."""

    def __init__(self, target: int, port: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Accepts connections from now on."""
        self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)

    async def cut(self) -> None:
        """Breaks every connection, and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._connections):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, target_writer}
        self._connections |= pair
        try:
            await asyncio.gather(_pump(reader, target_writer), _pump(target_reader, writer))
        finally:
            self._connections -= pair
            for end in pair:
                end.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def proxied(target: int, port: int | None = None) -> AsyncIterator[Proxy]:
    """A proxy to the server on `target`, mended."""
    proxy = Proxy(target, port or free_ports(1)[0])
    await proxy.mend()
    try:
        yield proxy
    finally:
        await proxy.cut()
