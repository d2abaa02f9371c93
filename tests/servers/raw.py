"""A client that speaks HTTP byte by byte, as slowly and as wrongly as it likes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from yarl import URL

_PATIENCE_SECONDS = 60
_READ_AHEAD_BYTES = 1_024  # what nobody asks for stays with the server


class Raw:
    """The client's end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> bool:
        """Sends; whether the connection is still open."""
        try:
            self._writer.write(data)
            await self._writer.drain()
        except ConnectionError:
            return False
        return not self._reader.at_eof()

    async def sends(self, piece: bytes, most: int) -> bool:
        """Sends `piece` again and again; whether the server closed the connection before there were `most` bytes."""
        for _ in range(0, most, len(piece)):
            if not await self.send(piece):
                return True
            await asyncio.sleep(0)
        return False

    async def status(self) -> int:
        """Of the next answer, whose headers are read, and no more."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            head = await self._reader.readuntil(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1])

    async def some(self, most: int) -> bytes:
        """The next bytes, `most` at most; none once the server has closed the connection."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read(most)
        return b""

    async def rest(self) -> bytes:
        """What comes until the server closes the connection, which it has to."""
        found = bytearray()
        while piece := await self.some(65_536):
            found += piece
        return bytes(found)


@asynccontextmanager
async def raw(url: str) -> AsyncIterator[Raw]:
    """A connection to the server at `url`."""
    address = URL(url)
    assert address.host
    reader, writer = await asyncio.open_connection(address.host, address.port, limit=_READ_AHEAD_BYTES)
    try:
        yield Raw(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
