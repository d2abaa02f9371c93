"""How long somebody waits for their first page: of a stack that has just come up, of a login, of a process that starts.

A page is there when its style sheets and scripts are, too; they are asked for all at once, as a browser does.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from bench.dashboard import Json, stack
from bench.serving import answers, bare, gateway, get
from bench.table import Row, compared, seconds_text

_EMAIL, _PASSWORD = "newcomer@example.org", "correct horse battery"
_ASSETS: Final = re.compile(r'(?:href|src)="(/[^"]+\.(?:css|js))"')
_LOGIN, _HOME = "/login", "/dashboard/user"
_STARTS, _AGAIN = 5, 20


async def rows(folder: Path) -> list[Row]:
    """The lines of the table, of a stack in `folder`."""
    started = time.perf_counter()
    async with stack(folder) as up:
        is_up = time.perf_counter() - started
        async with _browser(up) as http:
            first = await _timed(http, _LOGIN)
            again = median([await _timed(http, _LOGIN) for _ in range(_AGAIN)])
            login = await _sign_in(http, up["gateway"])
            home = median([await _timed(http, _HOME) for _ in range(_AGAIN)])
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


@asynccontextmanager
async def _browser(up: Json) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)  # the gateway's address is a number
    async with aiohttp.ClientSession(up["gateway"], cookie_jar=jar) as http:
        yield http


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

    await asyncio.gather(*map(load, _ASSETS.findall(page)))


async def _sign_in(http: aiohttp.ClientSession, gateway: str) -> float:
    """Seconds from the password to the overview, of a user who has just registered."""
    credentials = {"email": _EMAIL, "password": _PASSWORD}
    async with http.post("/api/v1/auth/register", json=credentials, raise_for_status=True):
        pass
    form, started = {**credentials, "next": _HOME}, time.perf_counter()
    async with http.post(_LOGIN, data=form, headers={"Origin": gateway}, raise_for_status=True) as response:
        assert response.url.path == _HOME, response.url
        await _load(http, await response.text())
    return time.perf_counter() - started


async def _starts(folder: Path, up: Json) -> tuple[list[float], list[float]]:
    """Seconds from the start of a gateway and of a bare app to their first answers, in turns."""
    ours, theirs = list[float](), list[float]()
    for _ in range(_STARTS):
        started = time.perf_counter()
        async with gateway(folder, up) as served:
            await answers(served, get(_LOGIN))
            ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        async with bare(folder, b"{}") as served:
            await answers(served, get("/"))
            theirs.append(time.perf_counter() - started)
    return ours, theirs
