"""Everything about a user, gathered from the services into one JSON text as it goes out."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime

import orjson

from services.gateway.sealing import Contents, Json, canonical
from shared.contracts.portable import FORMAT, LEFT_OUT, PARTS, SCHEMA_PATH, VERSION
from shared.contracts.topics import Service
from shared.plumbing.settings import Secret

_CHUNK_BYTES = 65_536
Lines = Mapping[Service, AsyncIterator[bytes]]


class BrokenOffError(Exception):
    """A service stopped in the middle, or did not send what it counted."""


class Export:
    """The text of one export. `items` is how many there are, once `parts` is through."""

    def __init__(self, user: str, key: Secret) -> None:
        self._key = key
        self._about: dict[str, Json] = {
            "format": FORMAT,
            "version": VERSION,
            "schema": SCHEMA_PATH,
            "user_email": user,
            "exported_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        self._contents = Contents()

    @property
    def items(self) -> int:
        """How many items went out so far."""
        return sum(self._contents.counts.values())

    async def parts(self, lines: Lines) -> AsyncIterator[bytes]:
        """The text up to the manifest. Raises BrokenOffError, and whatever the lines raise."""
        yield orjson.dumps(self._about)[:-1] + b',"parts":{'
        for service, parts in PARTS.items():
            async for piece in _in_chunks(self._service(parts, lines[service])):
                yield piece
        yield b"}"

    def manifest(self) -> bytes:
        """The rest of the text: without it, the file is not whole."""
        counts, left_out = self._contents.counts, list(LEFT_OUT)
        signature = self._contents.seal(self._key, {**self._about, "left_out": left_out})
        manifest = {"counts": counts, "left_out": left_out, "signature": signature}
        return b',"manifest":' + orjson.dumps(manifest) + b"}\n"

    async def _service(self, parts: tuple[str, ...], lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A service's parts as members, each of which comes in one piece and in their order."""
        waiting = iter(parts)
        now: str | None = None
        async for raw in lines:
            line = orjson.loads(raw)
            if line.get("end"):
                for text in self._opened(waiting, None, now):
                    yield text
                if line["counts"] != {part: self._contents.counts[part] for part in parts}:
                    raise BrokenOffError
                return
            if line["part"] != now:
                for text in self._opened(waiting, line["part"], now):
                    yield text
                now = line["part"]
            else:
                yield b","
            self._contents.add(line["part"], canonical(line["item"]))
            yield orjson.dumps(line["item"])
        raise BrokenOffError

    def _opened(self, waiting: Iterator[str], wanted: str | None, now: str | None) -> Iterator[bytes]:
        """Ends the part that is `now` open, and opens those up to the `wanted` one; all that are left for None."""
        if now is not None:
            yield b"]"
        for part in waiting:
            separator = b"," if self._contents.counts else b""
            self._contents.open(part)
            yield separator + b'"' + part.encode() + b'":['
            if part == wanted:
                return
            yield b"]"
        if wanted is not None:
            raise BrokenOffError


async def _in_chunks(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    chunk = bytearray()
    async for text in texts:
        chunk += text
        if len(chunk) >= _CHUNK_BYTES:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)
