"""Who has many purchases finds ready what takes long to work out, and it is what would be worked out."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from services.analytics.advice import Advice
from services.analytics.catalogue import Catalogue
from services.analytics.domain.explain import MOST
from services.analytics.domain.runway import runway
from services.analytics.forecasting import Forecaster
from services.analytics.outlook import Outlook
from services.analytics.presences import Presences
from services.analytics.reckoning import MANY, Reckoning
from services.analytics.shelf import Shelf
from shared.contracts.build import make_event
from shared.contracts.marketplace import PurchaseCreated, ServicePeriod
from shared.contracts.topics import MARKETPLACE
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from tests.servers.living import NOW, Person, ago, in_month, name_of
from tests.servers.running import Running
from tests.waiting import eventually


@pytest.fixture
def ada(analytics_service: Running) -> Person:
    return Person(analytics_service)


async def buy_many(person: Person, number: int, first: int = 0) -> None:
    """So many purchases of services of 12 TFP, a day apart, of which every other one renews every month."""
    events = []
    for n in range(first, first + number):
        period = ServicePeriod(start_date=ago(n + 70), auto_renewal=True, hours_used=float(n), sessions_completed=1)
        bought = PurchaseCreated(
            user_email=person.email,
            purchase_id=f"pur-{n}",
            product_id=f"prod-{n}",
            product_name=f"Product {n}",
            product_type="service",
            provider_id="hypha",
            provider_name="Hypha Cloud",
            amount=Decimal("12.00"),
            currency="TFP",
            status="active",
            billing_cycle="one_time" if n % 2 else "monthly",
            service_period=None if n % 2 else period,
        )
        events.append(make_event(bought, source="/life", time=ago(n + 70)))
    await person.service.publish(MARKETPLACE, *events)
    await person.shows(total_purchases=first + number)


async def is_ready(person: Person, kept: Database, purchases: int) -> bool:
    known = await kept["users"].find_one({"_id": person.email}) or {}
    ready = known.get("ready")
    return ready is not None and ready["version"] == known["version"] and known["usage"]["total_purchases"] == purchases


@pytest_asyncio.fixture(loop_scope="session")
async def kept(mongo_url: str) -> AsyncIterator[Database]:
    """The service's own database."""
    client = mongo.connect(mongo_url)
    yield client["analytics"]
    client.close()


@pytest_asyncio.fixture(loop_scope="session")
async def advice(kept: Database) -> Advice:
    """What works it out now, whatever is ready."""
    shelf = Shelf(Catalogue(kept))
    await shelf.refresh()
    return Advice(kept, Reckoning(kept, Presences(kept)), shelf)


async def test_what_is_ready_is_what_would_be_worked_out(ada: Person, kept: Database, advice: Advice) -> None:
    await buy_many(ada, MANY)
    await ada.post("5000.00", "5000.00", ago(1))
    await ada.refund("pur-11", "2.00", ago(1))
    assert "ready" not in (await kept["users"].find_one({"_id": ada.email}) or {}), "few are worked out when asked for"
    few = await ada.get("/recommendations/spending")
    assert len(few["items"]) == MANY // 2
    assert few["total_savings"] == f"{(MANY // 2) * Decimal('21.60')}"  # 15 % of twelve months, by annual billing

    await buy_many(ada, 150, first=MANY)
    await eventually(lambda: is_ready(ada, kept, MANY + 150), timeout=60, what="it is ready")
    many, worked_out = await ada.get("/recommendations/spending"), await advice.ideas(ada.email)
    assert len(many["items"]) == 175
    assert many["total_savings"] == str(worked_out["total"]) == f"{175 * Decimal('21.60')}"
    outlook = Outlook(kept, Reckoning(kept, Presences(kept)), Forecaster())
    balance, currency = await outlook.balance(ada.email)
    lasts = runway(balance, await outlook.outgoings(ada.email, currency), datetime.now(UTC), ZoneInfo("UTC"))
    ready = await ada.get("/analytics/runway")
    assert ready["burn_per_day"] == lasts.burn_per_day == "2.64"  # 20 purchases of the last 90 days, less 2, over these
    assert ready["days_left"] == lasts.days_left


async def test_it_follows_what_happens(ada: Person, kept: Database) -> None:
    number = MANY + 20
    await buy_many(ada, number)
    await eventually(lambda: is_ready(ada, kept, number), timeout=60, what="it is ready")
    before = await ada.get("/recommendations/spending")

    dismissed = before["items"][0]
    path = f"/recommendations/spending/{dismissed['id']}/dismiss"
    assert (await ada.send("POST", path))[0] == 204
    assert (await ada.send("POST", path))[0] == 204
    at_once = await ada.get("/recommendations/spending")
    assert dismissed["id"] not in {idea["id"] for idea in at_once["items"]}
    assert Decimal(at_once["total_savings"]) == Decimal(before["total_savings"]) - Decimal("21.60")
    await ada.post("90.00", "90.00", NOW)

    async def has_the_balance() -> bool:
        return bool((await ada.get("/analytics/runway"))["balance"] == "90.00")

    await eventually(has_the_balance, timeout=60, what="the balance counts at once")
    await ada.move("pur-0", "cancelled", NOW)
    await ada.shows(total_purchases=number - 1)

    async def is_out() -> bool:
        items = (await ada.get("/recommendations/spending"))["items"]
        return all("pur-0" not in idea["evidence"] for idea in items)

    await eventually(is_out, timeout=60, what="the cancelled purchase is out of the ideas")
    after = await ada.get("/recommendations/spending")
    gone = 2 if "pur-0" not in dismissed["evidence"] else 1
    assert Decimal(after["total_savings"]) == Decimal(before["total_savings"]) - gone * Decimal("21.60")


async def test_an_explanation_shows_some_and_counts_all(ada: Person) -> None:
    await buy_many(ada, MOST + 10)
    for figure in ("total_spent", "favorite_categories/service/total_spent", "preferred_providers/hypha/total_spent"):
        why = await ada.get("/analytics/usage/explain", figure=figure)
        assert (len(why["facts"]), why["total_facts"]) == (MOST, MOST + 10)
    oldest = (await ada.get("/analytics/usage/explain", figure="total_purchases"))["facts"]
    assert [fact["id"] for fact in oldest[:2]] == [f"pur-{MOST + 9}", f"pur-{MOST + 8}"]


async def test_a_figure_is_explained_by_what_it_is_made_of_and_nothing_else(ada: Person) -> None:
    lives: dict[str, tuple[str, str, str, str, float | None]] = {
        "a": ("active", "TFP", "service", "hypha", 4.0),
        "b": ("completed", "TFP", "storage", "hypha", None),
        "c": ("active", "EUR", "service", "hypha", 5.0),
        "d": ("active", "USD", "storage", "spore", None),
        "e": ("pending", "TFP", "service", "hypha", 5.0),
        "f": ("active", "TFP", "service", "spore", 2.0),
    }
    for number, (name, (status, currency, kind, provider, rating)) in enumerate(lives.items()):
        at = in_month(number % 2 + 1)
        more = {"currency": currency, "product_type": kind, "provider_id": provider, "status": status}
        await ada.buy(name, "10.00", at, **more)
        if rating:
            await ada.rate(name, rating, at + timedelta(hours=1))
    await ada.refund("a", "4.00", NOW)
    await ada.shows(total_purchases=3, total_spent="26.00", other_currencies={"EUR": "10.00", "USD": "10.00"})
    month = name_of(in_month(1))
    made_of = {
        "total_spent": "abf",
        f"spending_trends/{month}/total_spent": "a",
        f"spending_trends/{name_of(in_month(2))}/purchase_count": "bf",
        f"spending_trends/{month}/categories/service": "a",
        "favorite_categories/service/total_spent": "af",
        "favorite_categories/storage/average_rating": "",
        "preferred_providers/hypha/total_spent": "ab",
        "preferred_providers/hypha/satisfaction_score": "a",
        "other_currencies/EUR": "c",
        "other_currencies": "cd",
    }
    for figure, ids in made_of.items():
        why = await ada.get("/analytics/usage/explain", figure=figure)
        assert ({fact["id"] for fact in why["facts"]}, why["total_facts"]) == ({*ids}, len(ids)), figure
    total = await ada.get("/analytics/usage/explain", figure="total_spent")
    assert {fact["id"]: fact["amount"] for fact in total["facts"]} == {"a": "6.00", "b": "10.00", "f": "10.00"}
