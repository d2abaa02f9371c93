"""Who waits for whom: 2,000 open streams beside other requests, and a service in a black hole beside the others."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from bench.serving import API, ROUNDS, Json, Served, Target, gateway, get, is_ready, sign_up, stack
from bench.table import Row, compared, seconds_text, speed
from mycelium.stack.ports import LOOPBACK
from mycelium.stack.services import GATEWAY

_STREAMS, _STREAMS_EACH = 2_000, 20
_WAITS: Final = 1_500


async def rows(folder: Path) -> list[Row]:
    """The lines of the table, of a stack in `folder` with nothing else to do."""
    async with stack(folder) as up, aiohttp.ClientSession() as http:
        pid, port = up["pids"][GATEWAY], int(up["gateway"].rpartition(":")[2])
        token = await sign_up(http, up["gateway"], "ada")
        streams = await _with_streams(http, up, Target(port, pid, get(f"{API}/profile", token)))
        return [streams, await _with_a_black_hole(http, folder, up)]


async def _with_streams(http: aiohttp.ClientSession, up: Json, target: Target) -> Row:
    """What the gateway answers while so many streams are open, against what it answers without them."""
    rates, alone = list[float](), list[float]()
    tokens = [await sign_up(http, up["gateway"], f"reader-{number}") for number in range(_STREAMS // _STREAMS_EACH)]
    await target.per_cpu_second()
    for _ in range(3):
        alone.append(await target.per_cpu_second())
        async with AsyncExitStack() as streams:
            for token in tokens:
                opened = (_stream(target.port, token) for _ in range(_STREAMS_EACH))
                await asyncio.gather(*(streams.enter_async_context(each) for each in opened))
            rates.append(await target.per_cpu_second())
    return speed(f"Profiles, with {_STREAMS:,} open streams, against none", compared(rates, alone), 0.8, "CPU-s")


@asynccontextmanager
async def _stream(port: int, token: str) -> AsyncIterator[None]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(get(f"{API}/stream", token))
    await reader.readuntil(b"\n\n")
    try:
        yield
    finally:
        writer.transport.abort()


async def _with_a_black_hole(http: aiohttp.ClientSession, folder: Path, up: Json) -> Row:
    """How long those wait who ask for something else, while everybody asks for what one service never answers."""
    with socket.create_server((LOOPBACK, 0), backlog=4_096) as hole:
        url = f"http://{LOOPBACK}:{hole.getsockname()[1]}"
        async with gateway(folder, up) as whole, gateway(folder, up, {"ANALYTICS_URL": url}) as cut:
            await asyncio.gather(is_ready(http, whole), is_ready(http, cut))
            tokens = [await sign_up(http, up["gateway"], f"waiting-{number}") for number in range(8)]
            one, other = list[float](), list[float]()
            for _ in range(ROUNDS):
                other.append(await _p99(http, whole, tokens))
                one.append(await _p99(http, cut, tokens))
    found = compared(one, other)
    what = "p99 of activities, wallet and profile with analytics in a black hole, against all well"
    return Row(
        what, seconds_text(median(one)), seconds_text(median(other)), f"{found.ratio:.2f}", "< 1.2", found.ratio < 1.2
    )


async def _p99(http: aiohttp.ClientSession, served: Served, tokens: Sequence[str]) -> float:
    """Seconds. Each user asks for one thing after the other, and for analytics and the overview beside that."""
    seconds, done = list[float](), asyncio.Event()

    async def ask(path: str, token: str) -> None:
        async with http.get(f"{served.url}{API}/{path}", headers={"Authorization": f"Bearer {token}"}) as response:
            await response.read()

    async def waits(token: str) -> None:
        for number in range(_WAITS // len(tokens)):
            started = time.perf_counter()
            await ask(("activities?limit=5", "wallet", "profile")[number % 3], token)
            seconds.append(time.perf_counter() - started)

    async def asks_for_analytics(token: str) -> None:
        while not done.is_set():
            await ask("analytics/usage", token)
            await ask("overview", token)
            await asyncio.sleep(0.1)  # or the one that answers at once would be asked far more often

    beside = [asyncio.create_task(asks_for_analytics(token)) for token in tokens]
    await asyncio.gather(*map(waits, tokens))
    done.set()
    await asyncio.gather(*beside)
    return sorted(seconds)[len(seconds) * 99 // 100]
