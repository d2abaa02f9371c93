"""Our own processes: the services and the gateway, what each is given, and what each says of itself."""

import asyncio
import os
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import aiohttp

from mycelium.stack.keeper import Program
from mycelium.stack.ports import LOOPBACK
from shared.contracts.topics import SERVICES

GATEWAY = "gateway"
NAMES = (*SERVICES, GATEWAY)

# What a service has not dealt with yet: records that it has to read, changes that it has to publish.
FIGURES = ("lag", "outbox")

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Addresses:
    """Where everything is; decided before anything starts, and true until the end. `ports` are our own processes'."""

    kafka: str
    mongo: str
    ports: Mapping[str, int]

    def url(self, name: str) -> str:
        """The base URL of one of our processes."""
        return f"http://{LOOPBACK}:{self.ports[name]}"


def programs(
    addresses: Addresses, secrets: Mapping[str, str], client_settings: Mapping[str, str], http: aiohttp.ClientSession
) -> list[Program]:
    """The services and the gateway, each with the settings and the secrets that it needs and no others."""
    common = {
        "HOST": LOOPBACK,
        "KAFKA_BOOTSTRAP_SERVERS": addresses.kafka,
        "INTERNAL_KEY": secrets["INTERNAL_KEY"],
        **client_settings,
    }
    service = common | {"MONGO_URL": addresses.mongo}
    own = {"purchases": {name: secrets[name] for name in ("CREDENTIALS_PRIVATE_JWK", "CREDENTIALS_KEKS")}}
    gateway = common | {name: secrets[name] for name in ("TOKEN_KEY", "EXPORT_KEY")}
    gateway |= {f"{name.upper()}_URL": addresses.url(name) for name in SERVICES}
    return [
        _program(name, addresses, gateway if name == GATEWAY else service | own.get(name, {}), http) for name in NAMES
    ]


def _program(name: str, addresses: Addresses, settings: Mapping[str, str], http: aiohttp.ClientSession) -> Program:
    async def prepare(_pid: int) -> None:
        while not (await health(http, addresses.url(name))).get("ready"):  # noqa: ASYNC110  (another process)
            await asyncio.sleep(_POLL_SECONDS)

    async def is_alive() -> bool:
        return await answers(http, addresses.url(name))

    # -P: a folder called `services` where the user happens to stand is not ours
    argv = (sys.executable, "-P", "-m", f"services.{name}")
    return Program(name, argv, {**environment(), **settings, "PORT": str(addresses.ports[name])}, prepare, is_alive)


def environment() -> dict[str, str]:
    """What our processes inherit: everything but the names of servers, which the stack decides on."""
    return {name: value for name, value in os.environ.items() if name not in ("KAFKA_BOOTSTRAP_SERVERS", "MONGO_URL")}


async def answers(http: aiohttp.ClientSession, url: str) -> bool:
    """Whether the process at `url` answers /livez, whatever it says."""
    try:
        async with http.get(f"{url}/livez"):
            return True
    except (aiohttp.ClientError, TimeoutError):
        return False


async def health(http: aiohttp.ClientSession, url: str) -> dict[str, object]:
    """What the process at `url` answers on /readyz; empty if it does not answer."""
    try:
        async with http.get(f"{url}/readyz") as response:
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return {}
    return answer if isinstance(answer, dict) else {}


async def at_rest(http: aiohttp.ClientSession, urls: Iterable[str], figures: Collection[str], seconds: float) -> bool:
    """Waits until `figures` of all services are 0. False if `seconds` were not enough for that."""
    urls = tuple(urls)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers = await asyncio.gather(*(health(http, url) for url in urls))
        if all(_is_at_rest(answer, figures) for answer in answers):
            return True
        await asyncio.sleep(_POLL_SECONDS)
    return False


def _is_at_rest(answer: Mapping[str, object], figures: Collection[str]) -> bool:
    """A service tells the figures that it has, and each has one at least: no answer is no rest."""
    told = {figure: answer[figure] for figure in FIGURES if figure in answer}
    return bool(told) and all(value == 0 for figure, value in told.items() if figure in figures)
