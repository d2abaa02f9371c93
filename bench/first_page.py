"""How long somebody waits for their first page: of a stack that has just come up, of a login, of a process that starts.

A page is there when its style sheets and scripts are, too; they are asked for all at once, as a browser does.
"""

import asyncio
import time
from pathlib import Path
from statistics import median

import aiohttp

from bench.browser import HOME, LOGIN, assets_of, browser, log_in
from bench.serving import Json, answers, bare, email, gateway, get, register, stack
from bench.table import Row, compared, seconds_text

_STARTS, _AGAIN = 5, 20


async def rows(folder: Path) -> list[Row]:
    """The lines of the table, of a stack in `folder`."""
    started = time.perf_counter()
    async with stack(folder) as up:
        is_up = time.perf_counter() - started
        async with browser(up["gateway"]) as http:
            first = await _timed(http, LOGIN)
            again = median([await _timed(http, LOGIN) for _ in range(_AGAIN)])
            login = await _first_overview(http, up["gateway"])
            home = median([await _timed(http, HOME) for _ in range(_AGAIN)])
        ours, theirs = await _starts(folder, up)
    return [
        Row("From `mycelium up` to its first page", seconds_text(is_up + first), "", ""),
        _row("The first page after it is up, against the same page again", first, again),
        _row("The first overview of somebody new, from the password sent, against the same page again", login, home),
        _row(
            "From a gateway's start to its first page, against a bare Starlette's",
            median(ours),
            median(theirs),
            compared(ours, theirs).ratio,
        ),
    ]


def _row(what: str, one: float, other: float, ratio: float | None = None) -> Row:
    return Row(what, seconds_text(one), seconds_text(other), f"{ratio or one / other:.2f}")


async def _timed(http: aiohttp.ClientSession, path: str) -> float:
    """Seconds until a page is there with all that it is made of."""
    started = time.perf_counter()
    async with http.get(path, raise_for_status=True) as response:
        await _load(http, await response.text())
    return time.perf_counter() - started


async def _load(http: aiohttp.ClientSession, page: str) -> None:
    async def load(asset: str) -> None:
        async with http.get(asset, raise_for_status=True) as response:
            await response.read()

    await asyncio.gather(*map(load, assets_of(page)))


async def _first_overview(http: aiohttp.ClientSession, gateway: str) -> float:
    """Seconds from the password to the overview, of a user who has just registered."""
    credentials = await register(http, gateway, email("newcomer"))
    started = time.perf_counter()
    await _load(http, await log_in(http, gateway, credentials))
    return time.perf_counter() - started


async def _starts(folder: Path, up: Json) -> tuple[list[float], list[float]]:
    """Seconds from the start of a gateway and of a bare app to their first answers, in turns."""
    ours, theirs = list[float](), list[float]()
    for _ in range(_STARTS):
        started = time.perf_counter()
        async with gateway(folder, up) as served:
            await answers(served, get(LOGIN))
            ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        async with bare(folder, b"{}") as served:
            await answers(served, get("/"))
            theirs.append(time.perf_counter() - started)
    return ours, theirs
