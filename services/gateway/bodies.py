"""What a request's body may be: JSON, of a bounded size and depth, and there in time."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from shared.plumbing.problems import ProblemError

MAX_BODY_BYTES = 65_536
MAX_DEPTH = 32
BODY_SECONDS = 30.0
_STEPS = re.compile(rb'"(?:[^"\\]|\\.)*"|[][{}]', re.DOTALL)  # texts, which may hold brackets, and brackets
_TOO_LARGE = ProblemError(413, "too-large", f"A body may have {MAX_BODY_BYTES} bytes; send less at once.")
_TOO_SLOW = ProblemError(408, "too-slow", "The body did not come within 30 seconds; send it again.")
_TOO_DEEP = ProblemError(400, "too-deep", f"A body may be nested {MAX_DEPTH} levels deep; send it flatter.")
_NOT_JSON = ProblemError(415, "unsupported-media-type", "Send the body as JSON, with `Content-Type: application/json`.")


async def small_body(request: Request, too_large: ProblemError = _TOO_LARGE) -> bytes:
    """The whole body. Raises `too_large` as soon as it has too many bytes, and a 408 problem if it takes too long."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise too_large
    except TimeoutError:
        raise _TOO_SLOW from None
    return bytes(body)


class _JsonRequest(Request):
    """A request whose body is strict JSON of at most MAX_BODY_BYTES."""

    async def body(self) -> bytes:
        """As `small_body`; raises a 400 problem, too, if it is nested too deep."""
        if not hasattr(self, "_body"):
            body = await small_body(self)
            if _is_too_deep(body):
                raise _TOO_DEEP
            self._body = body
        return self._body

    async def json(self) -> object:
        """The body as JSON. Raises json.JSONDecodeError, for NaN, broken Unicode and nesting without end too."""
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route whose body, if it takes one, is JSON and nothing else."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, behind the checks."""
        handle = super().get_route_handler()
        return _checking(handle, self.body_field.field_info.is_required()) if self.body_field else handle


def _checking(
    handle: Callable[[Request], Coroutine[Any, Any, Response]], required: bool
) -> Callable[..., Coroutine[Any, Any, Response]]:
    async def checked(request: Request) -> Response:
        if not required and _has_no_body(request):
            return await handle(request)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            raise _NOT_JSON
        request = _JsonRequest(request.scope, request.receive)
        try:
            await request.body()  # here, because FastAPI makes a 400 of what is raised while it reads
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        return await handle(request)

    return checked


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for step in _STEPS.finditer(body):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(step[0], 0)
        if depth > MAX_DEPTH:
            return True
    return False


def _has_no_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
