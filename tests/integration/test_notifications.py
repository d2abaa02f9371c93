"""What users are told, on a real broker and a real mongod: what makes a notification, and what becomes of it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import pytest_asyncio

from services.analytics import catalogue, consumer, notifications, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.domain.notices import notice
from services.analytics.domain.settling import MOST, Settled
from services.analytics.erasing import erase
from services.analytics.forecasting import Forecaster
from services.analytics.noticing import Noticing
from services.analytics.notifications import Notifications
from services.analytics.outlook import Outlook
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.settings import Settings
from services.analytics.store import AnalyticsStore
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased, UserLoggedIn
from shared.contracts.marketplace import CommandRefused, DeploymentStatusChanged
from shared.contracts.notification_views import NotificationQuery
from shared.contracts.profile import DataExported, PreferencesUpdated, ProfileUpdated
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import UPDATES
from shared.plumbing import mongo
from shared.plumbing.erasure import Erasure
from shared.plumbing.mongo import Database
from shared.plumbing.problems import ProblemError
from tests.servers.living import NOW, Json, Person, ago, in_month
from tests.servers.running import Running, arrived, publishing
from tests.waiting import eventually

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36"


@pytest.fixture
def ada(analytics_service: Running) -> Person:
    return Person(analytics_service)


@pytest.fixture
def bob(analytics_service: Running) -> Person:
    return Person(analytics_service)


async def told(person: Person, **params: Json) -> list[Json]:
    items: list[Json] = (await person.get("/notifications", **params))["items"]
    return items


async def told_of(person: Person, *codes: str) -> list[Json]:
    """Waits until the user is told of just these codes, the newest first; the items."""

    async def there() -> tuple[list[Json], ...]:
        items = await told(person)
        return (items,) if [item["code"] for item in items] == list(codes) else ()

    (found,) = await eventually(there, timeout=60, what=f"told of {codes}")
    return found


async def fail(person: Person, purchase: str, at: datetime, status: str = "error") -> None:
    await person.tell(DeploymentStatusChanged, at, deployment_id=f"dep-{purchase}", status=status, reason="no answer")


async def test_a_failed_deployment_is_told_and_resolved(ada: Person, kafka: str) -> None:
    await ada.buy("pur-1", "9.00", ago(20), product_name="Solar Forecast")
    await ada.deploy("pur-1", ago(20))
    await fail(ada, "pur-1", ago(12))
    await fail(ada, "pur-1", ago(11.9), "running")
    await fail(ada, "pur-1", ago(2))
    (item,) = await told_of(ada, "deployment_error")  # what is two weeks old is no news
    assert item["title"] == "Solar Forecast has failed"
    assert item["body"] == "The deployment in eu is in error. The reason given: no answer"
    assert (item["kind"], item["severity"], item["section"]) == ("deployment", "critical", "deployments")
    assert (item["related_entity_type"], item["related_entity_id"]) == ("deployment", "dep-pur-1")
    assert (item["read_at"], item["resolved_at"]) == (None, None)
    assert item["params"] == {"product": "Solar Forecast", "region": "eu", "reason": "no answer"}
    await arrived(
        kafka, UPDATES.name, lambda r: r.key == ada.email.encode() and b'"section":"analytics"' in (r.value or b"")
    )
    await fail(ada, "pur-1", ago(1), "running")

    async def is_resolved() -> bool:
        (item,) = await told(ada)
        return bool(item["resolved_at"] == f"{ago(1):%FT%TZ}")

    await eventually(is_resolved, what="it is resolved")


async def test_what_concerns_the_account_is_told(ada: Person) -> None:
    await ada.tell(UserLoggedIn, ago(3), session_id="1", user_agent=FIREFOX, ip_country="SE")
    await ada.tell(UserLoggedIn, ago(2), session_id="2", user_agent=FIREFOX, ip_country="FR")
    await ada.tell(CredentialsRevealed, ago(1), deployment_id="dep-1")
    await ada.tell(DataExported, ago(0.5), items=12)
    await ada.tell(ProfileUpdated, ago(0.4), changed=["password"])
    await ada.tell(ProfileUpdated, ago(0.3), changed=["bio"])
    await ada.tell(CommandRefused, ago(0.2), command_id="cmd-1", reason="The balance is too low.")
    await ada.tell(ProfileUpdated, ago(8), changed=["password"])
    items = await told_of(
        ada, "request_refused", "password_changed", "data_exported", "credentials_revealed", "new_sign_in"
    )
    assert [item["kind"] for item in items] == ["billing", *["security"] * 4]
    assert items[0]["body"] == "The balance is too low."
    assert items[-1]["title"] == "New sign-in: Firefox in FR"
    assert all(item["read_at"] is None for item in items)


async def test_what_was_read_stays_read_whatever_comes_again(ada: Person, bob: Person) -> None:
    await ada.buy("pur-1", "9.00", ago(20))
    await ada.deploy("pur-1", ago(20))
    await fail(ada, "pur-1", ago(2))
    await ada.tell(ProfileUpdated, ago(1), changed=["password"])
    password, failed = await told_of(ada, "password_changed", "deployment_error")
    assert (await ada.get("/notifications"))["unread"] == 2
    for _ in range(2):
        assert (await ada.send("POST", f"/notifications/{failed['id']}/read"))[0] == 204
    read_at = (await told(ada))[1]["read_at"]
    assert read_at
    assert [item["id"] for item in await told(ada, unread="true")] == [password["id"]]
    assert (await ada.get("/notifications", limit=1))["unread"] == 1
    for topic, event in random.Random(7).sample(ada.told, len(ada.told)):
        await ada.service.publish(topic, event)
    await fail(ada, "pur-1", ago(0.5), "running")

    async def is_resolved() -> bool:
        return (await told(ada))[1]["resolved_at"] is not None

    await eventually(is_resolved, what="all of it came again")
    assert [(item["id"], item["read_at"]) for item in await told(ada)] == [
        (password["id"], None),
        (failed["id"], read_at),
    ]
    for _ in range(2):
        assert (await ada.send("POST", "/notifications/read"))[0] == 204
    everything = await ada.get("/notifications")
    assert (everything["unread"], everything["items"][1]["read_at"]) == (0, read_at)
    for unknown in (failed["id"], "0" * 32, "nonsense"):
        status, problem = await bob.send("POST", f"/notifications/{unknown}/read")
        assert (status, problem["type"]) == (404, "urn:mycelium:problem:not-found")
    assert await told(bob) == []


async def test_the_list_comes_in_pages_that_are_stable(ada: Person, bob: Person) -> None:
    for n in range(7):
        await ada.tell(ProfileUpdated, ago(5 - n / 10), changed=["password"])
    await told_of(ada, *["password_changed"] * 7)
    first = await ada.get("/notifications", limit=3)
    await ada.tell(DataExported, ago(0.1), items=1)
    await eventually(lambda: told(ada, limit=1), what="a new one")
    second = await ada.get("/notifications", limit=3, cursor=first["next_cursor"])
    third = await ada.get("/notifications", limit=3, cursor=second["next_cursor"])
    seen = [item["at"] for page in (first, second, third) for item in page["items"]]
    assert len(seen) == len({*seen}) == 7
    assert seen == sorted(seen, reverse=True)
    assert third["next_cursor"] is None
    for user, wrong in ((ada.email, "x"), (bob.email, first["next_cursor"])):
        status, problem = await ada.service.get("/notifications", user, {"cursor": wrong})
        assert (status, problem["type"]) == (400, "urn:mycelium:problem:bad-cursor")
    for params in ({"limit": "0"}, {"limit": "201"}, {"unread": "perhaps"}):
        assert (await ada.service.get("/notifications", ada.email, params))[0] == 422


async def test_each_kind_has_its_switch_and_nothing_is_lost_by_it(ada: Person) -> None:
    await ada.buy("pur-1", "9.00", ago(20))
    await ada.deploy("pur-1", ago(20))
    await fail(ada, "pur-1", ago(2))
    await ada.tell(ProfileUpdated, ago(1), changed=["password"])
    await ada.tell(CommandRefused, ago(0.5), command_id="cmd-1", reason="No.")
    refused, password, failed = await told_of(ada, "request_refused", "password_changed", "deployment_error")
    await ada.send("POST", f"/notifications/{password['id']}/read")
    off = {"billing_alerts": False, "security_alerts": False, "deployment_alerts": False}
    for n, (switch, left) in enumerate(
        {
            "billing_alerts": ["password_changed", "deployment_error"],
            "security_alerts": ["request_refused", "deployment_error"],
            "deployment_alerts": ["request_refused", "password_changed"],
        }.items()
    ):
        wishes = dict.fromkeys(off, True) | {switch: False}
        await ada.tell(PreferencesUpdated, NOW + timedelta(seconds=n), changed=[switch], **wishes)
        await told_of(ada, *left)
    await ada.tell(PreferencesUpdated, NOW + timedelta(seconds=9), changed=[*off], **off)
    await told_of(ada)
    assert (await ada.get("/notifications"))["unread"] == 0
    await ada.tell(PreferencesUpdated, NOW + timedelta(seconds=10), changed=[*off], **dict.fromkeys(off, True))
    again = await told_of(ada, "request_refused", "password_changed", "deployment_error")
    assert [item["id"] for item in again] == [refused["id"], password["id"], failed["id"]]
    assert [item["read_at"] is None for item in again] == [True, False, True]


async def test_an_alert_of_the_budget_is_a_notification(ada: Person) -> None:
    await ada.buy("pur-1", "85.00", NOW)
    await ada.shows(total_spent="85.00")
    await ada.send("PUT", "/analytics/budget", {"monthly_limit": "100.00"})
    alerts = (await ada.get("/analytics/alerts"))["items"]
    reached = [alert for alert in alerts if alert["kind"] == "budget_reached"]
    assert [alert["threshold"] for alert in reached] == [80, 50]

    async def both() -> list[Json]:
        items = [item for item in await told(ada) if item["code"] == "budget_reached"]
        return items if len(items) == 2 else []

    items = await eventually(both, timeout=60, what="both are told")
    assert {item["body"] for item in items} == {alert["message"] for alert in reached}
    assert {item["title"].partition(" %")[0] for item in items} == {"80", "50"}


class Inside:
    """The inside of the service on a database, with as many replicas as are made of it; no pause is waited for."""

    def __init__(self, database: Database, settings: Settings, publisher: Any) -> None:  # Any: a Publisher
        self.database, self.seen = database, Presences(database)
        self.kept = Notifications(database)
        self.forecaster = Forecaster()

        async def erased(users: Any) -> int:
            return await erase(database, users)

        reckoning = Reckoning(database, self.seen)
        self.erasure = Erasure("analytics", settings, database, publisher, erased)
        self.noticing = Noticing(
            database,
            reckoning,
            Outlook(database, reckoning, self.forecaster),
            self.kept,
            self.erasure,
            publisher,
            timedelta(0),
        )

    async def take(self, events: Sequence[AnyEvent]) -> None:
        """What the consumer does with a batch."""
        facts, products = AnalyticsStore(self.database), Catalogue(self.database)
        await consumer.apply(facts, self.seen, products, self.kept, events)

    async def all_of(self, user: str) -> list[Json]:
        """The list, without what is of the moment of looking."""
        query = NotificationQuery(limit=200)
        found = (await self.kept.page(user, query))["items"]
        return sorted(({**item, "at": None} for item in found), key=lambda item: item["id"])


@pytest_asyncio.fixture(loop_scope="session")
async def inside(database: Database, client_settings: dict[str, object], mongo_url: str) -> AsyncIterator[Inside]:
    settings = Settings.model_validate({**client_settings, "mongo_url": mongo_url})
    indexes = {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES, **notifications.INDEXES}
    await mongo.ensure_indexes(database, indexes)
    async with publishing(settings) as publisher:
        made = Inside(database, settings, publisher)
        await made.erasure.prepare()
        yield made


class Collected(Person):
    """Somebody whose events are collected and not published."""

    async def tell(self, kind: type[UserPayload], at: datetime, /, **data: Json) -> AnyEvent:
        payload = kind.model_validate_json(orjson.dumps({**data, "user_email": self.email}))
        event = make_event(payload, source="/life", time=at)
        self.told.append((UPDATES, event))
        return event


async def a_life(person: Person) -> list[AnyEvent]:
    """With something of every kind in it."""
    billed = {"next_billing_date": f"{NOW + timedelta(days=2):%FT%TZ}"}
    await person.buy("pur-1", "9.00", ago(40), product_name="Solar Forecast", billing_cycle="monthly")
    await person.renew("pur-1", ago(40), ago(39), **billed)
    await person.buy("pur-2", "30.00", ago(3), product_name="Store")
    await person.refund("pur-2", "4.00", ago(2))
    await person.post("-1.00", "5.00", ago(1))
    await person.buy("pur-3", "1.00", ago(30), product_name="Mail")
    await person.move("pur-3", "suspended", ago(1))
    for month in range(1, 7):
        await person.buy(f"old-{month}", "10.00", in_month(month))
    await person.buy("pur-4", "400.00", ago(0.01))
    await person.deploy("pur-1", ago(40))
    for days, status in ((6, "error"), (5.9, "running"), (4, "error"), (3.5, "error"), (3, "running")):
        await fail(person, "pur-1", ago(days), status)
    for quarter in range(5):
        await person.report_health("pur-1", ago(2) + quarter * timedelta(minutes=15), 40.0, healthy=quarter == 4)
    for n, (agent, country) in enumerate(((FIREFOX, "SE"), (CHROME, "SE"), (FIREFOX, "FR"), (CHROME, "FR"))):
        await person.tell(UserLoggedIn, ago(6 - n), session_id=f"s{n}", user_agent=agent, ip_country=country)
    await person.tell(CredentialsRevealed, ago(1), deployment_id="dep-pur-1")
    await person.tell(DataExported, ago(0.5), items=12)
    await person.tell(ProfileUpdated, ago(0.4), changed=["password"])
    await person.tell(CommandRefused, ago(0.2), command_id="cmd-1", reason="The balance is too low.")
    return [event for _, event in person.told]


async def settled(inside: Inside) -> None:
    """Looks until there is nothing to look at."""

    async def done() -> bool:
        await inside.noticing.look()
        waits = {"$or": [{"news": True}, {"weigh_at": {"$lte": datetime.now(UTC)}}]}
        return await inside.database["users"].count_documents(waits) == 0

    await eventually(done, what="all was looked at")


CODES = {
    "deployment_error": 2,
    "deployment_unhealthy": 1,
    "billing_uncovered": 1,
    "purchase_suspended": 1,
    "refund": 1,
    "new_sign_in": 2,
    "credentials_revealed": 1,
    "data_exported": 1,
    "password_changed": 1,
    "request_refused": 1,
    "runway_short": 1,
}


async def test_any_order_copies_batches_and_replicas_make_the_same(inside: Inside, analytics_service: Running) -> None:
    in_order = Collected(analytics_service)
    events = await a_life(in_order)
    await inside.take(events)
    await settled(inside)
    expected = await inside.all_of(in_order.email)
    counts: dict[str, int] = {}
    for item in expected:
        counts[item["code"]] = counts.get(item["code"], 0) + 1
    assert counts.items() >= CODES.items(), counts
    await inside.kept.read_all(in_order.email)
    expected = await inside.all_of(in_order.email)
    for seed in range(6):
        rng = random.Random(seed)
        shuffled = rng.sample(events * 2, len(events) * 2)
        if seed % 2:  # into a database that knows nothing; else a replay over what was read
            await erase(inside.database, {in_order.email})
        batches = [shuffled[start : start + 7] for start in range(0, len(shuffled), 7)]
        for one, other in zip(batches[::2], [*batches[1::2], []], strict=False):
            await asyncio.gather(inside.take(one), inside.take(other))
            if rng.random() < 0.3:
                await asyncio.gather(inside.noticing.look(), inside.noticing.look())
        await settled(inside)
        if seed % 2:
            assert (await inside.kept.unread(in_order.email)) == len(expected)
            found = await inside.all_of(in_order.email)
            assert [{**item, "read_at": None} for item in found] == [{**item, "read_at": None} for item in expected]
            await inside.kept.read_all(in_order.email)
            expected = await inside.all_of(in_order.email)
        else:
            assert await inside.all_of(in_order.email) == expected


async def test_an_import_raises_no_flood(inside: Inside, analytics_service: Running) -> None:
    person = Collected(analytics_service)
    await person.buy("pur-1", "9.00", ago(300))
    await person.deploy("pur-1", ago(300))
    for day in range(8, 290):
        await fail(person, "pur-1", ago(day + 0.5), "error")
        await fail(person, "pur-1", ago(day), "running")
        await person.tell(ProfileUpdated, ago(day), changed=["password"])
        await person.refund("pur-1", "0.01", ago(day))
    await inside.take([event for _, event in person.told])
    await settled(inside)
    assert await inside.all_of(person.email) == []


async def test_a_user_has_the_newest_500(inside: Inside, analytics_service: Running) -> None:
    person = Collected(analytics_service)
    await person.buy("pur-1", "9.00", ago(20))
    for n in range(MOST + 30):
        await person.tell(CredentialsRevealed, ago(1) + timedelta(seconds=n), deployment_id="dep-1")
    events = [event for _, event in person.told]
    await inside.take(events)
    await settled(inside)
    kept = inside.database["notifications"]
    assert await kept.count_documents({"user": person.email}) == MOST
    oldest = await kept.find_one({"user": person.email}, sort=[("at", 1)])
    assert oldest
    assert oldest["at"] == int((ago(1) + timedelta(seconds=30)).timestamp() * 1_000_000)


async def test_erasure_leaves_nothing_even_if_a_look_was_under_way(inside: Inside, analytics_service: Running) -> None:
    person = Collected(analytics_service)
    await inside.take(await a_life(person))
    await settled(inside)
    gone = make_event(UserErased(user_email=person.email), source="/idp", time=datetime.now(UTC))
    await inside.erasure.take_note([gone])
    assert await inside.erasure.is_gone(person.email)
    late = notice(person.email, "data_exported", ("late",), datetime.now(UTC), {"items": "1"})
    with pytest.raises(ProblemError, match="no-account"):
        async with inside.erasure.writing(person.email):
            await inside.kept.keep(person.email, Settled((late,), frozenset()))
    for name in ("notifications", "sign_ins", "users"):
        assert await inside.database[name].count_documents({"user": person.email}) == 0
        assert await inside.database[name].count_documents({"_id": person.email}) == 0
