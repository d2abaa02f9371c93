"""One's own data: all of it out as one file, and back in."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import IO, Annotated, Any

import aiohttp
import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_TOKEN, PREFIX, UNAVAILABLE, answer, invalid, problem
from services.gateway.export_example import EXPORT, IMPORTED
from services.gateway.exporting import BrokenOffError, Export
from services.gateway.importing import Chunk, chunks, lay_out
from services.gateway.services import Service, Services, unavailable
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.export import portable_schema
from shared.contracts.portable import PARTS, SCHEMA_PATH, ExportFile
from shared.plumbing.logs import get
from shared.plumbing.portability import NOT_YOURS
from shared.plumbing.problems import ProblemError
from shared.plumbing.settings import Secret

MAX_FILE_BYTES = 64 * 1024 * 1024
_AT_ONCE = 2  # imports: each takes a core for seconds
_UPLOAD_SECONDS, _CALL_SECONDS = 300.0, 30.0
_IN_MEMORY_BYTES = 1_048_576
_TOO_LARGE = ProblemError(413, "too-large", "A file may have 64 MiB.")
_SEND_JSON = "Send the file as it is, with `Content-Type: application/json`."
_NOT_JSON = ProblemError(415, "unsupported-media-type", _SEND_JSON)
_TOO_SLOW = ProblemError(408, "too-slow", "The file did not come within five minutes; send it again.")
_BUSY = ProblemError(503, "busy", "Too many imports at once; try again.", headers={"Retry-After": "5"})
_log = get(__name__)


class ImportedPart(BaseModel):
    """How many items of a part the file has, and how many of them were not here."""

    items: int
    added: int


class Imported(BaseModel):
    """How many things the file has, those that are for reading only too, and how many of them were not here."""

    items: int
    added: int
    parts: dict[str, ImportedPart]


def routes(services: Services, sessions: Sessions, key: Secret) -> APIRouter:
    """`GET /export`, `POST /import` and the file's schema; `key` seals the files."""
    router = APIRouter(prefix=PREFIX, tags=["account"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)
    importing = asyncio.Semaphore(_AT_ONCE)

    @router.get(
        "/export",
        response_model=ExportFile,
        summary="Everything about the user, as one file",
        responses=answer(200, "The file.", EXPORT) | BAD_TOKEN | UNAVAILABLE,
    )
    async def export(identity: Asking) -> Response:
        """Streams. A file without its `manifest` is not whole: something failed on the way, and it is cut off."""
        pieces = _exported(services, identity.user, key)
        first = await anext(pieces)  # every service has begun to answer, or it is a 503
        headers = {"Content-Disposition": 'attachment; filename="mycelium-export.json"'}
        return StreamingResponse(_all(first, pieces), headers=headers, media_type="application/json")

    @router.post(
        "/import",
        response_model=Imported,
        summary="Take an export back in",
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/ExportFile"},
                        "example": EXPORT,
                    }
                },
            }
        },
        responses=answer(200, "It is all in.", IMPORTED)
        | problem(400, "cut-off", "The file ends in the middle: it was cut off. Export again and import that.")
        | problem(403, "not-yours", "This file holds another user's data; import one that you exported.")
        | problem(408, "too-slow", "The file did not come within five minutes; send it again.")
        | problem(413, "too-large", "A file may have 64 MiB.")
        | problem(415, "unsupported-media-type", _SEND_JSON)
        | invalid("#/manifest/signature", "does not fit: the file was changed after it was made")
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def import_(request: Request, identity: Asking) -> Response:
        """Fills in what is missing and changes nothing that is there. Everything is checked before anything is stored.

        After a 503 send the same file again: what was stored stays, and the rest follows.
        """
        with tempfile.TemporaryFile() as file, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as items:
            try:
                await _upload(request, file)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            if importing.locked():
                raise _BUSY
            async with importing:
                number = await asyncio.to_thread(lay_out, file, items, identity.user, key)
                imported = await _import(services, identity.user, items, number)
        return Response(imported.model_dump_json(), media_type="application/json")

    @router.get(SCHEMA_PATH.removeprefix(PREFIX), include_in_schema=False)
    async def schema() -> Response:
        """The JSON Schema of the file: open to everybody."""
        return Response(orjson.dumps(portable_schema()), media_type="application/schema+json")

    return router


async def _exported(services: Services, user: str, key: Secret) -> AsyncIterator[bytes]:
    """The file. The manifest is its end, and comes when the export is in the user's timeline.

    Raises a 503 problem before the first piece, BrokenOffError after it.
    """
    export = Export(user, key)
    async with AsyncExitStack() as stack:
        lines: dict[Service, AsyncIterator[bytes]] = {
            name: await stack.enter_async_context(services.lines(name, "/export", user)) for name in PARTS
        }
        try:
            async for piece in export.parts(lines):
                yield piece
            await _told(services, user, "/exports", {"items": export.items})
        except (BrokenOffError, ProblemError, TimeoutError, aiohttp.ClientError, ValueError) as error:
            _log.warning("export_broken_off", error=type(error).__name__)
            raise BrokenOffError from None
    yield export.manifest()


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _upload(request: Request, file: IO[bytes]) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise _NOT_JSON
    size = 0
    try:
        async with asyncio.timeout(_UPLOAD_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > MAX_FILE_BYTES:
                    raise _TOO_LARGE
                file.write(piece)
    except TimeoutError:
        raise _TOO_SLOW from None
    file.seek(0)


async def _import(services: Services, user: str, items: IO[bytes], number: int) -> Imported:
    for chunk in chunks(items):
        for service in (chunk.service, *chunk.takers):
            await _call(services, service, user, chunk, "/imports/check")
    parts: dict[str, ImportedPart] = {}
    for chunk in chunks(items):
        for service in chunk.takers:
            await _call(services, service, user, chunk, "/imports")
        answered = orjson.loads(await _call(services, chunk.service, user, chunk, "/imports"))
        part = parts.setdefault(chunk.part, ImportedPart(items=0, added=0))
        part.items += chunk.items
        part.added += answered["added"]
    imported = Imported(items=number, added=sum(part.added for part in parts.values()), parts=parts)
    await _told(services, user, "/imports/done", {"items": number, "added": imported.added})
    return imported


async def _call(services: Services, service: Service, user: str, chunk: Chunk, path: str) -> bytes:
    """The body of a good answer. Raises a problem for any other."""
    answered = await services.ask(service, path, method="POST", user=user, body=chunk.body, seconds=_CALL_SECONDS)
    if answered.status in (200, 204):
        return answered.body
    if answered.status == 403:
        raise NOT_YOURS
    if answered.status == 422:
        raise _in_the_file(orjson.loads(answered.body), chunk)
    raise unavailable(service)


def _in_the_file(answered: dict[str, Any], chunk: Chunk) -> ProblemError:
    """The problem with its pointers into the file, not into the call: `#/3/item/x` -> `#/parts/activities/503/x`."""
    errors = [{"pointer": _pointer(error["pointer"], chunk), "detail": error["detail"]} for error in answered["errors"]]
    return ProblemError(422, "invalid", "Some items are not valid; see errors.", errors=errors)


def _pointer(pointer: str, chunk: Chunk) -> str:
    place, _, member = pointer.removeprefix("#/").partition("/item")
    number = f"/{chunk.first + int(place)}" if place.isdigit() else ""
    return f"#/parts/{chunk.part}{number}{member}"


async def _told(services: Services, user: str, path: str, body: dict[str, int]) -> None:
    """Has the profile service tell it to everybody, the user's timeline too. Raises a 503 problem if it does not."""
    answered = await services.ask(
        "profile", path, method="POST", user=user, body=orjson.dumps(body), seconds=_CALL_SECONDS
    )
    if answered.status != 204:
        raise unavailable("profile")
