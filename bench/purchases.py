"""The purchases service against a bare loop with the same writes, and with 10 and 10,000 purchases behind it.

Both begin with the bytes of the records and end when Mongo has acknowledged; neither reads from Kafka, which costs both
the same. The bare loop believes what comes: `orjson.loads`, then for each event one upsert of a document with the same
fields and the same indexed columns, in one unordered bulk write. Ours validates, reads what is known of each thing,
merges (so that any order gives the same state), and marks the users whose overview is to be worked out.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from statistics import median
from typing import Any

import orjson
from pydantic import SecretStr
from pymongo import UpdateOne

from mycelium.simulator import Scenario, history
from services.purchases import consumer
from services.purchases.credentials import Vault
from services.purchases.reading import Reading
from services.purchases.store import INDEXES, KINDS, PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.build import make_event
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event
from shared.contracts.marketplace import PurchaseCreated, PurchaseStatusChanged
from shared.contracts.purchase_views import PurchaseQuery
from shared.contracts.reading import AnyEvent
from shared.folds.facts import facts_of
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

HISTORIES = (10, 10_000)
_EVENTS, _BATCH, _ROUNDS = 20_000, 1_000, 3
_PAGES = 40
_UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
Record = tuple[str, bytes, bytes]


@dataclass
class Costs:
    """Events a second, round by round; seconds of a page, a filtered page and an update, by purchases behind it."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    seconds: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios of ours to bare."""
        return median(a / b for a, b in zip(self.ours, self.bare, strict=True))


async def costs(mongo_url: str) -> Costs:
    """Measures both, in turns, on databases of its own."""
    client = mongo.connect(mongo_url)
    found, records = Costs(), _records()
    for number in range(_ROUNDS):
        for way, speeds in ((_bare, found.bare), (_ours, found.ours)):
            database = client[f"bench_purchases_{number}"]
            await mongo.ensure_indexes(database, INDEXES)
            started = time.perf_counter()
            await way(database, records)
            speeds.append(len(records) / (time.perf_counter() - started))
            await client.drop_database(database.name)
    await _with_few_and_many(client["bench_purchases"], found)
    await client.drop_database("bench_purchases")
    client.close()
    return found


def _records() -> list[Record]:
    scenario = Scenario(seed=3, users=150, days=60, until=_UNTIL)
    used = (entry for entry in history(scenario) if entry[0] in consumer.TOPICS and facts_of(entry[1]))
    return [(t.name, e.subject.encode(), e.to_json()) for t, e in islice(used, _EVENTS)]


def _batches(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))


async def _ours(database: Database, records: Sequence[Record]) -> None:
    reader, store, vault = consumer.reader(), PurchaseStore(database), _vault(database)
    for batch in _batches(records):
        read = [reader.read(topic, key, value, (CONTENT_TYPE_HEADER,)) for topic, key, value in batch]
        await consumer.apply(store, vault, [event for event in read if isinstance(event, Event)])


async def _bare(database: Database, records: Sequence[Record]) -> None:
    for batch in _batches(records):
        writes: dict[str, list[UpdateOne]] = {}
        for _topic, _key, value in batch:
            collection, write = _write(orjson.loads(value))
            writes.setdefault(collection, []).append(write)
        for collection, these in writes.items():
            await database[collection].bulk_write(these, ordered=False)


def _write(event: dict[str, Any]) -> tuple[str, UpdateOne]:
    data, kind = event["data"], event["type"]
    name = "transaction" if "transaction_posted" in kind else "pool" if "pool_" in kind else kind.partition(".")[0]
    name = "health" if "health" in kind else {"support": "purchase", "user": "settings"}.get(name, name)
    collection = KINDS[name].collection  # type: ignore[index]
    id = str(data.get(f"{name}_id") or data.get("deployment_id") or data.get("purchase_id"))  # noqa: A001
    stamped = [0, event["time"], event["id"], {key: value for key, value in data.items() if key != "user_email"}]
    own = {"user": data["user_email"], "id": id, "at": 0, "tags": ["", "a=b", "c=d"], "day": _UNTIL}
    return collection, UpdateOne(
        {"_id": f"{data['user_email']}/{id}"},
        {"$set": {f"fields.{kind[-20:].replace('.', '_')}": stamped, **own}},
        upsert=True,
    )


def _vault(database: Database) -> Vault:
    keys = {name: SecretStr(value) for name, value in make_keys().items()}
    return Vault(database, Keks.parse(keys["CREDENTIALS_KEKS"]), Unsealer.parse(keys["CREDENTIALS_PRIVATE_JWK"]))


async def _with_few_and_many(database: Database, found: Costs) -> None:
    await mongo.ensure_indexes(database, INDEXES)
    store, vault, reading = PurchaseStore(database), _vault(database), Reading(database)
    for purchases in HISTORIES:
        user = f"{purchases}@example.org"
        for start in range(0, purchases, _BATCH):
            numbers = range(start, min(start + _BATCH, purchases))
            await consumer.apply(store, vault, [_bought(user, number) for number in numbers])
    asked = {
        "A page of 10 purchases": PurchaseQuery(limit=10),
        "A page of 10, filtered": PurchaseQuery(limit=10, status="active", type="storage", q="vault"),
    }
    for what, query in asked.items():
        for purchases in HISTORIES:
            user = f"{purchases}@example.org"
            taken = [await _timed(reading.purchases(user, query)) for _ in range(_PAGES)]
            found.seconds.setdefault(what, {})[purchases] = median(taken)
    number = count()
    for purchases in HISTORIES:
        user = f"{purchases}@example.org"
        updates = [consumer.apply(store, vault, [_moved(user, next(number))]) for _ in range(_PAGES)]
        found.seconds.setdefault("An update of a purchase", {})[purchases] = median([await _timed(u) for u in updates])


async def _timed(asking: Any) -> float:  # Any: anything that can be awaited
    started = time.perf_counter()
    await asking
    return time.perf_counter() - started


def _bought(user: str, number: int) -> AnyEvent:
    data = {
        "user_email": user,
        "purchase_id": f"pur-{number}",
        "product_id": "p",
        "product_name": "Vault",
        "product_type": "storage",
        "provider_id": "h",
        "provider_name": "Hypha",
        "amount": 5,
        "currency": "TFP",
        "status": "active",
    }
    return make_event(PurchaseCreated.model_validate(data), source="/bench", time=_UNTIL - timedelta(minutes=number))


def _moved(user: str, number: int) -> AnyEvent:
    data = PurchaseStatusChanged(user_email=user, purchase_id=f"pur-{number % 10}", status="active", reason=f"{number}")
    return make_event(data, source="/bench", time=_UNTIL + timedelta(minutes=number))
