"""Projections made anew: what was spoilt is right again, while the service goes on and nobody sees less than before."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from signal import SIGKILL
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from mycelium.stack.services import environment
from services.activity import consumer as activity_consumer
from services.activity import rebuild as activity_rebuild
from services.activity.settings import Settings as ActivitySettings
from services.activity.store import ActivityStore
from services.analytics import consumer as analytics_consumer
from services.analytics import rebuild as analytics_rebuild
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.settings import Settings as AnalyticsSettings
from services.analytics.store import AnalyticsStore
from services.purchases import consumer as purchases_consumer
from services.purchases import rebuild as purchases_rebuild
from services.purchases.credentials import Vault
from services.purchases.settings import Settings as PurchasesSettings
from services.purchases.store import PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.identity import UserErased, UserLoggedIn, UserRegistered
from shared.contracts.marketplace import DeploymentCredentialsIssued
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import EVENT_TOPICS
from shared.folds.facts import Fact, key_of
from shared.folds.ported import IMPORTED
from shared.plumbing import mongo
from shared.plumbing.mongo import Client, Database, Document
from shared.plumbing.rebuild import NotRebuildableError, Plan, Rebuild, Report
from shared.plumbing.rebuild_shadow import database_of
from shared.plumbing.topics import ensure_topics
from tests.servers.embedded import embedded_kafka
from tests.servers.living import Person, ago
from tests.servers.running import Running
from tests.servers.traces import is_read
from tests.waiting import eventually

FAST = 100_000
_VOLATILE = ("version", "outbox", "decisive", "loads", "stored")

Things = dict[str, dict[Any, Document]]


@pytest_asyncio.fixture(loop_scope="session")
async def client(mongo_url: str) -> AsyncIterator[Client]:
    client = mongo.connect(mongo_url)
    for service in ("activity", "purchases", "profile", "analytics"):
        await client.drop_database(f"{service}-rebuild")
    yield client
    client.close()


def activity_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = ActivitySettings.model_validate({**settings, "mongo_url": url})
    return activity_rebuild.plan(given, client["activity"], database_of(client, "activity"))


def purchases_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = PurchasesSettings.model_validate({**settings, "mongo_url": url})
    return purchases_rebuild.plan(given, client["purchases"], database_of(client, "purchases"))


def analytics_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = AnalyticsSettings.model_validate({**settings, "mongo_url": url})
    return analytics_rebuild.plan(given, client["analytics"], database_of(client, "analytics"))


async def rebuilt(plan: Plan, kafka: str, client: Client, *, dry_run: bool = False, rate: float = FAST) -> Report:
    return await Rebuild(plan, kafka, client, rate, lambda *_: None).run(dry_run=dry_run)


async def live(person: Person) -> None:
    """A little of everything."""
    await person.tell(UserRegistered, ago(60), display_name="Ada", timezone="Europe/Paris")
    await person.tell(PreferencesUpdated, ago(50), changed=["activity_tracking"], activity_tracking=False)
    await person.tell(PreferencesUpdated, ago(40), changed=["activity_tracking"], activity_tracking=True)
    for n in range(8):
        bought = f"b{n}"
        await person.buy(bought, "10.00", ago(35 - n))
        await person.deploy(bought, ago(34 - n), monthly_cost="3.00")
        await person.report_health(bought, ago(3 + n / 10), 20.0, healthy=n % 2 == 0)
        await person.post("100", f"{100 * (n + 1)}", ago(33 - n))
        await person.look(f"p-{n}", ago(20 - n), session=f"s-{n}")
        await person.look(f"p-{n}", ago(45 + n / 10))  # while that was not allowed
        await person.tell(UserLoggedIn, ago(19 - n), session_id=f"s-{n}")
    await person.move("b1", "cancelled", ago(5))
    await person.refund("b2", "4.00", ago(4))
    await person.rate("b3", 4.5, ago(3))


async def goes_on(person: Person, done: asyncio.Event) -> None:
    """Events that keep coming until `done`, and a few more."""
    n = 100
    while True:
        ending = done.is_set()
        await person.buy(f"b{n}", "1.00", ago(2))
        await person.look(f"p-{n % 7}", ago(1) + timedelta(minutes=n))
        await person.move(f"b{n % 8}", "active", ago(1) + timedelta(seconds=n))
        n += 1
        if ending:
            return
        await asyncio.sleep(0.05)  # leaves the processor to the others


async def things_of(database: Database, email: str, collections: Collection[str]) -> Things:
    """What is kept of somebody, without what differs between two right ones."""
    where = {"$or": [{"user": email}, {"_id": email}]}
    return {name: {d.pop("_id"): _told(d) async for d in database[name].find(where)} for name in collections}


def _told(document: Document) -> Document:
    told = {name: value for name, value in document.items() if name not in _VOLATILE}
    if "choices" in told:
        told["choices"] = sorted(told["choices"], key=lambda choice: choice["at"])
    return told


def differences(found: Things, expected: Things) -> list[tuple[str, Any, Document | None, Document | None]]:
    """What is not the same in both, a few of them: pytest would take minutes to compare all."""
    return [
        (name, key, things.get(key), expected[name].get(key))
        for name, things in found.items()
        for key in {**things, **expected[name]}
        if things.get(key) != expected[name].get(key)
    ][:3]


@asynccontextmanager
async def watching(count: Callable[[], Awaitable[int]]) -> AsyncIterator[list[int]]:
    """What a reader sees all the while."""
    seen: list[int] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            seen.append(await count())

    watcher = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        done.set()
        await watcher


async def stored(kafka: str, service: str) -> None:
    topics = [topic for topic in EVENT_TOPICS if service in topic.consumers]
    await eventually(lambda: is_read(kafka, service, topics), timeout=60, interval=0.2, what="everything is read")


async def while_events_come(
    plan: Plan, kafka: str, client: Client, person: Person, count: Callable[[], Awaitable[int]]
) -> Report:
    """Rebuilds while the person lives on, and somebody reads: the list never gets shorter.

    What changed all the while is settled by another run, once it is calm.
    """
    done = asyncio.Event()
    telling = asyncio.create_task(goes_on(person, done))
    async with watching(count) as seen:
        try:
            report = await rebuilt(plan, kafka, client)
        finally:
            done.set()
            await telling
        await stored(kafka, plan.service)
    # one read alone may miss a document whose place in the index moves beside it, with a rebuild or without
    assert [turn for turn in zip(seen, seen[1:], seen[2:], strict=False) if max(turn[1:]) < turn[0]] == []
    assert len(seen) > 5
    calm = await rebuilt(plan, kafka, client)
    assert calm.left
    assert not any(counts.changing for counts in calm.left.values())
    return report


def _events(person: Person) -> list[AnyEvent]:
    return [event for _, event in person.told]


async def test_timelines(
    activity_service: Running,
    client: Client,
    client_settings: dict[str, object],
    kafka: str,
    mongo_url: str,
    database: Database,
) -> None:
    ada = Person(activity_service)
    await live(ada)
    await stored(kafka, "activity")
    timeline = client["activity"]["activities"]
    ids = sorted([d["_id"] async for d in timeline.find({"user": ada.email})])
    await timeline.delete_many({"_id": {"$in": ids[::3]}})
    await timeline.update_many({"_id": {"$in": ids[1::3]}}, {"$set": {"description": "spoilt"}})
    about = {"_id": "e" * 32, "at": int(3e15), "low": False}  # a low one of long ago is forbidden
    extra = {**(await timeline.find_one({"_id": ids[2]}) or {}), **about}
    from_a_file = extra | {"_id": "f" * 32, "event": "", "at": 10**15}
    await timeline.insert_many([extra, from_a_file])

    async def right() -> int:
        wrong = {"$or": [{"description": "spoilt"}, {"_id": extra["_id"]}]}
        return int(await timeline.count_documents({"user": ada.email, "$nor": [wrong]}))

    plan = activity_plan(client, client_settings, mongo_url)
    report = await while_events_come(plan, kafka, client, ada, right)
    assert report.left
    assert report.left["activities"].different >= len(ids[1::3])
    assert report.left["activities"].missing >= len(ids[::3])
    assert report.left["activities"].extra >= 1
    await activity_consumer.apply(ActivityStore(database, 1_000), _events(ada))
    expected = await things_of(database, ada.email, ("activities", "choices"))
    found = await things_of(client["activity"], ada.email, ("activities", "choices"))
    assert found["activities"].pop(from_a_file["_id"])
    assert differences(found, expected) == []
    assert "activity-rebuild" not in await client.list_database_names()


async def test_purchases(
    purchases_service: Running,
    client: Client,
    client_settings: dict[str, object],
    vault_keys: dict[str, object],
    kafka: str,
    mongo_url: str,
    database: Database,
) -> None:
    ada = Person(purchases_service)
    await live(ada)
    unsealer = Unsealer.parse(SecretStr(str(vault_keys["credentials_private_jwk"])))
    vault = Vault(client["purchases"], Keks.parse(SecretStr(str(vault_keys["credentials_keks"]))), unsealer)
    _, jwks = await purchases_service.get("/jwks.json", ada.email)
    for n in (0, 1):
        secret = AccessCredentials(username=SecretStr("ada"), password=SecretStr(f"horse {n}"))
        jwe = seal_for(jwks["keys"][0], secret)
        await ada.tell(DeploymentCredentialsIssued, ago(2), deployment_id=f"dep-b{n}", credentials_jwe=jwe)
    await stored(kafka, "purchases")
    status, asked = await ada.send("POST", "/purchases", {"product_id": "p-1", "quantity": 1})
    assert status == 202, asked
    status, rated = await ada.send("PUT", "/purchases/b4/rating", {"rating": 5})
    assert status == 200, rated
    await stored(kafka, "purchases")
    data = client["purchases"]
    keys = [key_of(ada.email, f"b{n}") for n in range(8)]
    command = await data["commands"].find_one({"user": ada.email})
    box = (await data["deployments"].find_one({"_id": key_of(ada.email, "dep-b0")}) or {})["fields"]["credentials"]
    await data["purchases"].delete_many({"_id": {"$in": keys[:2]}})
    await data["purchases"].update_one({"_id": keys[3]}, {"$set": {"fields.details.3.amount": Decimal(999), "at": 1}})
    await data["purchases"].update_one({"_id": keys[4]}, {"$unset": {"fields.rating": 1}})
    await data["deployments"].delete_one({"_id": key_of(ada.email, "dep-b1")})
    await data["transactions"].delete_many({"user": ada.email, "sequence": {"$lt": 3}})
    await data["health"].update_many({"user": ada.email}, {"$set": {"members": {}}})
    later = int(datetime.now(UTC).timestamp() * 1e6) + 10**9
    fact = Fact("purchase", ada.email, "never", "told_at", 1, (0, later, "nobody"))
    ported = Fact("purchase", ada.email, "ported", "told_at", 1, (IMPORTED, 1, "file"))
    await PurchaseStore(data).merge([fact, ported])

    async def listed() -> int:
        _, page = await purchases_service.get("/purchases", ada.email, {"limit": 200})
        return len(page["items"])

    plan = purchases_plan(client, {**client_settings, **vault_keys}, mongo_url)
    report = await while_events_come(plan, kafka, client, ada, listed)
    assert report.left
    collections = [part.collection for part in plan.parts]
    told = [*_events(ada)]
    oracle = Vault(database, Keks.parse(SecretStr(str(vault_keys["credentials_keks"]))), unsealer)
    await purchases_consumer.apply(PurchaseStore(database), oracle, told)
    expected = await things_of(database, ada.email, collections)
    found = await things_of(data, ada.email, collections)
    assert found["purchases"].pop(key_of(ada.email, "ported"))["fields"]["told_at"][:2] == [IMPORTED, 1]
    assert found["purchases"][keys[4]]["fields"].pop("rating")[3]["rating"] == 5  # told by the service itself
    assert (await data["commands"].find_one({"user": ada.email})) == command
    sealed = [found["deployments"][key_of(ada.email, f"dep-b{n}")]["fields"].pop("credentials") for n in (0, 1)]
    assert sealed[0] == box
    opened = await vault.open(ada.email, "dep-b1", sealed[1][3])
    assert opened.password
    assert opened.password.get_secret_value() == "horse 1"
    for things in (expected, found):
        for deployment in things["deployments"].values():
            deployment["fields"].pop("credentials", None)
        things["purchases"][keys[4]].pop("tags")  # of the rating
    assert differences(found, expected) == []
    _, wallet = await purchases_service.get("/wallet", ada.email)
    assert wallet["sequence_gaps"] == []


async def test_analytics(
    analytics_service: Running,
    client: Client,
    client_settings: dict[str, object],
    kafka: str,
    mongo_url: str,
    database: Database,
) -> None:
    ada = Person(analytics_service)
    await live(ada)
    await stored(kafka, "analytics")
    before = await ada.usage()
    status, said = await ada.send("PUT", "/analytics/budget", {"monthly_limit": "70", "currency": "TFP"})
    assert status == 200, said
    data = client["analytics"]
    await data["purchases"].delete_many({"_id": {"$in": [key_of(ada.email, f"b{n}") for n in range(3)]}})
    await data["transactions"].delete_many({"user": ada.email})
    await data["days"].update_many({"user": ada.email}, {"$unset": {"rest": 1}})
    await data["views"].delete_many({"user": ada.email})
    await data["sessions"].update_many({"user": ada.email}, {"$unset": {"low": 1}})
    await data["users"].update_one({"_id": ada.email}, {"$set": {"usage.total_spent": "0"}})

    async def listed() -> int:
        return int(await data["purchases"].count_documents({"user": ada.email}))

    plan = analytics_plan(client, client_settings, mongo_url)
    report = await while_events_come(plan, kafka, client, ada, listed)
    assert report.left
    collections = [part.collection for part in plan.parts]
    stores = (AnalyticsStore(database), Presences(database), Catalogue(database), Notifications(database))
    await analytics_consumer.apply(*stores, _events(ada))
    found, expected = [await things_of(where, ada.email, collections) for where in (data, database)]
    assert differences(found, expected) == []
    assert (await ada.get("/analytics/budget"))["monthly_limit"] == said["monthly_limit"]
    after = await ada.usage()
    assert before.keys() == after.keys()


async def test_a_dry_run_changes_nothing_and_who_was_erased_stays_gone(
    activity_service: Running, client: Client, client_settings: dict[str, object], kafka: str, mongo_url: str
) -> None:
    ada, bob = Person(activity_service), Person(activity_service)
    await live(ada)
    await live(bob)
    await bob.tell(UserErased, datetime.now(UTC), reason="asked for")
    await stored(kafka, "activity")
    data = client["activity"]
    whole = await things_of(data, ada.email, ("activities", "choices"))
    await data["activities"].delete_many({"user": ada.email, "low": False})
    spoilt = await things_of(data, ada.email, ("activities", "choices"))
    plan = activity_plan(client, client_settings, mongo_url)
    report = await rebuilt(plan, kafka, client, dry_run=True)
    assert report.left is None
    assert report.found["activities"].missing >= len(whole["activities"]) - len(spoilt["activities"])
    assert differences(await things_of(data, ada.email, ("activities", "choices")), spoilt) == []
    await rebuilt(plan, kafka, client)
    assert differences(await things_of(data, ada.email, ("activities", "choices")), whole) == []
    assert await data["activities"].count_documents({"user": bob.email}) == 0
    forbidden = {"user": ada.email, "low": True, "at": {"$lt": int(ago(40).timestamp() * 1e6)}}
    assert await data["activities"].count_documents(forbidden) == 0


async def test_topics_that_were_made_anew_are_refused(
    activity_service: Running,
    client: Client,
    client_settings: dict[str, object],
    kafka: str,
    mongo_url: str,
    tmp_path: Path,
) -> None:
    ada = Person(activity_service)
    await live(ada)
    await stored(kafka, "activity")
    before = await things_of(client["activity"], ada.email, ("activities",))
    async with embedded_kafka(tmp_path) as other:
        await ensure_topics(other)
        given = {**client_settings, "kafka_bootstrap_servers": other, "kafka_enable_idempotence": False}
        plan = activity_plan(client, given, mongo_url)
        with pytest.raises(NotRebuildableError):
            await rebuilt(plan, other, client)
    assert differences(await things_of(client["activity"], ada.email, ("activities",)), before) == []


async def test_one_that_was_killed_is_gone_on_with(
    activity_service: Running, client: Client, client_settings: dict[str, object], kafka: str, mongo_url: str
) -> None:
    ada = Person(activity_service)
    await live(ada)
    await stored(kafka, "activity")
    data = client["activity"]
    whole = await things_of(data, ada.email, ("activities",))
    await data["activities"].delete_many({"user": ada.email, "low": False})
    command = [sys.executable, "-m", "mycelium", "rebuild", "activity", "--kafka", kafka, "--mongo", mongo_url]
    settings = {name.upper(): str(value) for name, value in client_settings.items()}
    slow = await asyncio.create_subprocess_exec(*command, "--rate", "10", env=environment() | settings)
    run = client["activity-rebuild"]["rebuild"]
    await eventually(lambda: run.find_one({"positions.0": {"$exists": True}}), timeout=60, what="it has begun")
    slow.send_signal(SIGKILL)
    await slow.wait()
    report = await rebuilt(activity_plan(client, client_settings, mongo_url), kafka, client)
    assert report.resumed
    assert differences(await things_of(data, ada.email, ("activities",)), whole) == []
