"""`python -m bench.bare_starlette PORT FILE [URL...]`: one route that answers the bytes of a file, and nothing more.

With URLs it asks all of them at once, with aiohttp, and answers what they do, joined.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def app(body: bytes) -> Starlette:
    """The app that answers the file."""

    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/", answer)])


def joining(urls: Sequence[str]) -> Starlette:
    """The app that asks."""

    @asynccontextmanager
    async def asking(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as app.state.http:
            yield

    async def ask(http: aiohttp.ClientSession, url: str) -> bytes:
        async with http.get(url) as response:
            return await response.read()

    async def answer(request: Request) -> Response:
        parts = await asyncio.gather(*(ask(request.app.state.http, url) for url in urls))
        return Response(b",".join(parts), media_type="application/json")

    return Starlette(routes=[Route("/", answer)], lifespan=asking)


if __name__ == "__main__":
    port, file, *urls = sys.argv[1:]
    uvicorn.run(
        joining(urls) if urls else app(Path(file).read_bytes()),
        host="127.0.0.1",
        port=int(port),
        http="httptools",
        loop="uvloop",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
