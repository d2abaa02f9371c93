"""Taking an export back in: the file as a client sends it, by the API or by a page, handed to the services."""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import IO, Any

import orjson
from pydantic import BaseModel

from services.gateway.importing import Chunk, chunks, lay_out
from services.gateway.services import Services, unavailable
from shared.contracts.topics import Service
from shared.plumbing.portability import NOT_YOURS
from shared.plumbing.problems import ProblemError
from shared.plumbing.settings import Secret

MAX_FILE_BYTES = 64 * 1024 * 1024
_AT_ONCE = 2  # imports: each takes a core for seconds
_UPLOAD_SECONDS, _CALL_SECONDS = 300.0, 30.0
_IN_MEMORY_BYTES = 1_048_576
TOO_LARGE = ProblemError(413, "too-large", "A file may have 64 MiB.")
_TOO_SLOW = ProblemError(408, "too-slow", "The file did not come within five minutes; send it again.")
_BUSY = ProblemError(503, "busy", "Too many imports at once; try again.", headers={"Retry-After": "5"})


class ImportedPart(BaseModel):
    """How many items of a part the file has, and how many of them were not here."""

    items: int
    added: int


class Imported(BaseModel):
    """How many things the file has, those that are for reading only too, and how many of them were not here."""

    items: int
    added: int
    parts: dict[str, ImportedPart]


class Importer:
    """Takes files in, two at a time in this process; `key` has sealed them."""

    def __init__(self, services: Services, key: Secret) -> None:
        self._services = services
        self._key = key
        self._importing = asyncio.Semaphore(_AT_ONCE)

    async def take(self, file: IO[bytes], user: str) -> Imported:
        """Checks the whole file, then stores what is missing of it, for `user`.

        Raises a ProblemError that says what is wrong with the file and where, or a 503 one after which the same file
        can be sent again.
        """
        if self._importing.locked():
            raise _BUSY
        file.seek(0)
        async with self._importing:
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as items:
                number = await asyncio.to_thread(lay_out, file, items, user, self._key)
                return await self._store(user, items, number)

    async def _store(self, user: str, items: IO[bytes], number: int) -> Imported:
        for chunk in chunks(items):
            for service in (chunk.service, *chunk.takers):
                await self._call(service, user, chunk, "/imports/check")
        parts: dict[str, ImportedPart] = {}
        for chunk in chunks(items):
            for service in chunk.takers:
                await self._call(service, user, chunk, "/imports")
            answered = orjson.loads(await self._call(chunk.service, user, chunk, "/imports"))
            part = parts.setdefault(chunk.part, ImportedPart(items=0, added=0))
            part.items += chunk.items
            part.added += answered["added"]
        imported = Imported(items=number, added=sum(part.added for part in parts.values()), parts=parts)
        await tell(self._services, user, "/imports/done", {"items": number, "added": imported.added})
        return imported

    async def _call(self, service: Service, user: str, chunk: Chunk, path: str) -> bytes:
        """The body of a good answer. Raises a problem for any other."""
        answered = await self._services.ask(
            service, path, method="POST", user=user, body=chunk.body, seconds=_CALL_SECONDS
        )
        if answered.status in (200, 204):
            return answered.body
        if answered.status == 403:
            raise NOT_YOURS
        if answered.status == 422:
            raise _in_the_file(orjson.loads(answered.body), chunk)
        raise unavailable(service)


@asynccontextmanager
async def uploading() -> AsyncIterator[None]:
    """The time in which a file has to come. Raises a 408 problem after it."""
    try:
        async with asyncio.timeout(_UPLOAD_SECONDS):
            yield
    except TimeoutError:
        raise _TOO_SLOW from None


async def bounded(pieces: AsyncIterator[bytes], most: int) -> AsyncGenerator[bytes, None]:
    """The same pieces. Raises a 413 problem as soon as they have more than `most` bytes."""
    size = 0
    async for piece in pieces:
        size += len(piece)
        if size > most:
            raise TOO_LARGE
        yield piece


def _in_the_file(answered: dict[str, Any], chunk: Chunk) -> ProblemError:
    """The problem with its pointers into the file, not into the call: `#/3/item/x` -> `#/parts/activities/503/x`."""
    errors = [{"pointer": _pointer(error["pointer"], chunk), "detail": error["detail"]} for error in answered["errors"]]
    return ProblemError(422, "invalid", "Some items are not valid; see errors.", errors=errors)


def _pointer(pointer: str, chunk: Chunk) -> str:
    place, _, member = pointer.removeprefix("#/").partition("/item")
    number = f"/{chunk.first + int(place)}" if place.isdigit() else ""
    return f"#/parts/{chunk.part}{number}{member}"


async def tell(services: Services, user: str, path: str, body: dict[str, int]) -> None:
    """Has the profile service tell it to everybody, the user's timeline too. Raises a 503 problem if it does not."""
    answered = await services.ask(
        "profile", path, method="POST", user=user, body=orjson.dumps(body), seconds=_CALL_SECONDS
    )
    if answered.status != 204:
        raise unavailable("profile")
