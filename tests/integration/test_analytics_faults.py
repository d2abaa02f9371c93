"""Killed under load, the analytics service has every figure right in the end."""

import random
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from signal import SIGKILL
from typing import Any
from uuid import uuid4

import aiohttp
from pydantic import SecretStr

from mycelium.simulator import Scenario, history
from services.analytics.consumer import TOPICS
from services.analytics.settings import Settings
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import Topic
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from tests.integration.test_analytics_truth import assert_true, truth_of
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import publishing
from tests.waiting import eventually

Given = dict[str, object]


def lives(users: tuple[str, ...]) -> list[tuple[Topic, AnyEvent]]:
    """Four months of simulated life of these users, in no order, and some of it twice."""
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    told = history(Scenario(seed=21, users=0, days=120, until=until, emails=users))
    theirs = [(topic, event) for topic, event in told if topic in TOPICS and event.subject in users]
    mixed = theirs + random.Random(1).sample(theirs, len(theirs) // 5)
    random.Random(2).shuffle(mixed)
    return mixed


async def test_killed_under_load_every_figure_is_right_in_the_end(
    client_settings: Given, mongo_url: str, tmp_path: Path
) -> None:
    users = tuple(f"{uuid4().hex}@example.test" for _ in range(5))
    told = lives(users)
    halves = told[: len(told) // 2], told[len(told) // 2 :]
    early, every = lines_in(halves[0]), lines_in(told)
    settings = Settings.model_validate({**client_settings, "mongo_url": mongo_url})
    client = mongo.connect(mongo_url)
    ledger = client["analytics"]["transactions"]

    async def has_read(number: float) -> bool:
        """Whether so many lines of the users' ledgers are stored."""
        return bool(await ledger.count_documents({"user": {"$in": users}}) >= number)

    given = {**client_settings, "mongo_url": mongo_url, "batch_max_records": 100}
    async with (
        service_process("analytics", given, tmp_path / "log") as process,
        aiohttp.ClientSession() as http,
        publishing(settings) as publisher,
    ):
        await publisher.records((topic.name, e.subject.encode(), e.to_json(), ()) for topic, e in halves[0])
        await process.start()
        await eventually(partial(has_read, 1), timeout=60, interval=0.002)
        await process.signal(SIGKILL)
        assert not await has_read(early), "it was killed too late for the test to mean anything"
        await process.start()
        await eventually(partial(has_read, early), timeout=60)
        await process.ready()
        for user in users:  # has figures worked out that what follows makes wrong
            await usage(process, http, settings.internal_key, user)
        await publisher.records((topic.name, e.subject.encode(), e.to_json(), ()) for topic, e in halves[1])
        await eventually(partial(has_read, early + (every - early) / 4), timeout=60, interval=0.002)
        await process.signal(SIGKILL)
        assert not await has_read(every), "it was killed too late for the test to mean anything"
        await process.start()
        await process.ready()
        for user, truth in truth_of(event for _, event in told).items():

            async def right(user: str = user, truth: Any = truth) -> bool:
                assert_true(await usage(process, http, settings.internal_key, user), truth)
                return True

            await eventually(right, timeout=60, interval=0.2)
    client.close()


def lines_in(told: list[tuple[Topic, AnyEvent]]) -> int:
    """How many lines the ledgers have."""
    posted = [event.data for _, event in told if isinstance(event.data, WalletTransactionPosted)]
    return len({(line.user_email, line.transaction_id) for line in posted})


async def usage(process: ServiceProcess, http: aiohttp.ClientSession, key: SecretStr, user: str) -> Any:  # Any: JSON
    token = {"authorization": f"Bearer {InternalTokens(key).sign('analytics', user)}"}
    async with http.get(f"{process.url}/analytics/usage", headers=token) as response:
        assert response.status == 200
        return await response.json()
