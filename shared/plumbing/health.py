"""`/livez`, `/readyz`, `/metrics`: how a process is, for those who run it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.plumbing.metrics import CHECK_OK

Check = Callable[[], Awaitable[str | None]]
Figure = Callable[[], Awaitable[int | None]]
_CHECK_SECONDS = 3


def routes(checks: Mapping[str, Check], figures: Mapping[str, Figure]) -> APIRouter:
    """The three routes. A check answers None when all is well, else why not; a figure is shown beside the checks."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> Response:
        return Response(b'{"live":true}', media_type="application/json")

    @router.get("/readyz")
    async def readyz() -> Response:
        found = await _troubles(checks)
        trouble = {name: why or "ok" for name, why in found.items()}
        ready = not any(found.values())
        body = {"ready": ready, "checks": trouble} | {name: await figure() for name, figure in figures.items()}
        return Response(orjson.dumps(body), 200 if ready else 503, media_type="application/json")

    @router.get("/metrics")
    async def metrics() -> Response:
        await asyncio.gather(_troubles(checks), *(figure() for figure in figures.values()))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _troubles(checks: Mapping[str, Check]) -> dict[str, str | None]:
    found = await asyncio.gather(*(_bounded(check) for check in checks.values()))
    for name, why in zip(checks, found, strict=True):
        CHECK_OK.labels(name).set(why is None)
    return dict(zip(checks, found, strict=True))


async def _bounded(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return "does not answer"
