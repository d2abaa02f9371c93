"""The overview: ready, unchanged, cold; how many requests a CPU-second of the gateway answers, and how often it asks.

Everything is compared with something bare in the same run: a Starlette route that answers the same bytes, and one that
asks four such routes at once with aiohttp.

What the gateway asks of the services for it is counted by the services themselves. Where something else happens to
change meanwhile it asks more often, never less: the round with the fewest counts.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from bench.serving import (
    API,
    Json,
    Served,
    Target,
    answers,
    bare,
    cpu_seconds,
    email,
    gateway,
    get,
    in_turns,
    is_ready,
    send,
    sign_up,
    stack,
)
from bench.table import Row, compared, count_gate, seconds_text, speed
from mycelium.simulator import publish
from mycelium.stack.services import FIGURES, GATEWAY, at_rest
from shared.contracts.build import make_event
from shared.contracts.dashboard import SectionChanged
from shared.contracts.topics import SERVICES, UPDATES
from tests.waiting import eventually

_READERS, _ROUNDS, _FAN_OUTS = 60, 3, 500
_PATH: Final = f"{API}/overview"
_ASKED: Final = re.compile(r'^mycelium_http_request_seconds_count\{route="/overview",.*\} (\S+)$', re.MULTILINE)
_TOLD: Final = re.compile(r"^mycelium_update_seconds_count (\S+)$", re.MULTILINE)
_STORE_SECONDS = 60.0


@dataclass(frozen=True)
class Cold:
    """What the first overviews of a gateway took: by CPU-second of it, and seconds until each was there.

    `asked` says how often the services were asked for one: when cold, when ready, and after a change of one section.
    """

    per_cpu_second: float
    seconds: Sequence[float]
    asked: tuple[float, float, float]


async def rows(folder: Path) -> list[Row]:
    """The lines of the table, of a stack in `folder` with nothing else to do."""
    async with stack(folder) as up, aiohttp.ClientSession() as http:
        token = await sign_up(http, up["gateway"], "ada")
        pid, port = up["pids"][GATEWAY], int(up["gateway"].rpartition(":")[2])
        body, tag = await _overview(http, up["gateway"], token)
        ready = Target(port, pid, get(_PATH, token))
        unchanged = Target(port, pid, get(_PATH, token, f"If-None-Match: {tag}\r\n"))
        what = "against a bare Starlette response"
        async with _bare(folder, body) as target:
            found = [
                speed(f"Overviews that are ready, {what}", compared(*await in_turns(ready, target)), 0.4, "CPU-s"),
                speed(f"304s, {what}", compared(*await in_turns(unchanged, target)), 0.8, "CPU-s"),
            ]
        return found + await _cold(http, folder, up, len(body))


@asynccontextmanager
async def _bare(folder: Path, body: bytes) -> AsyncIterator[Target]:
    async with bare(folder, body) as served:
        await answers(served, get("/"))
        yield Target(served.port, served.pid, get("/"))


async def _cold(http: aiohttp.ClientSession, folder: Path, up: Json, size: int) -> list[Row]:
    readers = {name: await sign_up(http, up["gateway"], name) for name in (f"reader-{n}" for n in range(_READERS))}
    assert await at_rest(http, up["services"].values(), FIGURES, _STORE_SECONDS)
    ours, theirs = list[Cold](), list[float]()
    for _ in range(_ROUNDS):
        ours.append(await _first_overviews(http, folder, up, readers))
        theirs.append(await _bare_fan_outs(folder, size))
    rates = compared([each.per_cpu_second for each in ours], theirs)
    wait = seconds_text(median([second for each in ours for second in each.seconds]))
    cold, ready, changed = (min(counts) for counts in zip(*(each.asked for each in ours), strict=True))
    return [
        speed("Cold overviews, against a bare Starlette route that asks four with aiohttp", rates, None, "CPU-s"),
        Row("A cold overview, from asked to there", wait, "", ""),
        count_gate("Internal requests for a cold overview", cold, len(SERVICES)),
        count_gate("Internal requests for one that is ready", ready, 0),
        count_gate("Internal requests after a change in one section", changed, 1),
    ]


async def _first_overviews(http: aiohttp.ClientSession, folder: Path, up: Json, readers: Mapping[str, str]) -> Cold:
    """Of a gateway that has just started: each reader's first, then another, then one after a change."""
    async with gateway(folder, up) as served:
        await is_ready(http, served)
        before, asked, seconds = cpu_seconds(served.pid), [await _asked(http, up)], list[float]()
        for token in readers.values():
            started = time.perf_counter()
            await send(served.port, get(_PATH, token), 1)
            seconds.append(time.perf_counter() - started)
        rate = len(readers) / (cpu_seconds(served.pid) - before)
        asked.append(await _asked(http, up))
        await _read_all(served, readers)
        asked.append(await _asked(http, up))
        await _change(http, served, up, readers)
        await _read_all(served, readers)
        asked.append(await _asked(http, up))
    cold, ready, changed = ((b - a) / len(readers) for a, b in pairwise(asked))
    return Cold(rate, seconds, (cold, ready, changed))


async def _read_all(served: Served, readers: Mapping[str, str]) -> None:
    for token in readers.values():
        await send(served.port, get(_PATH, token), 1)


async def _change(http: aiohttp.ClientSession, served: Served, up: Json, readers: Mapping[str, str]) -> None:
    """Tells of a change in every reader's wallet, and waits until the gateway has heard of all."""
    now, before = datetime.now(UTC), await _count(http, served.url, _TOLD)
    changes = (SectionChanged(user_email=email(name), section="wallet", as_of=now) for name in readers)
    events = [(UPDATES, make_event(each, source="/bench", time=now)) for each in changes]
    await publish(events, up["kafka"], idempotence=False)

    async def has_heard() -> bool:
        return await _count(http, served.url, _TOLD) - before >= len(readers)

    await eventually(has_heard, what="the gateway has heard of the changes")


async def _bare_fan_outs(folder: Path, size: int) -> float:
    """The bare route's answers by CPU-second of it; together they are of the same size."""
    async with AsyncExitStack() as running:
        parts = [await running.enter_async_context(bare(folder, b"x" * (size // 4))) for _ in SERVICES]
        for part in parts:
            await answers(part, get("/"))
        joining = await running.enter_async_context(bare(folder, b"", [f"{part.url}/" for part in parts]))
        await answers(joining, get("/"))
        before = cpu_seconds(joining.pid)
        await send(joining.port, get("/"), _FAN_OUTS)
        return _FAN_OUTS / (cpu_seconds(joining.pid) - before)


async def _asked(http: aiohttp.ClientSession, up: Json) -> float:
    """How often the services were asked for their part of an overview, all in all."""
    return sum(await asyncio.gather(*(_count(http, url, _ASKED) for url in up["services"].values())))


async def _count(http: aiohttp.ClientSession, url: str, figure: re.Pattern[str]) -> float:
    async with http.get(f"{url}/metrics", raise_for_status=True) as response:
        return sum(map(float, figure.findall(await response.text())))


async def _overview(http: aiohttp.ClientSession, gateway: str, token: str) -> tuple[bytes, str]:
    """The overview and its tag, once nothing changes any more."""
    seen: list[str] = []

    async def is_at_rest() -> tuple[bytes, str] | None:
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(f"{gateway}{_PATH}", headers=headers, raise_for_status=True) as response:
            seen.append(response.headers["ETag"])
            return (await response.read(), seen[-1]) if seen[-20:] == [seen[-1]] * 20 else None

    found: tuple[bytes, str] | None = await eventually(is_at_rest, interval=0.1, what="an overview at rest")
    assert found is not None
    return found
