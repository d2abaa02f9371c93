"""The analytics service against a bare loop with the same writes, and with 10 and 10,000 purchases behind a user.

Both begin with the bytes of the records and end when Mongo has acknowledged; neither reads from Kafka. The bare loop
believes what comes: `orjson.loads`, then one bulk write for each collection with as many upserts, of documents with the
same fields and columns. Ours validates, reads what is known, heeds the consents, and merges so that any order gives the
same state.

The purchases of the histories lie an equal time apart over five years.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count, islice
from statistics import median
from typing import Any, Final

import orjson
from pymongo import UpdateOne

from bench import bare
from mycelium.simulator import Scenario, history
from services.analytics import api, catalogue, consumer, notifications, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.domain.presence import PRESENT
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import KINDS, AnalyticsStore
from shared.contracts.build import make_event
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event
from shared.contracts.marketplace import PurchaseCreated, PurchaseStatusChanged
from shared.contracts.reading import AnyEvent
from shared.folds.facts import USED_PAYLOADS
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

INDEXES: Final = {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES, **notifications.INDEXES}
HISTORIES: Final = (10, 10_000)
_EVENTS, _BATCH = 20_000, 1_000
_TIMES = 40
_FIVE_YEARS: Final = timedelta(days=5 * 365)
_USED: Final = frozenset(payload.event_type for payload in USED_PAYLOADS)
_PRESENT: Final = frozenset(payload.event_type for payload in PRESENT)
_COLLECTIONS: Final[Mapping[str, str]] = {kind: keeping.collection for kind, keeping in KINDS.items()}
_LOOKED: Final = "product.viewed.v1"


class Service:
    """What the service is made of, on a database of its own, without Kafka."""

    def __init__(self, database: Database) -> None:
        self._store, self._presences, self._catalogue = (
            AnalyticsStore(database),
            Presences(database),
            Catalogue(database),
        )
        self._notifications = Notifications(database)
        self.reckoning = Reckoning(database, self._presences)

    async def apply(self, events: Sequence[AnyEvent]) -> None:
        """Stores what a batch of events says."""
        await consumer.apply(self._store, self._presences, self._catalogue, self._notifications, events)


async def costs(mongo_url: str) -> bare.Costs:
    """Measures both, in turns, on databases of its own; then ours with few and many purchases behind the user."""
    client = mongo.connect(mongo_url)
    found = await bare.compared(client, INDEXES, _records(), _ours, _bare)
    await _with_few_and_many(client["bench_analytics"], found)
    await client.drop_database("bench_analytics")
    client.close()
    return found


def _records() -> list[bare.Record]:
    scenario = Scenario(seed=3, users=400, days=20, until=bare.UNTIL)
    used = ((t, e) for t, e in history(scenario) if t in consumer.TOPICS and e.type in _USED | _PRESENT)
    return [(t.name, e.subject.encode(), e.to_json()) for t, e in islice(used, _EVENTS)]


def _batches(records: Sequence[bare.Record]) -> Iterator[Sequence[bare.Record]]:
    return (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))


async def _ours(database: Database, records: Sequence[bare.Record]) -> None:
    reader, service = consumer.reader(), Service(database)
    for batch in _batches(records):
        read = [reader.read(topic, key, value, (CONTENT_TYPE_HEADER,)) for topic, key, value in batch]
        await service.apply([event for event in read if isinstance(event, Event)])


async def _bare(database: Database, records: Sequence[bare.Record]) -> None:
    for batch in _batches(records):
        events = [orjson.loads(value) for _topic, _key, value in batch]
        things = bare.Things(_COLLECTIONS)
        for event in events:
            things.add(event)
        writes = things.writes()
        _write_presences([event for event in events if event["type"] in _PRESENT], writes)
        await bare.store(database, writes)


def _write_presences(events: Sequence[dict[str, Any]], writes: bare.Writes) -> None:
    days: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    sessions: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        user, at, data = event["subject"], event["time"], event["data"]
        days[user, at[:10]][f"low.{int(at[11:13]) * 60 + int(at[14:16])}"] = event["id"]
        if data.get("session_id"):
            sessions[user, data["session_id"]].append(at)
        if event["type"] == _LOOKED:
            looked = {"$set": {"user": user, "product_id": data["product_id"]}, "$max": {"at": at, "days.1": at}}
            writes["views"].append(UpdateOne({"_id": f"{user}/{data['product_id']}"}, looked, upsert=True))
    for (user, day), minutes in days.items():
        own = {"user": user, "day": datetime.fromisoformat(day)}
        writes["days"].append(UpdateOne({"_id": f"{user}/{day}"}, {"$setOnInsert": own, "$min": minutes}, upsert=True))
    for (user, session), times in sessions.items():
        seen = {"low.last": max(times), "seen": datetime.fromisoformat(max(times))}
        span = {"$setOnInsert": {"user": user}, "$min": {"low.first": min(times)}, "$max": seen}
        writes["sessions"].append(UpdateOne({"_id": f"{user}/{session}"}, span, upsert=True))


async def _with_few_and_many(database: Database, found: bare.Costs) -> None:
    await mongo.ensure_indexes(database, INDEXES)
    service = Service(database)
    for purchases in HISTORIES:
        for start in range(0, purchases, _BATCH):
            numbers = range(start, min(start + _BATCH, purchases))
            await service.apply([_bought(purchases, number) for number in numbers])
        await service.reckoning.of(_user(purchases))
    number = count()
    asked: dict[str, Callable[[int], Awaitable[Any]]] = {
        "An event of a user, stored": lambda purchases: service.apply([_moved(purchases, next(number))]),
        "What follows from it, worked out": lambda purchases: service.reckoning.of(_user(purchases)),
        "The usage statistics, ready": lambda purchases: _usage(service, _user(purchases)),
    }
    taken: dict[tuple[str, int], list[float]] = defaultdict(list)
    for _ in range(_TIMES):
        for purchases in HISTORIES:
            for what, asking in asked.items():
                started = time.perf_counter()
                await asking(purchases)
                taken[what, purchases].append(time.perf_counter() - started)
    for (what, purchases), seconds in taken.items():
        found.seconds[what][purchases] = median(seconds)


async def _usage(service: Service, user: str) -> None:
    api.answer(await service.reckoning.usage(user))


def _user(purchases: int) -> str:
    return f"{purchases}@example.org"


def _bought(purchases: int, number: int) -> AnyEvent:
    data = PurchaseCreated.model_validate(
        {
            "user_email": _user(purchases),
            "purchase_id": f"pur-{number}",
            "product_id": f"p{number % 40}",
            "product_name": "Vault",
            "product_type": "storage",
            "provider_id": f"h{number % 8}",
            "provider_name": "Hypha",
            "amount": 5,
            "currency": "TFP",
            "status": "active",
        }
    )
    return make_event(data, source="/bench", time=bare.UNTIL - _FIVE_YEARS / purchases * number)


def _moved(purchases: int, number: int) -> AnyEvent:
    data = PurchaseStatusChanged(
        user_email=_user(purchases), purchase_id=f"pur-{number % 10}", status="active", reason=f"{number}"
    )
    return make_event(data, source="/bench", time=bare.UNTIL + timedelta(minutes=number))
