"""A TCP proxy on loopback that does to connections what networks do, so that a server goes away untouched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

from mycelium.stack.ports import LOOPBACK, free_ports

_CHUNK = 65_536
End = Literal["client", "server"]


class Proxy:
    """Passes connections to `port` on to `target`, until it is told to do otherwise and again once it is mended."""

    def __init__(self, target: int, port: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, End] = {}
        self._told_the_end: set[asyncio.StreamWriter] = set()
        self._delay = 0.0
        self._passing = asyncio.Event()
        self._passing.set()

    async def mend(self) -> None:
        """Accepts connections from now on, and passes on at once all that comes and what was held back."""
        self._delay = 0.0
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)

    async def cut(self) -> None:
        """Breaks every connection, and refuses new ones."""
        self._passing.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._connections):
            writer.transport.abort()

    def delay(self, seconds: float) -> None:
        """Lets everything that comes wait for so long, in both directions, until it is mended."""
        self._delay = seconds

    def black_hole(self) -> None:
        """Accepts connections and bytes, and passes nothing on, until it is mended: what a network that drops does."""
        self._passing.clear()

    def half_close(self, end: End) -> None:
        """Tells that end of every connection that there is no more to come; what it sends itself still gets through."""
        for writer, of in tuple(self._connections.items()):
            if of == end and not writer.transport.is_closing():
                self._told_the_end.add(writer)
                writer.write_eof()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        pair: dict[asyncio.StreamWriter, End] = {writer: "client", target_writer: "server"}
        self._connections |= pair
        try:
            await asyncio.gather(self._pump(reader, target_writer), self._pump(target_reader, writer))
        finally:
            for end in pair:
                del self._connections[end]
                self._told_the_end.discard(end)
                end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._passing.wait()
                if writer not in self._told_the_end:
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
