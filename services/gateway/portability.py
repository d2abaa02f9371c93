"""One's own data: all of it out as one file, and back in."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated

import aiohttp
import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_TOKEN, PREFIX, UNAVAILABLE, answer, invalid, problem
from services.gateway.export_example import EXPORT, IMPORTED
from services.gateway.exporting import BrokenOffError, Export
from services.gateway.restoring import MAX_FILE_BYTES, Imported, Importer, bounded, tell, uploading
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.export import portable_schema
from shared.contracts.portable import PARTS, SCHEMA_PATH, ExportFile
from shared.contracts.topics import Service
from shared.plumbing.logs import get
from shared.plumbing.problems import ProblemError
from shared.plumbing.settings import Secret

_SEND_JSON = "Send the file as it is, with `Content-Type: application/json`."
_NOT_JSON = ProblemError(415, "unsupported-media-type", _SEND_JSON)
_log = get(__name__)


def routes(services: Services, sessions: Sessions, importer: Importer, key: Secret) -> APIRouter:
    """`GET /export`, `POST /import` and the file's schema; `key` seals the files."""
    router = APIRouter(prefix=PREFIX, tags=["account"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

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
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise _NOT_JSON
        with tempfile.TemporaryFile() as file:
            try:
                async with uploading():
                    async for piece in bounded(request.stream(), MAX_FILE_BYTES):
                        file.write(piece)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            imported = await importer.take(file, identity.user)
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
            await tell(services, user, "/exports", {"items": export.items})
        except (BrokenOffError, ProblemError, TimeoutError, aiohttp.ClientError, ValueError) as error:
            _log.warning("export_broken_off", error=type(error).__name__)
            raise BrokenOffError from None
    yield export.manifest()


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
