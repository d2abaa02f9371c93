"""The stored state depends on the set of events and on nothing else, and every question is answered from an index."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from services.purchases import consumer
from services.purchases.credentials import Vault
from services.purchases.overview import Overviews
from services.purchases.reading import Reading
from services.purchases.store import INDEXES, PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseRated,
    PurchaseStatusChanged,
    ResourceAllocation,
)
from shared.contracts.purchase_views import DeploymentQuery, PurchaseQuery, TransactionQuery
from shared.contracts.reading import AnyEvent
from shared.contracts.views import DateRange
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from shared.folds.facts import SETTINGS, key_of
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

START = datetime.now(UTC) - timedelta(days=10)
SMALL = ResourceAllocation(cpu_cores=1, memory_gb=2, storage_gb=10, bandwidth_mbps=100)
_users = (f"user{n}@example.org" for n in count())


@pytest_asyncio.fixture(loop_scope="session")
async def indexed(database: Database) -> Database:
    await mongo.ensure_indexes(database, INDEXES)
    return database


@pytest.fixture(scope="module")
def keys() -> dict[str, SecretStr]:
    return {name: SecretStr(value) for name, value in make_keys().items()}


def vault(database: Database, keys: dict[str, SecretStr]) -> Vault:
    return Vault(database, Keks.parse(keys["CREDENTIALS_KEKS"]), Unsealer.parse(keys["CREDENTIALS_PRIVATE_JWK"]))


def event(data: UserPayload, hour: int, source: str = "/shop") -> AnyEvent:
    id = f"{data.event_type}-{hour}"  # noqa: A001
    return make_event(data, source=source, id=id, time=START + timedelta(hours=hour))


def details(number: int) -> dict[str, Any]:
    return {
        "purchase_id": f"pur-{number}",
        "product_id": "p",
        "product_name": "Vault",
        "product_type": "storage",
        "provider_id": "h",
        "provider_name": "Hypha",
        "amount": Decimal(number + 1),
        "currency": "TFP",
    }


def bought(user: str, number: int, hour: int, status: Any) -> AnyEvent:
    return event(PurchaseCreated(user_email=user, status=status, **details(number)), hour)


def moved(user: str, number: int, hour: int, status: Any) -> AnyEvent:
    return event(PurchaseStatusChanged(user_email=user, purchase_id=f"pur-{number}", status=status), hour)


def rated(user: str, number: int, hour: int, rating: float) -> AnyEvent:
    return event(PurchaseRated(user_email=user, purchase_id=f"pur-{number}", rating=rating), hour)


def paid(user: str, number: int, hour: int) -> AnyEvent:
    data = {"transaction_id": f"tx-{number}", "sequence": number, "kind": "purchase", "amount": -number - 1}
    more = {"currency": "TFP", "balance_after": 100 - number, "purchase": details(number), "user_email": user}
    return event(WalletTransactionPosted.model_validate(data | more), hour, "/wallet")


def deployed(user: str, number: int, hour: int) -> AnyEvent:
    named = {"deployment_id": f"dep-{number}", "purchase_id": f"pur-{number}", "kind": "app", "region": "eu"}
    return event(DeploymentCreated(user_email=user, resources_allocated=SMALL, **named), hour)


def ran(user: str, number: int, hour: int, status: Any) -> AnyEvent:
    return event(DeploymentStatusChanged(user_email=user, deployment_id=f"dep-{number}", status=status), hour)


def checked(user: str, number: int, hour: int, healthy: bool) -> AnyEvent:
    return event(DeploymentHealthReported(user_email=user, deployment_id=f"dep-{number}", healthy=healthy), hour)


def pooled(user: str, number: int, hour: int) -> AnyEvent:
    money = {"invested": Decimal(hour), "current_value": Decimal(hour + 1), "currency": "TFP"}
    data = {"user_email": user, "pool_id": f"pool-{number}", "pool_name": "Solar", "status": "open"}
    return event(WalletPoolPositionChanged.model_validate(data | money), hour)


numbers, hours = st.integers(0, 1), st.integers(0, 9)
purchase_statuses = st.sampled_from(["pending", "active", "completed", "refunded", None])
told = st.one_of(
    st.tuples(st.just(bought), numbers, hours, purchase_statuses),
    st.tuples(st.just(moved), numbers, hours, st.sampled_from(["active", "completed", "refunded"])),
    st.tuples(st.just(rated), numbers, hours, st.sampled_from([1.0, 4.5])),
    st.tuples(st.just(paid), numbers, hours),
    st.tuples(st.just(deployed), numbers, hours),
    st.tuples(st.just(ran), numbers, hours, st.sampled_from(["running", "error", "stopped"])),
    st.tuples(st.just(checked), numbers, hours, st.booleans()),
    st.tuples(st.just(pooled), numbers, hours),
)


async def everything(database: Database, user: str) -> list[Any]:
    """All that the API shows of a user, but for the share of the time that passes while it is asked for."""
    reading, overviews = Reading(database), Overviews(database)
    range_ = DateRange.model_validate({"from": START, "to": START + timedelta(days=1)})
    overview = (await overviews.of(user)).get("overview", {})
    purchases = await reading.purchases(user, PurchaseQuery(limit=200))
    deployments = await reading.deployments(user, DeploymentQuery(limit=200))
    return [
        _timeless(overview),
        _timeless(purchases),
        [await reading.purchase(user, p["id"]) is not None for p in purchases["items"]],
        _timeless(deployments),
        [await reading.health(user, d["deployment_id"], range_) for d in deployments["items"]],
        await reading.transactions(user, TransactionQuery(limit=200)),
        await reading.pools(user),
    ]


def _timeless(shown: Any) -> Any:
    if isinstance(shown, dict):
        return {name: _timeless(value) for name, value in shown.items() if name != "uptime_percentage"}
    return [_timeless(value) for value in shown] if isinstance(shown, list) else shown


async def applied(database: Database, vault: Vault, user: str, batches: Sequence[Sequence[AnyEvent]]) -> list[Any]:
    for collection in INDEXES:
        await database[collection].delete_many({})
    store = PurchaseStore(database)
    for batch in batches:
        await consumer.apply(store, vault, batch)
    return await everything(database, user)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(told, min_size=1, max_size=14, unique_by=lambda each: each), st.data())
async def test_any_order_any_duplicates_any_batches_give_the_same_state(
    indexed: Database, keys: dict[str, SecretStr], told: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    user, sealing = next(_users), vault(indexed, keys)
    made = [make(user, *arguments) for make, *arguments in told]
    events = list({(event.source, event.id): event for event in made}.values())
    shuffled = data.draw(st.permutations(events * 2))
    size = data.draw(st.integers(1, len(shuffled)))
    batches = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]
    assert await applied(indexed, sealing, user, batches) == await applied(indexed, sealing, user, [events])


async def test_a_crash_between_the_facts_and_the_mark_is_made_good(
    indexed: Database, keys: dict[str, SecretStr]
) -> None:
    """The batch comes again and changes nothing, but what follows from it is worked out."""
    user, store, sealing = next(_users), PurchaseStore(indexed), vault(indexed, keys)
    batch = [paid(user, 1, 1), bought(user, 1, 2, "active")]
    await consumer.apply(store, sealing, batch)
    before = await everything(indexed, user)
    await indexed["users"].delete_many({"_id": user})
    assert (await Overviews(indexed).of(user))["overview"]["wallet"]["transactions"] == 0
    stored = await consumer.apply(store, sealing, batch)
    assert (stored.applied, len(stored.changed)) == (0, 2)
    assert await everything(indexed, user) == before


async def test_one_user_whose_overview_cannot_be_worked_out_holds_nobody_up(
    indexed: Database, keys: dict[str, SecretStr]
) -> None:
    spoilt, other = sorted([next(_users), next(_users)])
    for user in (spoilt, other):
        await consumer.apply(PurchaseStore(indexed), vault(indexed, keys), [bought(user, 1, 1, "active")])
    await indexed["settings"].insert_one({"_id": key_of(spoilt, SETTINGS), "fields": "spoilt"})
    await Overviews(indexed).work_off()
    assert [d["_id"] async for d in indexed["users"].find({"_id": {"$in": [spoilt, other]}, "dirty": True})] == [spoilt]
    await indexed["settings"].delete_many({"fields": "spoilt"})


async def test_two_that_write_at_once_lose_nothing(indexed: Database, keys: dict[str, SecretStr]) -> None:
    user, sealing = next(_users), vault(indexed, keys)
    events = [moved(user, 0, hour, "active" if hour % 2 else "suspended") for hour in range(40)]
    await asyncio.gather(*(consumer.apply(PurchaseStore(indexed), sealing, events[n::4]) for n in range(4)))
    (document,) = await indexed["purchases"].find({"user": user}).to_list(None)
    assert len(document["members"]["history"]) == 40


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rich(mongo_url: str, keys: dict[str, SecretStr]) -> Any:
    """A database in which one user has 2,000 purchases and transactions and 30 deployments."""
    client = mongo.connect(mongo_url)
    database = client["test_rich"]
    await client.drop_database("test_rich")
    await mongo.ensure_indexes(database, INDEXES)
    user, store, sealing = "rich@example.org", PurchaseStore(database), vault(database, keys)
    statuses = ["active", "completed", "cancelled"]
    for start in range(0, 2_000, 500):
        chunk = range(start, start + 500)
        await consumer.apply(store, sealing, [bought(user, n, n, statuses[n % 3]) for n in chunk])
        await consumer.apply(store, sealing, [paid(user, n, n) for n in chunk])
    await consumer.apply(store, sealing, [deployed(user, n, n) for n in range(30)])
    yield database
    client.close()


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"status": "cancelled"},
        {"type": "storage"},
        {"provider": "h"},
        {"status": "active", "type": "storage", "provider": "h"},
        {"q": "hypha"},
        {"from": START, "to": START + timedelta(days=60)},
        {"status": "active", "from": START},
    ],
)
async def test_every_filter_costs_what_it_shows(rich: Database, query: dict[str, Any]) -> None:
    asking = Reading(rich).purchases("rich@example.org", PurchaseQuery.model_validate({**query, "limit": 20}))
    assert await examined_by(rich, "purchases", asking) <= 21


async def examined_by(database: Database, collection: str, asking: Any) -> int:
    """How many documents the server looked at to answer the one question that goes to the collection."""
    await database.command({"profile": 2})
    try:
        await asking
    finally:
        await database.command({"profile": 0})
    wanted = {"ns": f"{database.name}.{collection}", "command.find": collection}
    (last,) = await database["system.profile"].find(wanted).sort("ts", -1).limit(1).to_list(None)
    assert "IXSCAN" in last["planSummary"]
    examined: int = last["docsExamined"]
    return examined


@pytest.mark.parametrize("kind", [None, "purchase"])
async def test_the_ledger_costs_what_it_shows(rich: Database, kind: Any) -> None:
    asking = Reading(rich).transactions("rich@example.org", TransactionQuery(kind=kind, limit=20))
    assert await examined_by(rich, "transactions", asking) <= 21


@pytest.mark.parametrize("status", [None, "deploying"])
async def test_the_deployments_cost_what_they_show(rich: Database, status: Any) -> None:
    asking = Reading(rich).deployments("rich@example.org", DeploymentQuery(status=status, limit=20))
    assert await examined_by(rich, "deployments", asking) <= 21


async def test_an_event_costs_the_same_with_two_thousand_purchases_behind_it(
    rich: Database, keys: dict[str, SecretStr]
) -> None:
    sealing = vault(rich, keys)

    async def looked_at(user: str, number: int) -> list[tuple[str, int]]:
        await rich.command({"profile": 2})
        since = datetime.now(UTC)
        await consumer.apply(PurchaseStore(rich), sealing, [moved(user, number, 9_000, "refunded")])
        await rich.command({"profile": 0})
        entries = rich["system.profile"].find({"ts": {"$gte": since}}).sort("ts", 1)
        return [(entry["op"], entry.get("keysExamined", 0)) async for entry in entries if entry["op"] != "command"]

    await consumer.apply(PurchaseStore(rich), sealing, [bought("poor@example.org", 1, 1, "active")])
    assert await looked_at("rich@example.org", 7) == await looked_at("poor@example.org", 1)
