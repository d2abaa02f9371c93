"""The analytics service against a bare loop with the same writes, and with 10 and 10,000 purchases behind a user.

Both begin with the bytes of the records and end when Mongo has acknowledged; neither reads from Kafka. The bare loop
believes what comes: `orjson.loads`, then an upsert of a document with the same fields and columns for each thing that
an event tells of, the days and sessions of a batch put together as we do, a mark for each user, and one unordered bulk
write for each collection. Ours validates, heeds the consents, and merges so that any order gives the same state.

The purchases of the histories lie an equal time apart over five years.
"""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from statistics import median
from typing import Any, Final

import orjson
from pymongo import UpdateOne

from mycelium.simulator import Scenario, history
from services.analytics import api, catalogue, consumer, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.domain.presence import PRESENT
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

INDEXES: Final = {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES}
HISTORIES: Final = (10, 10_000)
_EVENTS, _BATCH, _ROUNDS = 20_000, 1_000, 3
_TIMES = 40
_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
_FIVE_YEARS: Final = timedelta(days=5 * 365)
_USED: Final = frozenset(payload.event_type for payload in USED_PAYLOADS)
_PRESENT: Final = frozenset(payload.event_type for payload in PRESENT)
_COLLECTIONS: Final[Mapping[str, str]] = {kind: keeping.collection for kind, keeping in KINDS.items()}
_LOOKED: Final = "product.viewed.v1"

Record = tuple[str, bytes, bytes]
Writes = dict[str, list[UpdateOne]]


@dataclass
class Costs:
    """Events a second, round by round; seconds of what is asked for, by the purchases behind the user (medians)."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    seconds: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios of ours to bare."""
        return median(a / b for a, b in zip(self.ours, self.bare, strict=True))


class Service:
    """What the service is made of, on a database of its own, without Kafka."""

    def __init__(self, database: Database) -> None:
        self._store, self._presences, self._catalogue = (
            AnalyticsStore(database),
            Presences(database),
            Catalogue(database),
        )
        self.reckoning = Reckoning(database, self._presences)

    async def apply(self, events: Sequence[AnyEvent]) -> None:
        """Stores what a batch of events says."""
        await consumer.apply(self._store, self._presences, self._catalogue, events)


async def costs(mongo_url: str) -> Costs:
    """Measures both, in turns, on databases of its own; then ours with few and many purchases behind the user."""
    client = mongo.connect(mongo_url)
    found, records = Costs(), _records()
    for number in range(_ROUNDS):
        both = ((_bare, found.bare), (_ours, found.ours))
        for way, speeds in both if number % 2 == 0 else reversed(both):
            database = client[f"bench_analytics_{number}"]
            await mongo.ensure_indexes(database, INDEXES)
            started = time.perf_counter()
            await way(database, records)
            speeds.append(len(records) / (time.perf_counter() - started))
            await client.drop_database(database.name)
    await _with_few_and_many(client["bench_analytics"], found)
    await client.drop_database("bench_analytics")
    client.close()
    return found


def _records() -> list[Record]:
    scenario = Scenario(seed=3, users=150, days=60, until=_UNTIL)
    used = ((t, e) for t, e in history(scenario) if t in consumer.TOPICS and e.type in _USED | _PRESENT)
    return [(t.name, e.subject.encode(), e.to_json()) for t, e in islice(used, _EVENTS)]


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))


async def _ours(database: Database, records: Sequence[Record]) -> None:
    reader, service = consumer.reader(), Service(database)
    for batch in _batches(records):
        read = [reader.read(topic, key, value, (CONTENT_TYPE_HEADER,)) for topic, key, value in batch]
        await service.apply([event for event in read if isinstance(event, Event)])


async def _bare(database: Database, records: Sequence[Record]) -> None:
    for batch in _batches(records):
        events = [orjson.loads(value) for _topic, _key, value in batch]
        writes: Writes = defaultdict(list)
        for event in events:
            if event["type"] in _USED:
                _write(event, writes)
        _write_presences([event for event in events if event["type"] in _PRESENT], writes)
        mark = {"$inc": {"version": 1}, "$set": {"dirty": True}, "$addToSet": {"marked.months": "2026-05"}}
        writes["users"] = [UpdateOne({"_id": user}, mark, upsert=True) for user in {e["subject"] for e in events}]
        for collection, these in writes.items():
            await database[collection].bulk_write(these, ordered=False)


def _write(event: dict[str, Any], writes: Writes) -> None:
    """One document for each thing; some events tell of two."""
    data, kind = event["data"], event["type"]
    name = "transaction" if "transaction_posted" in kind else kind.partition(".")[0]
    names = (
        ["deployment", "health"] if "health" in kind else [{"support": "purchase", "user": "settings"}.get(name, name)]
    )
    if data.get("purchase"):
        names.append("purchase")
    for each in names:
        if collection := _COLLECTIONS.get(each):
            id = str(data.get(f"{each}_id") or data.get("deployment_id") or data.get("purchase_id"))  # noqa: A001
            own = {"user": data["user_email"], "id": id, "at": 0, "status": "active", "day": _UNTIL}
            said = [0, event["time"], event["id"], {key: value for key, value in data.items() if key != "user_email"}]
            change = {"$set": {f"fields.{kind[-20:].replace('.', '_')}": said, **own}}
            writes[collection].append(UpdateOne({"_id": f"{data['user_email']}/{id}"}, change, upsert=True))


def _write_presences(events: Sequence[dict[str, Any]], writes: Writes) -> None:
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


async def _with_few_and_many(database: Database, found: Costs) -> None:
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
    return make_event(data, source="/bench", time=_UNTIL - _FIVE_YEARS / purchases * number)


def _moved(purchases: int, number: int) -> AnyEvent:
    data = PurchaseStatusChanged(
        user_email=_user(purchases), purchase_id=f"pur-{number % 10}", status="active", reason=f"{number}"
    )
    return make_event(data, source="/bench", time=_UNTIL + timedelta(minutes=number))
