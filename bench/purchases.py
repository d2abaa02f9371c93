"""The purchases service against a bare loop with the same writes, and with 10 and 10,000 purchases behind it.

Both begin with the bytes of the records and end when Mongo has acknowledged; neither reads from Kafka, which costs both
the same. The bare loop believes what comes: `orjson.loads`, then one bulk write for each collection with as many
upserts, of documents with the same fields and indexed columns. Ours validates, reads what is known of each thing,
merges (so that any order gives the same state), and marks the users whose overview is to be worked out.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import count, islice
from statistics import median
from typing import Any, Final

import orjson
from pydantic import SecretStr

from bench import bare
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
_COLLECTIONS: Final[Mapping[str, str]] = {kind: keeping.collection for kind, keeping in KINDS.items()}
_EVENTS, _BATCH = 20_000, 1_000
_PAGES = 40


async def costs(mongo_url: str) -> bare.Costs:
    """Measures both, in turns, on databases of its own."""
    client = mongo.connect(mongo_url)
    found = await bare.compared(client, INDEXES, _records(), _ours, _bare)
    await _with_few_and_many(client["bench_purchases"], found)
    await client.drop_database("bench_purchases")
    client.close()
    return found


def _records() -> list[bare.Record]:
    scenario = Scenario(seed=3, users=150, days=60, until=bare.UNTIL)
    used = (entry for entry in history(scenario) if entry[0] in consumer.TOPICS and facts_of(entry[1]))
    return [(t.name, e.subject.encode(), e.to_json()) for t, e in islice(used, _EVENTS)]


def _batches(records: Sequence[bare.Record]) -> Iterator[Sequence[bare.Record]]:
    return (records[start : start + _BATCH] for start in range(0, len(records), _BATCH))


async def _ours(database: Database, records: Sequence[bare.Record]) -> None:
    reader, store, vault = consumer.reader(), PurchaseStore(database), _vault(database)
    for batch in _batches(records):
        read = [reader.read(topic, key, value, (CONTENT_TYPE_HEADER,)) for topic, key, value in batch]
        await consumer.apply(store, vault, [event for event in read if isinstance(event, Event)])


async def _bare(database: Database, records: Sequence[bare.Record]) -> None:
    for batch in _batches(records):
        things = bare.Things(_COLLECTIONS)
        for _topic, _key, value in batch:
            things.add(orjson.loads(value))
        await bare.store(database, things.writes())


def _vault(database: Database) -> Vault:
    keys = {name: SecretStr(value) for name, value in make_keys().items()}
    return Vault(database, Keks.parse(keys["CREDENTIALS_KEKS"]), Unsealer.parse(keys["CREDENTIALS_PRIVATE_JWK"]))


async def _with_few_and_many(database: Database, found: bare.Costs) -> None:
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
    return make_event(
        PurchaseCreated.model_validate(data), source="/bench", time=bare.UNTIL - timedelta(minutes=number)
    )


def _moved(user: str, number: int) -> AnyEvent:
    data = PurchaseStatusChanged(user_email=user, purchase_id=f"pur-{number % 10}", status="active", reason=f"{number}")
    return make_event(data, source="/bench", time=bare.UNTIL + timedelta(minutes=number))
