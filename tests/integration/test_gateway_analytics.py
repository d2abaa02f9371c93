"""The analytics part through the gateway: every answer is as the OpenAPI document describes it."""

import csv
import io
from collections.abc import AsyncIterator

import pytest_asyncio

from services.gateway.main import build_app
from services.gateway.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed
from shared.contracts.topics import CATALOG
from tests.servers.dashboard import API, Json, Reply, Site, User, assert_problem, ready, sign_up, site
from tests.servers.living import NOW, Person, ago, in_month
from tests.servers.running import Running
from tests.waiting import eventually


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(whole: Site, analytics_service: Running) -> User:
    """Someone with half a year behind them, and with an offer of the catalogue."""
    user = await sign_up(whole)
    person = Person(analytics_service, email=user.email)
    offer = {"product_id": f"prod-{user.email}", "name": "Quokka Backup", "product_type": "service", "price": "9.00"}
    listed = ProductListed.model_validate({"provider_id": "h", "provider_name": "H", "currency": "TFP", **offer})
    await analytics_service.publish(CATALOG, make_event(listed, source="/shop", time=NOW))
    for month in range(2, 7):
        await person.buy(f"pur-{month}", f"{20 + month % 3}.00", in_month(month), billing_cycle="monthly")
    await person.buy("pur-1", "400.00", in_month(1))
    await person.deploy("pur-2", in_month(2), monthly_cost="20.00")
    await person.report_health("pur-2", ago(1), 40.0)
    await person.rate("pur-2", 4.5, ago(1))
    await person.post("500.00", "500.00", ago(90))
    await person.look("prod-1", ago(2))
    await person.shows(total_purchases=6)
    return user


async def asked(whole: Site, user: User, path: str) -> Reply:
    reply = await whole.ask("GET", f"{API}/{path}", token=user.token)
    assert reply.status == 200, reply.body
    return reply


async def test_every_question_is_answered_as_described(whole: Site, ada: User) -> None:
    for path in (
        "analytics/usage",
        "analytics/usage/explain?figure=total_spent",
        "analytics/usage/explain?figure=deployment_stats/average_uptime",
        "analytics/usage/explain?figure=activity_patterns/most_active_days",
        "analytics/spending?months=24",
        "analytics/forecast?months=12",
        "analytics/anomalies",
        "analytics/runway",
        "analytics/report",
        "analytics/benchmarks",
        "recommendations/products",
        "recommendations/spending",
        "catalog?limit=1",
    ):
        reply = await asked(whole, ada, path)
        assert reply.json, path
    assert (await asked(whole, ada, "analytics/anomalies")).json["items"]
    assert (await asked(whole, ada, "recommendations/spending")).json["items"]


async def test_a_budget_is_set_and_told_of(whole: Site, ada: User) -> None:
    other = await sign_up(whole)
    assert_problem(await whole.ask("GET", f"{API}/analytics/budget", token=other.token), 404, "no-budget")
    put = await whole.ask("PUT", f"{API}/analytics/budget", token=ada.token, json={"monthly_limit": "1000.00"})
    assert (put.status, put.json["monthly_limit"], put.json["currency"]) == (200, "1000.00", "TFP")
    assert (await asked(whole, ada, "analytics/budget")).json["spent"] == put.json["spent"]
    low = await whole.ask("PUT", f"{API}/analytics/budget", token=ada.token, json={"monthly_limit": "0.01"})
    assert low.status == 200
    assert {alert["kind"] for alert in (await asked(whole, ada, "analytics/alerts")).json["items"]}
    for wrong, pointer in (({}, "#/monthly_limit"), ({"monthly_limit": "0"}, "#/monthly_limit"), ({"x": 1}, "#/x")):
        body: Json = {"json": wrong}
        reply = await whole.ask("PUT", f"{API}/analytics/budget", token=ada.token, **body)
        assert_problem(reply, 422, "invalid", pointer)


async def test_a_report_is_a_file_for_a_spreadsheet(whole: Site, ada: User) -> None:
    first = f"{in_month(6):%Y-%m-%d}"
    reply = await asked(whole, ada, f"analytics/report?from={first}&to={first}&format=csv")
    assert reply.headers["Content-Disposition"] == f'attachment; filename="spending-{first}-{first}.csv"'
    [row] = csv.DictReader(io.StringIO(reply.body.decode(), newline=""))
    assert (row["purchase_id"], row["date"]) == ("pur-6", first)
    as_json = (await asked(whole, ada, f"analytics/report?from={first}&to={first}")).json
    assert as_json["lines"] == [row]
    page = await asked(whole, ada, f"analytics/report?from={first}&to={first}&format=html")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.body.startswith(b"<!DOCTYPE html>")
    for wrong in ("from=2026-01-02&to=2026-01-01", "from=yesterday", "format=pdf"):
        pointer = f"#/{wrong.partition('=')[0]}"
        reply = await whole.ask("GET", f"{API}/analytics/report?{wrong}", token=ada.token)
        assert_problem(reply, 422, "invalid", pointer)


async def test_what_cannot_be_answered_is_a_problem(whole: Site, ada: User) -> None:
    other = await sign_up(whole)
    forecast = await whole.ask("GET", f"{API}/analytics/forecast", token=other.token)
    assert_problem(forecast, 409, "not-enough-history")
    for path, pointer in (
        ("analytics/forecast?months=13", "#/months"),
        ("analytics/spending?months=0", "#/months"),
        ("analytics/usage/explain?figure=nothing", "#/figure"),
        ("analytics/usage/explain", "#/figure"),
        ("recommendations/products?limit=0", "#/limit"),
        ("catalog?type=nothing", "#/type"),
    ):
        assert_problem(await whole.ask("GET", f"{API}/{path}", token=ada.token), 422, "invalid", pointer)
    bad_cursor = await whole.ask("GET", f"{API}/catalog?cursor=nonsense", token=ada.token)
    assert_problem(bad_cursor, 400, "bad-cursor")


async def test_an_idea_is_dismissed_by_whose_it_is(whole: Site, ada: User) -> None:
    [idea, *others] = (await asked(whole, ada, "recommendations/spending")).json["items"]
    dismissal = f"{API}/recommendations/spending/{idea['id']}/dismiss"
    other = await sign_up(whole)
    assert_problem(await whole.ask("POST", dismissal, token=other.token), 404, "not-found")
    assert (await whole.ask("POST", dismissal, token=ada.token)).status == 204
    left = (await asked(whole, ada, "recommendations/spending")).json["items"]
    assert [each["id"] for each in left] == [each["id"] for each in others]
    long = await whole.ask("POST", f"{API}/recommendations/spending/{'x' * 257}/dismiss", token=ada.token)
    assert_problem(long, 422, "invalid", "#/idea_id")


async def test_what_is_on_offer_is_found(whole: Site, ada: User) -> None:
    async def found() -> bool:
        items = (await asked(whole, ada, "catalog?q=quokka&provider=h&max_price=9")).json["items"]
        return f"prod-{ada.email}" in [item["id"] for item in items]

    await eventually(found, what="the offer is in the catalogue")
    assert (await asked(whole, ada, "catalog?q=quokka&max_price=8.99")).json["items"] == []


@pytest_asyncio.fixture(loop_scope="session")
async def alone(gateway_settings: Settings) -> AsyncIterator[Site]:
    """A gateway whose analytics service is away."""
    async with site(build_app(gateway_settings), described=True) as served:
        await ready(served)
        yield served


async def test_without_the_service_it_is_unavailable_and_the_rest_goes_on(alone: Site) -> None:
    user = await sign_up(alone)
    for path in ("analytics/usage", "analytics/forecast", "recommendations/products", "catalog"):
        reply = await alone.ask("GET", f"{API}/{path}", token=user.token)
        assert_problem(reply, 503, "analytics-unavailable")
        assert reply.headers["Retry-After"] == "1"
    assert (await alone.ask("GET", f"{API}/profile", token=user.token)).status == 200
