"""What a batch asks of Mongo, counted: as much however many events and users it tells of."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

import pytest
import pytest_asyncio
from motor.motor_asyncio import AsyncIOMotorClient

from bench.analytics import Service
from bench.ingest import MOST_COMMANDS
from bench.load import of_profile
from bench.probe import Commands
from bench.purchases import vault
from mycelium.simulator import Scenario, history
from services.activity import consumer as activity
from services.activity.store import ActivityStore
from services.analytics import consumer as analytics
from services.profile import consumer as profile
from services.profile.store import UserStore
from services.purchases import consumer as purchases
from services.purchases.store import PurchaseStore
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import Topic
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

_EVENTS: Final = 600
_SCENARIO: Final = Scenario(seed=5, users=40, days=8, until=datetime(2026, 6, 1, tzinfo=UTC))
_OF_ERASURES: Final = 3  # commands of a batch that are not the store's

Apply = Callable[[Sequence[AnyEvent]], Awaitable[Any]]  # Any: what each service's own answers


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest_asyncio.fixture(loop_scope="session")
async def counted(
    mongo_url: str, database: Database, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """The test file's database, by a client whose commands are counted."""
    with monkeypatch.context() as patched:
        patched.setattr(mongo, "AsyncIOMotorClient", partial(AsyncIOMotorClient, event_listeners=[commands]))
        client = mongo.connect(mongo_url)
    yield client[database.name]
    client.close()


def _of_activity(database: Database) -> Apply:
    return partial(activity.apply, ActivityStore(database, 1_000))


def _of_purchases(database: Database) -> Apply:
    return partial(purchases.apply, PurchaseStore(database), vault(database))


def _of_analytics(database: Database) -> Apply:
    return Service(database).apply


async def _no_receipts(_: object) -> int:
    return 0


def _of_profile(database: Database) -> Apply:
    erasures: Any = SimpleNamespace(fold=_no_receipts)  # Any: of the erasures only this is asked
    return partial(profile.apply, UserStore(database), erasures)


def _happened(topics: Sequence[Topic]) -> list[AnyEvent]:
    return list(islice((event for topic, event in history(_SCENARIO) if topic in topics), _EVENTS))


@pytest.mark.parametrize(
    ("service", "apply_on", "events"),
    [
        ("activity", _of_activity, lambda: _happened(activity.TOPICS)),
        ("purchases", _of_purchases, lambda: _happened(purchases.TOPICS)),
        ("analytics", _of_analytics, lambda: _happened(analytics.TOPICS)),
        ("profile", _of_profile, lambda: [event for _, event in of_profile(_EVENTS)]),
    ],
)
async def test_a_batch_asks_mongo_as_much_whatever_is_in_it(
    service: str,
    apply_on: Callable[[Database], Apply],
    events: Callable[[], list[AnyEvent]],
    counted: Database,
    commands: Commands,
) -> None:
    apply, batch = apply_on(counted), events()
    assert len({event.subject for event in batch}) > MOST_COMMANDS[service]
    before = commands.count
    for again in (batch, batch):
        await apply(again)
        asked, before = commands.count - before, commands.count
        assert 0 < asked <= MOST_COMMANDS[service] - _OF_ERASURES
