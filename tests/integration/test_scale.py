"""One service in several processes: they share the partitions, and while some join, leave and die nothing is lost.

How long each event took to be stored is logged (`pytest --log-cli-level=INFO`) and not asserted: a busy machine takes
as long as it likes.
"""

import asyncio
import logging
import math
import re
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any
from uuid import uuid4

import aiohttp
import pytest_asyncio

from services.activity.consumer import TOPICS
from services.activity.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn
from shared.contracts.marketplace import CartItemAdded
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import IDENTITY, MARKETPLACE, Topic
from shared.plumbing.mongo import Client
from shared.plumbing.publish import Publisher
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import publishing
from tests.waiting import eventually

Given = dict[str, object]
PARTITIONS = sum(topic.partitions for topic in TOPICS)
_log = logging.getLogger(__name__)


@pytest_asyncio.fixture(loop_scope="session")
async def settings(client_settings: Given, mongo_url: str) -> Given:
    given = {"kafka_session_timeout_ms": 6_000, "kafka_heartbeat_interval_ms": 2_000, "keep_per_user": 1_000_000}
    return {**given, **client_settings, "mongo_url": mongo_url}


class Flow:
    """Logins and carts of users whom nobody else has, on two topics, and when each was published and stored.

    Events are known by their rank, as in the timeline; times are seconds since 1970.
    """

    def __init__(self, settings: Given, client: Client) -> None:
        self._users = [f"{uuid4().hex}@example.org" for _ in range(60)]
        self._settings = Settings.model_validate(settings)
        self._activities = client["activity"]["activities"]
        self._published: dict[str, float] = {}
        self._written: Counter[str] = Counter()
        self._stored_at: dict[str, float] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publishes on and on, and watches what is written; ends when all that was published is stored."""
        done = asyncio.Event()
        async with publishing(self._settings) as publisher, self._activities.watch() as changes:
            watcher = asyncio.create_task(self._watch(changes))
            writer = asyncio.create_task(self._publish(publisher, done))
            try:
                yield
            finally:
                done.set()
                await writer
            await eventually(lambda: self._published.keys() == self._written.keys(), timeout=60, what="all is stored")
            watcher.cancel()
            await asyncio.wait([watcher])

    async def _publish(self, publisher: Publisher, done: asyncio.Event) -> None:
        for start in cycle(range(0, len(self._users), 10)):
            events = [(topic, event) for user in self._users[start : start + 10] for topic, event in happened(user)]
            self._published |= {event.rank: event.time.timestamp() for _, event in events}
            await publisher.records((topic.name, e.subject.encode(), e.to_json(), ()) for topic, e in events)
            if done.is_set():
                return
            await asyncio.sleep(0.05)  # a steady stream, not as much as the machine can do

    async def _watch(self, changes: Any) -> None:  # Any: the driver's
        async for change in changes:
            event = change.get("fullDocument", {}).get("event")
            if event in self._published:
                self._written[event] += 1
                self._stored_at[event] = change["wallTime"].timestamp()

    async def goes_on(self) -> None:
        """Waits until some of what is published from now on is stored of every user."""
        known = set(self._published)
        enough = 4 * len(self._users)
        await eventually(lambda: len(self._written.keys() - known) > enough, timeout=60, what="events are stored")

    async def assert_nothing_is_lost_or_doubled(self) -> None:
        """Raises AssertionError unless each event was written once and is there."""
        assert {event: times for event, times in self._written.items() if times > 1} == {}
        found = [d["event"] async for d in self._activities.find({"user": {"$in": self._users}}, {"event": 1})]
        assert Counter(found) == Counter(self._published.keys())

    def longest_wait(self, since: float, until: float) -> float:
        """The longest time (seconds) from published to stored, of what was stored between the two."""
        return max(at - self._published[event] for event, at in self._stored_at.items() if since <= at < until)


def happened(user: str) -> list[tuple[Topic, AnyEvent]]:
    said = (
        (IDENTITY, UserLoggedIn(user_email=user, session_id="s")),
        (MARKETPLACE, CartItemAdded(user_email=user, product_id="p", quantity=1)),
    )
    return [(topic, make_event(data, source="/flow")) for topic, data in said]


async def held(process: ServiceProcess, http: aiohttp.ClientSession) -> int:
    """How many partitions a process holds."""
    await process.health()  # brings the figure up to date
    async with http.get(f"{process.url}/metrics") as response:
        return int(float(re.findall(r"^mycelium_assigned_partitions (\S+)$", await response.text(), re.MULTILINE)[0]))


async def share(*processes: ServiceProcess) -> None:
    """Waits until the processes hold as many partitions as there are, and each holds some."""
    for process in processes:
        await process.ready()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as http:

        async def is_shared() -> bool:
            numbers = [await held(process, http) for process in processes]
            assert sum(numbers) == PARTITIONS, numbers
            return all(numbers)

        await eventually(is_shared, timeout=60, interval=0.1, what=f"{len(processes)} processes share the partitions")


async def test_processes_that_join_leave_and_die_lose_and_double_nothing(
    settings: Given, client: Client, tmp_path: Path
) -> None:
    flow, steps = Flow(settings, client), dict[str, float]()
    async with AsyncExitStack() as stack:
        a, b, c = [
            await stack.enter_async_context(service_process("activity", settings, tmp_path / name)) for name in "abc"
        ]
        for process in (a, b):
            await process.start()
        await share(a, b)
        async with flow.running():
            await flow.goes_on()
            steps["c joins"] = time.time()
            await c.start()
            await share(a, b, c)
            await flow.goes_on()
            steps["a leaves"] = time.time()
            assert await a.signal(SIGTERM) == 0
            await share(b, c)
            await flow.goes_on()
            steps["b dies"] = time.time()
            await b.signal(SIGKILL)
            await share(c)
            await flow.goes_on()
        await flow.assert_nothing_is_lost_or_doubled()
    for (step, since), until in zip(steps.items(), [*[*steps.values()][1:], math.inf], strict=True):
        _log.info("%s: an event waited for %.2f s at most", step, flow.longest_wait(since, until))
