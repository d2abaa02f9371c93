"""The overview and the streams: how many requests a CPU-second of the gateway answers, and who waits for whom.

Everything is compared with something else in the same run: a bare Starlette route that answers the same bytes, the same
gateway without streams, a gateway whose analytics service answers.
"""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import orjson
import psutil

from bench.dashboard import Json, stack
from bench.table import Row
from mycelium.stack import broker
from mycelium.stack.ports import LOOPBACK, free_ports
from mycelium.stack.services import GATEWAY, environment, health
from shared.contracts.topics import SERVICES
from tests.waiting import eventually

_ROUNDS, _CONNECTIONS = 5, 8
_REQUESTS: Final = 4_000
_STREAMS, _STREAMS_EACH = 2_000, 20
_WAITS: Final = 1_500
_API = "/api/v1"
_PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Target:
    """A request that is sent again and again, and the process that answers it."""

    port: int
    pid: int
    request: bytes

    async def per_cpu_second(self) -> float:
        """Requests answered by a second of the process's CPU time."""
        before = _cpu_seconds(self.pid)
        each = _REQUESTS // _CONNECTIONS
        await asyncio.gather(*(_send(self.port, self.request, each) for _ in range(_CONNECTIONS)))
        return each * _CONNECTIONS / (_cpu_seconds(self.pid) - before)


async def rows(folder: Path) -> list[Row]:
    """The lines about the overview and the streams, of a stack in `folder` with nothing else to do."""
    async with AsyncExitStack() as running:
        up = await running.enter_async_context(stack(folder))
        http = await running.enter_async_context(aiohttp.ClientSession())
        token = await _sign_up(http, up["gateway"], "ada")
        pid, port = up["pids"][GATEWAY], int(up["gateway"].rpartition(":")[2])
        body, tag = await _overview(http, up["gateway"], token)
        bare = await running.enter_async_context(_bare(folder, body))
        ready = Target(port, pid, _get(f"{_API}/overview", token))
        unchanged = Target(port, pid, _get(f"{_API}/overview", token, f"If-None-Match: {tag}\r\n"))
        found = [
            _row("Overviews that are ready, against a bare Starlette response", await _in_turns(ready, bare), 0.4),
            _row("304s, against a bare Starlette response", await _in_turns(unchanged, bare), 0.8),
        ]
        found += [await _with_streams(http, up, Target(port, pid, _get(f"{_API}/profile", token)))]
        found += [await _with_a_black_hole(running, http, folder, up)]
        return found


def _row(what: str, rates: Sequence[tuple[float, float]], target: float) -> Row:
    one, other = zip(*rates, strict=True)
    ratio = median(a / b for a, b in rates)
    figures = (f"{median(one):,.0f}/CPU-s", f"{median(other):,.0f}/CPU-s", f"{ratio:.2f}")
    return Row(what, *figures, f"≥ {target:g}", ratio >= target)


async def _in_turns(one: Target, other: Target) -> list[tuple[float, float]]:
    """Requests a CPU-second of both, round by round; the first round is for warming up."""
    rates = [(await one.per_cpu_second(), await other.per_cpu_second()) for _ in range(_ROUNDS + 1)]
    return rates[1:]


async def _with_streams(http: aiohttp.ClientSession, up: Json, target: Target) -> Row:
    """What the gateway answers while so many streams are open, against what it answers without them."""
    rates = list[tuple[float, float]]()
    tokens = [await _sign_up(http, up["gateway"], f"reader-{number}") for number in range(_STREAMS // _STREAMS_EACH)]
    await target.per_cpu_second()
    for _ in range(3):
        without = await target.per_cpu_second()
        async with AsyncExitStack() as streams:
            for token in tokens:
                opened = (_stream(target.port, token) for _ in range(_STREAMS_EACH))
                await asyncio.gather(*(streams.enter_async_context(each) for each in opened))
            rates.append((await target.per_cpu_second(), without))
    return _row(f"Profiles, with {_STREAMS:,} open streams, against none", rates, 0.8)


async def _with_a_black_hole(running: AsyncExitStack, http: aiohttp.ClientSession, folder: Path, up: Json) -> Row:
    """How long those wait who ask for something else, while everybody asks for what one service never answers."""
    hole = running.enter_context(socket.create_server((LOOPBACK, 0), backlog=4_096))
    url = f"http://{LOOPBACK}:{hole.getsockname()[1]}"
    whole = await running.enter_async_context(_gateway(http, folder, up, {}))
    cut = await running.enter_async_context(_gateway(http, folder, up, {"ANALYTICS_URL": url}))
    tokens = [await _sign_up(http, up["gateway"], f"waiting-{number}") for number in range(8)]
    one, other = list[float](), list[float]()
    for _ in range(_ROUNDS):
        other.append(await _p99(http, whole, tokens))
        one.append(await _p99(http, cut, tokens))
    ratio = median(a / b for a, b in zip(one, other, strict=True))
    what = "p99 of activities, wallet and profile with analytics in a black hole, against all well"
    return Row(
        what, f"{median(one) * 1e3:.1f} ms", f"{median(other) * 1e3:.1f} ms", f"{ratio:.2f}", "< 1.2", ratio < 1.2
    )


async def _p99(http: aiohttp.ClientSession, gateway: str, tokens: Sequence[str]) -> float:
    """Seconds. Each user asks for one thing after the other, and for analytics and the overview beside that."""
    seconds, done = list[float](), asyncio.Event()

    async def get(path: str, token: str) -> None:
        async with http.get(f"{gateway}{_API}/{path}", headers={"Authorization": f"Bearer {token}"}) as response:
            await response.read()

    async def waits(token: str) -> None:
        for number in range(_WAITS // len(tokens)):
            started = time.perf_counter()
            await get(("activities?limit=5", "wallet", "profile")[number % 3], token)
            seconds.append(time.perf_counter() - started)

    async def asks_for_analytics(token: str) -> None:
        while not done.is_set():
            await get("analytics/usage", token)
            await get("overview", token)
            await asyncio.sleep(0.1)  # or the one that answers at once would be asked far more often

    beside = [asyncio.create_task(asks_for_analytics(token)) for token in tokens]
    await asyncio.gather(*map(waits, tokens))
    done.set()
    await asyncio.gather(*beside)
    return sorted(seconds)[len(seconds) * 99 // 100]


@asynccontextmanager
async def _gateway(
    http: aiohttp.ClientSession, folder: Path, up: Json, settings: Mapping[str, str]
) -> AsyncIterator[str]:
    """Another gateway of the same stack."""
    (port,) = free_ports(1)
    secrets = orjson.loads((folder / "secrets.json").read_bytes())
    urls = {f"{name.upper()}_URL": up["services"][name] for name in SERVICES}
    given = {**environment(), **broker.CLIENT_SETTINGS, **secrets, **urls, **settings}
    given |= {"KAFKA_BOOTSTRAP_SERVERS": up["kafka"], "PORT": str(port), "LOG_LEVEL": "ERROR"}
    async with _process(sys.executable, "-P", "-m", "services.gateway", environment=given):
        url = f"http://{LOOPBACK}:{port}"

        async def is_ready() -> bool:
            return (await health(http, url)).get("ready") is True

        await eventually(is_ready, timeout=60, what="a gateway is ready")
        yield url


@asynccontextmanager
async def _bare(folder: Path, body: bytes) -> AsyncIterator[Target]:
    """A Starlette app with one route that answers `body`."""
    (folder / "body").write_bytes(body)
    (port,) = free_ports(1)
    async with _process(sys.executable, "-m", "bench.bare_starlette", str(port), str(folder / "body")) as pid:

        async def listens() -> bool:
            try:
                await _send(port, _get("/"), 1)
            except OSError:
                return False
            return True

        await eventually(listens, what="the bare app answers")
        yield Target(port, pid, _get("/"))


@asynccontextmanager
async def _process(*command: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _stream(port: int, token: str) -> AsyncIterator[None]:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(_get(f"{_API}/stream", token))
    await reader.readuntil(b"\n\n")
    try:
        yield
    finally:
        writer.transport.abort()


async def _send(port: int, request: bytes, times: int) -> None:
    """Sends a request so many times on one connection; all the answers are as long as the first."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.split(b" ")[1] in (b"200", b"304"), head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    await reader.readexactly(length)
    for _ in range(times - 1):
        writer.write(request)
        await reader.readexactly(len(head) + length)
    writer.close()


def _get(path: str, token: str = "", more: str = "") -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{authorization}{more}\r\n".encode()


async def _sign_up(http: aiohttp.ClientSession, gateway: str, name: str) -> str:
    credentials = {"email": f"{name}@example.org", "password": _PASSWORD}
    async with http.post(f"{gateway}{_API}/auth/register", json=credentials, raise_for_status=True):
        pass
    async with http.post(f"{gateway}{_API}/auth/login", json=credentials, raise_for_status=True) as response:
        token: str = (await response.json())["access_token"]
        return token


async def _overview(http: aiohttp.ClientSession, gateway: str, token: str) -> tuple[bytes, str]:
    """The overview and its tag, once nothing changes any more."""
    seen: list[str] = []

    async def is_at_rest() -> tuple[bytes, str] | None:
        headers = {"Authorization": f"Bearer {token}"}
        async with http.get(f"{gateway}{_API}/overview", headers=headers, raise_for_status=True) as response:
            seen.append(response.headers["ETag"])
            return (await response.read(), seen[-1]) if seen[-20:] == [seen[-1]] * 20 else None

    found: tuple[bytes, str] | None = await eventually(is_at_rest, interval=0.1, what="an overview at rest")
    assert found is not None
    return found


def _cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
