"""What is served to be measured: stacks, gateways, a bare Starlette app; and requests, counted by CPU-second."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil

from mycelium.stack import broker
from mycelium.stack.ports import LOOPBACK, free_ports
from mycelium.stack.services import environment, health
from shared.contracts.topics import SERVICES
from tests.waiting import eventually

API: Final = "/api/v1"
ROUNDS: Final = 5
_PASSWORD: Final = "correct horse battery"
_CONNECTIONS, _REQUESTS = 8, 4_000
_START_SECONDS = 90.0

Json = dict[str, Any]  # Any: JSON


@dataclass(frozen=True)
class Target:
    """A request that is sent again and again, and the process that answers it."""

    port: int
    pid: int
    request: bytes

    async def per_cpu_second(self) -> float:
        """Requests answered by a second of the process's CPU time."""
        before = cpu_seconds(self.pid)
        each = _REQUESTS // _CONNECTIONS
        await asyncio.gather(*(send(self.port, self.request, each) for _ in range(_CONNECTIONS)))
        return each * _CONNECTIONS / (cpu_seconds(self.pid) - before)


@dataclass(frozen=True)
class Served:
    """Where a process answers."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://{LOOPBACK}:{self.port}"


async def in_turns(one: Target, other: Target) -> tuple[list[float], list[float]]:
    """Requests a CPU-second of both, round by round; the first round is for warming up."""
    rates = [(await one.per_cpu_second(), await other.per_cpu_second()) for _ in range(ROUNDS + 1)]
    return [a for a, _ in rates[1:]], [b for _, b in rates[1:]]


@asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[Json]:
    """`mycelium up` with nothing in it; gives what its stack.json says."""
    (port,) = free_ports(1)
    arguments = ("up", "--no-demo", "--port", str(port), "--data-dir", str(folder))
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mycelium", *arguments), stdout=asyncio.subprocess.DEVNULL
    )
    description = folder / "stack.json"
    try:
        await eventually(description.exists, timeout=_START_SECONDS, what=f"a stack on {LOOPBACK}:{port}")
        yield orjson.loads(description.read_bytes())
    finally:
        up.terminate()
        await up.wait()


@asynccontextmanager
async def gateway(folder: Path, up: Json, settings: Mapping[str, str] | None = None) -> AsyncIterator[Served]:
    """Another gateway of the stack `up` in `folder`, as soon as its process is there."""
    (port,) = free_ports(1)
    secrets = orjson.loads((folder / "secrets.json").read_bytes())
    urls = {f"{name.upper()}_URL": up["services"][name] for name in SERVICES}
    given = {**environment(), **broker.CLIENT_SETTINGS, **secrets, **urls, **(settings or {})}
    given |= {"KAFKA_BOOTSTRAP_SERVERS": up["kafka"], "PORT": str(port), "LOG_LEVEL": "ERROR"}
    async with _process(sys.executable, "-P", "-m", "services.gateway", environment=given) as pid:
        yield Served(port, pid)


async def is_ready(http: aiohttp.ClientSession, served: Served) -> None:
    """Waits until a gateway says that it is ready."""

    async def says_so() -> bool:
        return (await health(http, served.url)).get("ready") is True

    await eventually(says_so, timeout=60, what="a gateway is ready")


@asynccontextmanager
async def bare(folder: Path, body: bytes, behind: Sequence[str] = ()) -> AsyncIterator[Served]:
    """A Starlette app that answers `body`, or with URLs `behind` it what these answer; once its process is there."""
    (port,) = free_ports(1)
    file = folder / f"body-{port}"
    file.write_bytes(body)
    async with _process(sys.executable, "-m", "bench.bare_starlette", str(port), str(file), *behind) as pid:
        yield Served(port, pid)


async def answers(served: Served, request: bytes) -> None:
    """Waits until a process answers this request, which is tried all the time."""

    async def does() -> bool:
        try:
            await send(served.port, request, 1)
        except OSError:
            return False
        return True

    await eventually(does, interval=0.005, what="an answer")


@asynccontextmanager
async def _process(*command: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def send(port: int, request: bytes, times: int) -> None:
    """Sends a request so many times on one connection, each after the answer to the one before."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    for _ in range(times):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head[9:12] in (b"200", b"304"), head
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or 0))
    writer.close()


def get(path: str, token: str = "", more: str = "") -> bytes:
    """A request, byte by byte."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\n{authorization}{more}\r\n".encode()


async def sign_up(http: aiohttp.ClientSession, gateway: str, name: str) -> str:
    """The token of somebody new."""
    credentials = await register(http, gateway, email(name))
    async with http.post(f"{gateway}{API}/auth/login", json=credentials, raise_for_status=True) as response:
        token: str = (await response.json())["access_token"]
        return token


async def register(http: aiohttp.ClientSession, gateway: str, who: str) -> Mapping[str, str]:
    """Makes an account for this email; what to log in with."""
    credentials = {"email": who, "password": _PASSWORD}
    async with http.post(f"{gateway}{API}/auth/register", json=credentials, raise_for_status=True):
        return credentials


def email(name: str) -> str:
    """The email of whoever signed up by this name."""
    return f"{name}@example.org"


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process until now."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
