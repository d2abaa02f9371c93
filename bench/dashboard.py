"""The whole stack as a user meets it: what the gateway answers, and what the processes weigh."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import orjson
import psutil

from bench.load import of_one_user
from bench.serving import API, Json, email, sign_up, stack
from bench.table import Row, cost
from mycelium.simulator import publish
from mycelium.stack.services import at_rest
from tests.waiting import eventually

FEW, MANY = 100, 100_000
PAGE = 50
_REQUESTS = 200
_STORE_SECONDS = 180.0
_MOST_MEGABYTES = 150
_ACTIVITIES = "activities"
_ASKED: Final = {
    f"A page of {PAGE} activities": _ACTIVITIES,
    "The usage statistics": "analytics/usage",
    "The spending of 12 months": "analytics/spending?months=12",
}


async def rows(folder: Path) -> list[Row]:
    """The lines of the table, of a stack in `folder` with a user of 100 and a user of 100,000 events."""
    async with stack(folder) as up, aiohttp.ClientSession() as http:
        users = [await _User.signed_up(http, up["gateway"], number) for number in (FEW, MANY)]
        for user in users:
            await user.does_its_events(up["kafka"])
        assert await at_rest(http, up["services"].values(), ("lag",), _STORE_SECONDS)
        behind = f"with {MANY:,} events behind it, against {FEW:,}"
        taken = {what: await _medians(users, path) for what, path in _ASKED.items()}
        found = [cost(f"{what}, {behind}", by[MANY], by[FEW]) for what, by in taken.items()]
        used = {name: _megabytes(pid) for name, pid in up["pids"].items() if name not in ("mongod", "kafka")}
        return found + [_memory(name, megabytes) for name, megabytes in used.items()]


def _memory(name: str, used: float) -> Row:
    return Row(f"Memory of {name}", f"{used:.0f} MB", "", "", f"< {_MOST_MEGABYTES} MB", used < _MOST_MEGABYTES)


async def _medians(users: "list[_User]", path: str) -> dict[int, float]:
    """How long the users wait for an answer, asking in turns."""
    seconds: dict[int, list[float]] = {user.number: [] for user in users}
    for _ in range(_REQUESTS):
        for user in users:
            started = time.perf_counter()
            assert await user.get(path)
            seconds[user.number].append(time.perf_counter() - started)
    return {number: median(taken) for number, taken in seconds.items()}


@dataclass(frozen=True)
class _User:
    """Someone with `number` events, signed in at the gateway."""

    http: aiohttp.ClientSession
    gateway: str
    number: int
    token: str

    @classmethod
    async def signed_up(cls, http: aiohttp.ClientSession, gateway: str, number: int) -> "_User":
        return cls(http, gateway, number, await sign_up(http, gateway, _name(number)))

    async def does_its_events(self, kafka: str) -> None:
        """Publishes them, and waits until the newest of them is shown."""
        events = list(islice(of_one_user(email(_name(self.number))), self.number))
        await publish(events, kafka, idempotence=False)
        newest = events[-1][1].time.strftime("%Y-%m-%dT%H:%M:%S")

        async def are_there() -> bool:
            return any(item["timestamp"].startswith(newest) for item in (await self.get(_ACTIVITIES))["items"])

        await eventually(are_there, timeout=_STORE_SECONDS, interval=0.1, what=f"{self.number} events are shown")

    async def get(self, path: str) -> Json:
        """What the gateway answers."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.get(f"{self.gateway}{API}/{path}", headers=headers, raise_for_status=True) as response:
            answer: Json = orjson.loads(await response.read())
            return answer


def _name(number: int) -> str:
    return f"user.with.{number}"


def _megabytes(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 1_000_000
