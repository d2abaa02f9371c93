"""The analytics service as publishers and the gateway see it, on a real broker and a real mongod."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio

from services.analytics.forecasting import Forecaster
from services.analytics.outlook import Outlook
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import AnalyticsStore
from shared.contracts.analytics_forecast import BudgetBody
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed
from shared.contracts.dashboard import ActivityReported
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.marketplace import PurchaseCreated
from shared.contracts.profile import PreferencesUpdated, ProfileUpdated
from shared.contracts.topics import CATALOG
from shared.folds.facts import facts_of
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from tests.servers.living import NOW, Json, Person, ago, in_month, name_of
from tests.servers.running import Running
from tests.waiting import eventually

THIS_MONTH = name_of(NOW)


@pytest.fixture
def ada(analytics_service: Running) -> Person:
    return Person(analytics_service)


@pytest.fixture
def bob(analytics_service: Running) -> Person:
    return Person(analytics_service)


async def some_life(person: Person) -> None:
    """42.50 in all: 30 net two months ago, nothing in the month after it, 12.50 in this one."""
    await person.buy("pur-1", "40.00", in_month(2))
    await person.rate("pur-1", 5.0, in_month(2) + timedelta(hours=1))
    await person.refund("pur-1", "10.00", in_month(2) + timedelta(days=2))
    storage = {"product_type": "storage", "provider_id": "spore", "provider_name": "Spore"}
    await person.buy("pur-2", "12.50", NOW, product_name="=cmd", **storage)
    await person.buy("pur-3", "99.00", NOW, status="pending")
    await person.deploy("pur-1", in_month(2) + timedelta(hours=2), monthly_cost="20.00")
    await person.report_health("pur-1", ago(1), 40.0)
    await person.shows(total_spent="42.50", total_purchases=2)
    await eventually(lambda: has_a_load(person), what="the health report is there")


async def has_a_load(person: Person) -> bool:
    return (await person.usage())["deployment_stats"]["cost_efficiency_score"] is not None


async def test_the_statistics(ada: Person) -> None:
    await some_life(ada)
    usage = await ada.usage()
    assert usage["average_monthly_spending"] == "14.17"
    assert [(c["category"], c["total_spent"], c["purchase_count"]) for c in usage["favorite_categories"]] == [
        ("service", "30.00", 1),
        ("storage", "12.50", 1),
    ]
    assert [c["percentage_of_total"] for c in usage["favorite_categories"]] == [70.6, 29.4]
    assert [(p["provider_id"], p["satisfaction_score"]) for p in usage["preferred_providers"]] == [
        ("hypha", 66.7),  # (2 * 3 + 5) / (2 + 1) on a scale from 1 to 5
        ("spore", None),
    ]
    assert [(m["month"], m["total_spent"]) for m in usage["spending_trends"]] == [
        (name_of(in_month(2)), "30.00"),
        (name_of(in_month(1)), "0"),
        (THIS_MONTH, "12.50"),
    ]
    deployed = usage["deployment_stats"]
    assert (deployed["total_deployments"], deployed["active_deployments"], deployed["monthly_costs"]) == (1, 1, "20.00")
    assert (deployed["average_uptime"], deployed["cost_efficiency_score"]) == (100.0, 40.0)


async def test_what_runs_for_another_currency_is_not_added(ada: Person) -> None:
    await ada.buy("pur-1", "5.00", NOW)
    await ada.deploy("pur-1", NOW, monthly_cost="20.00")
    await ada.buy("pur-2", "7.00", NOW, currency="EUR", billing_cycle="monthly")
    await ada.deploy("pur-2", NOW, monthly_cost="30.00")
    await ada.buy("pur-3", "9.00", NOW, currency="EUR", billing_cycle="monthly")
    await ada.deploy("pur-3", NOW)

    async def all_run() -> bool:
        deployed = (await ada.usage())["deployment_stats"]
        return bool(deployed["active_deployments"] == 3)

    await eventually(all_run, what="all deployments are active")
    assert (await ada.usage())["deployment_stats"]["monthly_costs"] == "20.00"
    why = await ada.get("/analytics/usage/explain", figure="deployment_stats/monthly_costs")
    assert [(fact["id"], fact["amount"]) for fact in why["facts"]] == [
        ("dep-pur-1", "20.00"),
        ("dep-pur-2", None),
        ("dep-pur-3", None),
    ]


async def test_spending_has_as_many_months_as_asked_for(ada: Person) -> None:
    await some_life(ada)
    found = await ada.get("/analytics/spending", months=4)
    assert [(m["month"], m["total_spent"]) for m in found["items"]] == [
        (THIS_MONTH, "12.50"),
        (name_of(in_month(1)), "0"),
        (name_of(in_month(2)), "30.00"),
        (name_of(in_month(3)), "0"),
    ]
    assert found["items"][0]["categories"] == {"storage": "12.50"}
    for wrong in ("0", "121", "x"):
        assert (await ada.service.get("/analytics/spending", ada.email, {"months": wrong}))[0] == 422


async def test_every_sum_is_that_of_its_evidence(ada: Person) -> None:
    await some_life(ada)
    usage, ids = await ada.usage(), {event.id for _, event in ada.told}
    figures = {"total_spent": usage["total_spent"]}
    figures |= {f"spending_trends/{m['month']}/total_spent": m["total_spent"] for m in usage["spending_trends"]}
    figures |= {
        f"favorite_categories/{c['category']}/total_spent": c["total_spent"] for c in usage["favorite_categories"]
    }
    figures |= {
        f"preferred_providers/{p['provider_id']}/total_spent": p["total_spent"] for p in usage["preferred_providers"]
    }
    figures["deployment_stats/monthly_costs"] = "20.00"
    for figure, value in figures.items():
        why = await ada.get("/analytics/usage/explain", figure=figure)
        assert why["value"] == value
        assert sum(Decimal(fact["amount"]) for fact in why["facts"]) == Decimal(value), figure
        assert why["total_facts"] == len(why["facts"])
        assert all(fact["event_ids"] and {*fact["event_ids"]} <= ids for fact in why["facts"])
    for unknown in ("", "total", "spending_trends/1999-01/total_spent", "total_spent/x", "user_email"):
        status, _ = await ada.service.get("/analytics/usage/explain", ada.email, {"figure": unknown})
        assert status == 422, unknown


async def test_how_much_does_not_count_is_said(ada: Person) -> None:
    await some_life(ada)  # with a pending purchase of a service of hypha's
    figures = {
        "total_spent": 1,
        f"spending_trends/{THIS_MONTH}/total_spent": 1,
        f"spending_trends/{name_of(in_month(2))}/total_spent": 0,
        "favorite_categories/storage/total_spent": 0,
        "preferred_providers/hypha/total_spent": 1,
        "deployment_stats/monthly_costs": 0,
    }
    said = {figure: (await ada.get("/analytics/usage/explain", figure=figure))["not_counted"] for figure in figures}
    assert said == figures


async def test_the_report_lists_the_purchases_of_the_days(ada: Person) -> None:
    await some_life(ada)
    days = {"from": f"{in_month(2):%Y-%m-01}", "to": f"{NOW:%Y-%m-%d}"}
    told = await ada.get("/analytics/report", **days)
    assert (told["from"], told["to"], told["total_spent"]) == (days["from"], days["to"], "42.50")
    assert told["months"] == {name_of(in_month(2)): "30.00", THIS_MONTH: "12.50"}
    assert [(line["purchase_id"], line["refunded"], line["spent"]) for line in told["lines"]] == [
        ("pur-1", "10.00", "30.00"),
        ("pur-2", "0", "12.50"),
        ("pur-3", "0", "0"),
    ]
    one_day = f"{in_month(2):%Y-%m-%d}"
    assert len((await ada.get("/analytics/report", **{"from": one_day, "to": one_day}))["lines"]) == 1
    headers, rows = await as_csv(ada, days)
    assert headers["Content-Disposition"] == f'attachment; filename="spending-{days["from"]}-{days["to"]}.csv"'
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert [row["product_name"] for row in rows] == ["Product pur-1", "'=cmd", "Product pur-3"]
    assert sum(Decimal(row["spent"]) for row in rows) == Decimal("42.50")


async def as_csv(person: Person, days: Json) -> tuple[Mapping[str, str], list[dict[str, str]]]:
    token = {"authorization": f"Bearer {person.service.tokens.sign('analytics', person.email)}"}
    address = f"{person.service.url}/analytics/report"
    async with person.service.http.get(address, params={**days, "format": "csv"}, headers=token) as response:
        assert response.status == 200
        text = (await response.read()).decode()
        return response.headers, list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-01-02", "to": "2026-01-01"},
        {"from": "2026-02-30"},
        {"from": "1234567890"},
        {"to": "2026-01-01T00:00:00Z"},
        {"from": "0001-01-01"},
        {"to": "9999-12-31"},
        {"format": "pdf"},
    ],
    ids=str,
)
async def test_a_report_of_no_days_is_refused(ada: Person, asked: Json) -> None:
    status, problem = await ada.service.get("/analytics/report", ada.email, asked)
    assert (status, problem["type"]) == (422, "urn:mycelium:problem:invalid")
    assert problem["errors"][0]["pointer"] == f"#/{next(iter(asked))}"


async def test_the_days_of_a_report_are_those_of_the_users_time_zone(ada: Person) -> None:
    await ada.tell(UserRegistered, ago(300), timezone="Pacific/Auckland")
    await ada.buy("pur-1", "5.00", datetime.fromisoformat("2026-03-09T20:00:00+00:00"))
    await ada.shows(total_spent="5.00", timezone="Pacific/Auckland")
    for day, number in (("2026-03-09", 0), ("2026-03-10", 1)):
        found = await ada.get("/analytics/report", **{"from": day, "to": day})
        assert len(found["lines"]) == number
    last = await ada.get("/analytics/report", **{"from": "1970-01-01", "to": "9999-01-01"})
    assert last["lines"][0]["date"] == "2026-03-10"


async def test_nobody_has_empty_statistics(ada: Person) -> None:
    usage = await ada.usage()
    assert (usage["total_spent"], usage["spending_trends"], usage["timezone"]) == ("0", [], "UTC")
    assert usage["deployment_stats"]["average_uptime"] is None
    assert (await ada.get("/analytics/report"))["lines"] == []
    assert (await ada.get("/analytics/anomalies"))["items"] == []
    assert (await ada.get("/analytics/alerts"))["items"] == []
    assert (await ada.get("/recommendations/spending"))["items"] == []
    runway = await ada.get("/analytics/runway")
    assert (runway["balance"], runway["burn_per_day"]) == ("0.00", "0.00")
    status, problem = await ada.service.get("/analytics/forecast", ada.email)
    assert (status, problem["type"]) == (409, "urn:mycelium:problem:not-enough-history")


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_a_refund_counts_before_its_purchase_too_and_never_below_nothing(
    ada: Person, order: tuple[int, ...]
) -> None:
    at = in_month(1)
    said = [
        lambda: ada.buy("pur-1", "20.00", at),
        lambda: ada.refund("pur-1", "5.00", at + timedelta(days=20)),
        lambda: ada.refund("pur-1", "2.50", at + timedelta(days=1)),
    ]
    for place in order:
        await said[place]()
    usage = await ada.shows(total_spent="12.50")
    assert [m["total_spent"] for m in usage["spending_trends"]] == ["12.50", "0"]
    await ada.refund("pur-1", "500.00", NOW)
    usage = await ada.shows(total_spent="0")
    assert usage["total_purchases"] == 1


async def test_another_time_zone_moves_the_months(ada: Person) -> None:
    begun = NOW.replace(day=1, hour=0, minute=30)
    await ada.buy("pur-1", "8.00", begun)
    usage = await ada.shows(total_spent="8.00")
    assert [m["month"] for m in usage["spending_trends"]] == [THIS_MONTH]
    await ada.tell(ProfileUpdated, ago(0), changed=["timezone"], timezone="America/New_York")
    usage = await ada.shows(timezone="America/New_York")
    first = usage["spending_trends"][0]
    assert (first["month"], first["total_spent"]) == (name_of(in_month(1)), "8.00")
    await ada.tell(ProfileUpdated, NOW + timedelta(seconds=1), changed=["timezone"], timezone="Europe/Stockholm")
    usage = await ada.shows(timezone="Europe/Stockholm")
    assert [(m["month"], m["total_spent"]) for m in usage["spending_trends"]] == [(THIS_MONTH, "8.00")]


async def test_late_and_duplicate_events_change_nothing(ada: Person, bob: Person) -> None:
    await some_life(ada)
    before = await ada.usage()
    for topic, event in [*reversed(ada.told), *ada.told]:
        await ada.service.publish(topic, event)
    await ada.buy("pur-last", "1.00", NOW)
    await ada.shows(total_spent="43.50")
    await ada.move("pur-last", "cancelled", NOW + timedelta(seconds=1))
    after = await ada.shows(total_spent="42.50")
    for usage in (before, after):
        usage["last_calculated"] = usage["deployment_stats"]["total_resource_hours"] = None
    assert after == before


async def test_two_users_with_the_same_ids_never_mix(ada: Person, bob: Person) -> None:
    await some_life(ada)
    assert (await bob.usage())["total_spent"] == "0"
    await bob.buy("pur-1", "7.00", in_month(2))
    await bob.look("prod-9", ago(0.1), "s-1")
    await ada.look("prod-9", ago(3), "s-1")
    assert (await bob.shows(total_spent="7.00"))["total_purchases"] == 1
    await bob.refund("pur-1", "7.00", NOW)
    usage = await bob.shows(total_spent="0")
    assert usage["deployment_stats"]["total_deployments"] == 0
    assert (await ada.usage())["total_spent"] == "42.50"
    why = await bob.get("/analytics/usage/explain", figure="total_purchases")
    assert [fact["id"] for fact in why["facts"]] == ["pur-1"]
    assert {*why["facts"][0]["event_ids"]} <= {event.id for _, event in bob.told}


async def bought_every_month(person: Person, months: int, amount: str = "20.00") -> None:
    """One purchase in each of so many closed months."""
    for number in range(1, months + 1):
        await person.buy(f"pur-{number}", amount, in_month(number))
    await person.shows(total_purchases=months)


async def test_a_forecast_takes_three_closed_months(ada: Person) -> None:
    await bought_every_month(ada, 2)
    status, problem = await ada.service.get("/analytics/forecast", ada.email)
    assert (status, problem["type"]) == (409, "urn:mycelium:problem:not-enough-history")
    await ada.buy("pur-3", "20.00", in_month(3))
    await ada.shows(total_purchases=3)
    assert (await ada.get("/analytics/forecast"))["history_months"] == 3


async def test_a_forecast_of_a_year_begins_with_the_running_month(ada: Person) -> None:
    await bought_every_month(ada, 12)
    found = await ada.get("/analytics/forecast", months=12)
    assert found["history_months"] == 12
    assert [len(found["items"]), found["items"][0]["month"]] == [12, THIS_MONTH]
    for month in found["items"]:
        assert Decimal(month["low"]) <= Decimal(month["expected"]) <= Decimal(month["high"])
    assert Decimal(found["items"][0]["expected"]) == 20
    assert len((await ada.get("/analytics/forecast"))["items"]) == 3
    await ada.buy("pur-more", "100.00", in_month(1))
    await ada.shows(total_purchases=13)
    assert Decimal((await ada.get("/analytics/forecast"))["items"][0]["expected"]) > 20, "a closed month changed"
    assert (await ada.service.get("/analytics/forecast", ada.email, {"months": 13}))[0] == 422


async def test_a_month_out_of_the_ordinary_is_told_with_what_drove_it(ada: Person) -> None:
    for number in range(2, 9):
        await ada.buy(f"pur-{number}", f"{20 + number % 3}.00", in_month(number))
    await ada.buy("pur-huge", "400.00", in_month(1), provider_id="spore", provider_name="Spore")
    await ada.shows(total_purchases=8)
    [month, *_] = [each for each in (await ada.get("/analytics/anomalies"))["items"] if each["provider_id"] is None]
    assert (month["month"], month["direction"], month["spent"]) == (name_of(in_month(1)), "above", "400.00")
    [driver] = [each for each in month["drivers"] if each["kind"] == "purchase"]
    assert (driver["id"], driver["amount"]) == ("pur-huge", "400.00")
    assert {*driver["event_ids"]} <= {event.id for _, event in ada.told}


async def reached(person: Person) -> list[int]:
    """The thresholds that the user was told to have been reached."""
    told = (await person.get("/analytics/alerts"))["items"]
    assert all(datetime.fromisoformat(alert["raised_at"]) for alert in told)
    return sorted(alert["threshold"] for alert in told if alert["kind"] == "budget_reached")


async def test_a_budget_is_told_of_once(ada: Person) -> None:
    status, problem = await ada.service.get("/analytics/budget", ada.email)
    assert (status, problem["type"]) == (404, "urn:mycelium:problem:no-budget")
    status, budget = await ada.send("PUT", "/analytics/budget", {"monthly_limit": "100.00"})
    assert (status, budget["spent"], budget["left"], budget["month"]) == (200, "0.00", "100.00", THIS_MONTH)
    assert await reached(ada) == []
    await ada.buy("pur-1", "85.00", NOW)
    await ada.shows(total_spent="85.00")
    assert await reached(ada) == [50, 80]
    budget = await ada.get("/analytics/budget")
    assert (budget["used_percent"], budget["left"]) == (85.0, "15.00")
    assert [threshold["state"] for threshold in budget["thresholds"][:2]] == ["reached", "reached"]
    await ada.buy("pur-2", "30.00", NOW)
    await ada.shows(total_spent="115.00")
    assert await reached(ada) == [50, 80, 100]
    assert await reached(ada) == [50, 80, 100]
    await ada.send("PUT", "/analytics/budget", {"monthly_limit": "50.00"})
    assert await reached(ada) == [50, 80, 100]
    for wrong in ({"monthly_limit": "0"}, {"monthly_limit": -1}, {}, {"monthly_limit": "1", "x": 1}):
        assert (await ada.send("PUT", "/analytics/budget", wrong))[0] == 422


async def test_without_billing_alerts_nobody_is_told(ada: Person) -> None:
    await ada.tell(PreferencesUpdated, ago(1), changed=["billing_alerts"], billing_alerts=False)
    await ada.buy("pur-1", "85.00", NOW)
    await ada.shows(total_spent="85.00")
    await ada.send("PUT", "/analytics/budget", {"monthly_limit": "100.00"})
    assert (await ada.get("/analytics/alerts"))["items"] == []
    assert (await ada.get("/analytics/budget"))["spent"] == "85.00"
    await ada.tell(PreferencesUpdated, NOW, changed=["billing_alerts"], billing_alerts=True)
    await eventually(lambda: reached(ada), what="they are told again")


async def test_the_wallet_lasts_as_long_as_its_balance(ada: Person) -> None:
    await ada.buy("pur-1", "90.00", ago(100))
    await ada.buy("pur-2", "45.00", ago(45))
    await ada.post("200.00", "200.00", ago(99))
    await ada.post("-90.00", "110.00", ago(120))
    await ada.shows(total_purchases=2)

    async def has_the_balance() -> bool:
        return bool((await ada.get("/analytics/runway"))["balance"] == "110.00")

    await eventually(has_the_balance, what="the line of the highest sequence counts, whatever its time")
    runway = await ada.get("/analytics/runway")
    assert (runway["window_days"], runway["burn_per_day"], runway["days_left"]) == (90, "0.50", 220)
    assert runway["runs_out_on"] == f"{datetime.fromisoformat(runway['as_of']) + timedelta(days=220):%Y-%m-%d}"


async def offer(person: Person, id: str, **more: Json) -> None:
    """A product is put on offer."""
    said = {"product_id": id, "name": f"Product {id}", "product_type": "service", "category": "backup", **more}
    listed = {"provider_id": "hypha", "provider_name": "Hypha Cloud", "price": "20.00", "currency": "TFP", **said}
    product = ProductListed.model_validate({"billing_cycle": "monthly", **listed})
    await person.service.publish(CATALOG, make_event(product, source="/shop", time=NOW))


async def ideas(person: Person) -> dict[str, Json]:
    found = await person.get("/recommendations/spending")
    assert Decimal(found["total_savings"]) == sum(Decimal(i["potential_savings"]) for i in found["items"])
    return {idea["type_"]: idea for idea in found["items"]}


async def test_ideas_to_spend_less_can_be_done_or_dismissed(ada: Person, bob: Person) -> None:
    yearly = f"prod-{ada.email}"
    await offer(ada, yearly, annual_price="180.00", category=None)
    await ada.buy("pur-1", "20.00", ago(100), product_id=yearly, billing_cycle="monthly")
    await ada.buy("pur idle", "1.00", ago(50), billing_cycle="one_time")
    await ada.deploy("pur idle", ago(50), monthly_cost="30.00")
    for day in range(1, 13):
        for hours in (0, 6):
            await ada.report_health("pur idle", ago(day) + timedelta(hours=hours), 2.0)

    async def both() -> bool:
        found = await ideas(ada)
        savings = {kind: idea["potential_savings"] for kind, idea in found.items()}
        return savings == {"annual_billing": "60.00", "idle_deployment": "360.00"}  # with the price of the catalogue

    await eventually(both, timeout=60, what="both ideas")
    found = await ideas(ada)
    idle = found["idle_deployment"]
    assert idle["evidence"] == ["dep-pur idle", "pur idle"]
    command = {"method": "POST", "path": "/api/v1/deployments/dep-pur%20idle/commands", "body": {"action": "stop"}}
    assert idle["command"] == command

    dismissal = f"/recommendations/spending/{idle['id']}/dismiss"
    assert (await bob.send("POST", dismissal))[0] == 404
    assert (await ada.send("POST", "/recommendations/spending/nothing/dismiss"))[0] == 404
    assert (await ada.send("POST", dismissal))[0] == 204
    assert (await ada.send("POST", dismissal))[0] == 204
    assert (await ideas(ada)).keys() == {"annual_billing"}
    await ada.move("pur-1", "cancelled", NOW)
    await ada.shows(total_purchases=1)
    assert await ideas(ada) == {}


async def was_there(person: Person, minutes: int, session: int) -> None:
    """Waits until the user was active in so many minutes, and in sessions of so many minutes on average."""

    async def found() -> bool:
        why = await person.get("/analytics/usage/explain", figure="activity_patterns/most_active_hours")
        length = (await person.usage())["activity_patterns"]["average_session_duration"]
        assert (why["total_facts"], length) == (minutes, session)
        return True

    await eventually(found, timeout=60, what="the minutes and sessions")


async def visit(person: Person, at: datetime) -> None:
    """A session of ten minutes whose last three are looking around, and as long a look around without one."""
    name = f"s-{at:%d%H%M}"
    await person.tell(UserLoggedIn, at, session_id=name)
    await person.tell(UserLoggedOut, at + timedelta(minutes=7), session_id=name)
    await person.look("prod-1", at + timedelta(minutes=10), name)
    later = at + timedelta(hours=2)
    reported = {"activity_type": "product_view", "description": "Looked at it", "related_entity_id": "prod-2"}
    await person.tell(ActivityReported, later, **reported)
    await person.tell(ActivityReported, later + timedelta(minutes=20), **reported)


async def test_without_consent_looking_around_is_neither_kept_nor_counted(ada: Person, kept: Database) -> None:
    at = ago(3).replace(hour=8, minute=0, second=0)
    await visit(ada, at)
    await was_there(ada, minutes=5, session=15)
    patterns = (await ada.usage())["activity_patterns"]
    assert (patterns["most_active_hours"], patterns["most_active_days"]) == ([8, 10], [f"{at:%A}"])
    assert (patterns["session_frequency"], patterns["peak_usage_times"][1]) == (2.0, f"{at:%A} 10:00-11:00")

    await ada.tell(PreferencesUpdated, ago(1), changed=["activity_tracking"], activity_tracking=False)
    await was_there(ada, minutes=3, session=4)  # the change itself is a session of no minutes
    await visit(ada, at - timedelta(days=7))  # comes late, and what it says of looking around is dropped
    await was_there(ada, minutes=5, session=5)
    theirs = {"user": ada.email}
    assert await kept["views"].count_documents(theirs) == 0
    assert await kept["days"].count_documents({**theirs, "low": {"$nin": [None, {}]}}) == 0
    assert await kept["sessions"].count_documents({**theirs, "low": {"$exists": True}}) == 0

    await ada.tell(PreferencesUpdated, ago(0.5), changed=["activity_tracking"], activity_tracking=True)
    await ada.look("prod-3", ago(0.7))
    await ada.look("prod-4", ago(0.1))

    async def viewed() -> list[str]:
        return [view["product_id"] async for view in kept["views"].find(theirs)]

    await eventually(viewed, what="what is looked at with consent is kept")
    assert await viewed() == ["prod-4"]


@pytest_asyncio.fixture(loop_scope="session")
async def kept(mongo_url: str) -> AsyncIterator[Database]:
    """The service's own database."""
    client = mongo.connect(mongo_url)
    yield client["analytics"]
    client.close()


async def test_budgets_are_told_of_without_being_asked_for(database: Database) -> None:
    seen, store = Presences(database), AnalyticsStore(database)
    outlook = Outlook(database, Reckoning(database, seen), Forecaster())

    async def told() -> dict[str, list[int]]:
        await outlook.tell()
        return {
            d["_id"]: [a["threshold"] for a in d.get("alerts", ()) if a["kind"] == "budget_reached"]
            async for d in database["users"].find()
        }

    limit = BudgetBody(monthly_limit=Decimal(100))
    for user in ("ada@example.test", "bo@example.test"):
        await outlook.set_budget(user, limit)
    assert await told() == {"ada@example.test": [], "bo@example.test": []}
    bought = PurchaseCreated.model_validate({"user_email": "ada@example.test", **BOUGHT})
    await store.merge(facts_of(make_event(bought, source="/shop", time=NOW)))
    for _ in range(2):
        assert await told() == {"ada@example.test": [50, 80], "bo@example.test": []}


BOUGHT = {
    "purchase_id": "pur-1",
    "product_id": "prod-1",
    "product_name": "Solar Forecast",
    "product_type": "service",
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "amount": "85.00",
    "currency": "TFP",
    "status": "active",
}
