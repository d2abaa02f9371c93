"""Projections made anew: what was spoilt is right again, while the service goes on and nobody sees less than before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from pydantic import SecretStr

from services.activity import consumer as activity_consumer
from services.activity.store import ActivityStore
from services.analytics import consumer as analytics_consumer
from services.analytics import rebuild as analytics_rebuild
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.settings import Settings as AnalyticsSettings
from services.analytics.store import AnalyticsStore
from services.profile import rebuild as profile_rebuild
from services.profile.settings import Settings as ProfileSettings
from services.purchases import consumer as purchases_consumer
from services.purchases import rebuild as purchases_rebuild
from services.purchases.credentials import Vault
from services.purchases.settings import Settings as PurchasesSettings
from services.purchases.store import PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.build import make_event
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.marketplace import DeploymentCredentialsIssued
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import CATALOG, IDENTITY, LEGACY
from shared.folds.facts import Fact, key_of
from shared.folds.ported import IMPORTED
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Client, Database
from shared.plumbing.rebuild import Plan, Report
from shared.plumbing.rebuild_shadow import database_of
from tests.integration import market
from tests.integration.test_profile import call, log_in, register, tokens
from tests.servers.dashboard import Site
from tests.servers.living import Person, ago
from tests.servers.rebuilding import activity_plan, differences, lived, rebuilt, stored, things_of
from tests.servers.running import Running, publishing
from tests.waiting import eventually

__all__ = ["tokens"]


def purchases_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = PurchasesSettings.model_validate({**settings, "mongo_url": url})
    return purchases_rebuild.plan(given, client["purchases"], database_of(client, "purchases"))


def analytics_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = AnalyticsSettings.model_validate({**settings, "mongo_url": url})
    return analytics_rebuild.plan(given, client["analytics"], database_of(client, "analytics"))


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
        await asyncio.sleep(0.1)  # leaves the processor to the others


@asynccontextmanager
async def watching(count: Callable[[], Awaitable[int]]) -> AsyncIterator[list[int]]:
    """What a reader sees all the while."""
    seen: list[int] = []
    done = asyncio.Event()

    async def watch() -> None:
        while not done.is_set():
            seen.append(await count())
            await asyncio.sleep(0.02)  # leaves the processor to the others

    watcher = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        done.set()
        await watcher


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
    assert len(seen) > 2
    calm = await rebuilt(plan, kafka, client)
    assert calm.left
    assert {name: counts.ids for name, counts in calm.left.items() if counts.changing} == {}
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
    ada = await lived(activity_service, kafka)
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
    ada = await lived(purchases_service, kafka)
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
    ada = await lived(analytics_service, kafka)
    product = f"product-{uuid4().hex}"
    for event in (market.listed(product), market.retired(product), market.listed(product, price="12")):
        await ada.service.publish(CATALOG, event)
    await stored(kafka, "analytics")
    before = await ada.usage()
    status, said = await ada.send("PUT", "/analytics/budget", {"monthly_limit": "70", "currency": "TFP"})
    assert status == 200, said
    data = client["analytics"]
    offered = await data["products"].find_one({"_id": product}) or {}
    await data["products"].update_one(
        {"_id": product}, {"$set": {"listed.name": "spoilt"}, "$unset": {"retirement": 1}}
    )
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
    offer = await data["products"].find_one({"_id": product}) or {}
    assert offer.pop("stored") > offered.pop("stored"), "the shelf finds it again"
    assert offer == offered


async def test_profiles(
    profile: Site,
    profile_settings: ProfileSettings,
    client: Client,
    kafka: str,
    tokens: InternalTokens,
) -> None:
    ada, bob = f"{uuid4().hex}@example.test", f"{uuid4().hex}@example.test"
    await register(profile, tokens, ada, display_name="Ada", country="SE")
    chosen = await call(profile, tokens, "PATCH", "/profile", user=ada, json={"country": "FR"})
    assert chosen.status == 200
    registered = UserRegistered(user_email=bob, display_name="Bob")
    preferences = LegacyPreferencesFound(user_email=bob, preferences={"theme": "dark"})
    async with publishing(profile_settings) as publisher:
        await publisher.event(IDENTITY, make_event(registered, source="/id", time=ago(2)))
        await publisher.event(LEGACY, make_event(preferences, source="/legacy", time=ago(1)))
    users = client["profile"]["users"]
    await eventually(lambda: users.find_one({"_id": bob, "found.theme": {"$exists": True}}), what="Bob is known")
    await stored(kafka, "profile")
    whole = {name: await users.find_one({"_id": name}) or {} for name in (ada, bob)}
    await users.update_one({"_id": ada}, {"$set": {"registered": {}, "created_at": whole[ada]["created_at"] + 5}})
    await users.delete_one({"_id": bob})
    plan = profile_rebuild.plan(profile_settings, client["profile"], database_of(client, "profile"))
    report = await rebuilt(plan, kafka, client)
    assert report.left
    assert report.left["users"].missing >= 1
    assert report.left["users"].different >= 1
    found = {name: await users.find_one({"_id": name}) or {} for name in (ada, bob)}
    told = ("created_at", "registered", "found")
    assert [found[name][layer] for name in whole for layer in told] == [
        whole[name][layer] for name in whole for layer in told
    ]
    for own in ("user_id", "password_hash"):
        assert found[ada][own] == whole[ada][own]
    assert (await log_in(profile, tokens, ada)).status == 201
    shown = await call(profile, tokens, "GET", "/profile", user=ada)
    assert (shown.json["display_name"], shown.json["country"]) == ("Ada", "FR")
    assert shown.headers["ETag"] != chosen.headers["ETag"]
    back = await call(profile, tokens, "GET", "/preferences", user=bob)
    assert back.json["theme"] == "dark"
    assert (await log_in(profile, tokens, bob)).status == 403
