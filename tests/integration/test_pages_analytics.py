"""The pages about money: analytics and its why, the wallet, recommendations; by a browser without JavaScript."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
import pytest_asyncio

from services.gateway.main import build_app
from services.gateway.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed
from shared.contracts.topics import CATALOG
from tests.servers.browsing import Browser, Element, browsing
from tests.servers.dashboard import Site, User, ready, sign_up, site
from tests.servers.living import NOW, Person, ago, in_month
from tests.servers.running import Running
from tests.waiting import eventually

HOME = "/dashboard/user"
HOSTILE = "<script>alert(1)</script> \u202e مرحبا 🍄"
RUN = uuid4().hex[:8]
OWN, CHEAPER = f"pur-2-{RUN}", f"cheap-{RUN}"


@dataclass(frozen=True)
class Life:
    """Somebody who is signed in, what is known of them, and their browser."""

    user: User
    person: Person
    browser: Browser


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(whole: Site, analytics_service: Running) -> AsyncIterator[Life]:
    """Someone with half a year behind them, a wallet with a gap, pools, and an offer that is cheaper."""
    user = await sign_up(whole)
    person = Person(analytics_service, email=user.email)
    seller = {"provider_id": f"seller-{RUN}", "provider_name": "Seller", "currency": "TFP", "category": f"c-{RUN}"}
    for product, price in ((f"prod-{OWN}", "20.00"), (CHEAPER, "9.00")):
        offer = {
            "product_id": product,
            "name": f"Backup {product}",
            "product_type": "service",
            "billing_cycle": "monthly",
        }
        listed = ProductListed.model_validate({**offer, **seller, "price": price})
        await analytics_service.publish(CATALOG, make_event(listed, source="/shop", time=NOW))
    for month in range(3, 7):
        await person.buy(f"pur-{month}-{RUN}", f"{20 + month}.00", in_month(month))
    await person.buy(OWN, "20.00", in_month(2), billing_cycle="monthly")
    await person.buy(f"pur-1-{RUN}", "400.00", in_month(1))
    await person.buy(f"pur-0-{RUN}", "7.00", NOW, product_name=HOSTILE, provider_id="p0", provider_name=HOSTILE)
    await person.deploy(OWN, in_month(2), monthly_cost="20.00")
    await person.post("500.00", "500.00", ago(90), description=HOSTILE)
    await person.post(
        "-20.00", "480.00", ago(40), kind="purchase", related_entity_id=OWN, related_entity_type="purchase"
    )
    await person.post("5.00", "485.00", ago(2), kind="reward", sequence=9)
    await person.shows(total_purchases=7)
    async with browsing(whole, user) as browser:
        await shown(browser, "/wallet", "485.00")
        yield Life(user, person, browser)


async def shown(browser: Browser, path: str, text: str) -> Element:
    """Waits until the page says it."""

    async def said() -> bool:
        return text in (await browser.get(f"{HOME}{path}")).root.text

    await eventually(said, timeout=60, what=f"{path} says {text}")
    return (await browser.get(f"{HOME}{path}")).root


async def test_the_figures_are_those_of_the_statistics_and_each_says_why(ada: Life) -> None:
    page = await ada.browser.get(f"{HOME}/analytics")
    assert page.status == 200
    totals = page.root.one(id="totals")
    assert "This month so far 7.00 TFP" in totals.text
    assert "Total spent 525.00 TFP" in totals.text
    assert "Average a month 75.00 TFP" in totals.text
    links = [a.attributes["href"] for a in page.root.all("a") if "/analytics/why" in a.attributes.get("href", "")]
    assert len(links) > 10
    for link in dict.fromkeys(links):
        why = await ada.browser.get(link)
        assert why.status == 200, link
        assert why.root.one("section", class_="answer").text, link


async def test_why_leads_to_the_purchases_that_a_figure_is_made_of(ada: Life) -> None:
    month = f"{in_month(1):%Y-%m}"
    page = await ada.browser.get(f"{HOME}/analytics/why?figure=spending_trends/{month}/total_spent")
    assert "400.00 TFP" in page.root.one("section", class_="answer").text
    assert f"{in_month(1):%B %Y}" in page.root.one("h1").text
    [row] = page.root.one("tbody").all("tr")
    assert row.one("th").one("a").attributes["href"] == f"{HOME}/purchases/pur-1-{RUN}"
    assert row.all("code")
    assert (await ada.browser.get(f"{HOME}/analytics/why?figure=no/such")).status == 404


async def test_other_currencies_are_shown_as_what_they_are(whole: Site, analytics_service: Running) -> None:
    user = await sign_up(whole)
    person = Person(analytics_service, email=user.email)
    await person.buy(f"pur-eur-{RUN}", "12.00", NOW, currency="EUR")
    async with browsing(whole, user) as browser:
        for figure in ("other_currencies", "other_currencies/EUR"):
            root = await shown(browser, f"/analytics/why?figure={figure}", "12.00 EUR")
            assert "12.00 EUR" in root.one("section", class_="answer").text
            assert "12.00 EUR" in root.one("tbody").text
            assert "TFP" not in root.one("section", class_="answer").text


async def test_this_month_is_set_against_the_last_with_what_made_the_difference(ada: Life) -> None:
    page = await ada.browser.get(f"{HOME}/analytics")
    told = page.root.one(id="why-this-month")
    assert "That is 393.00 TFP less than all of" in told.text
    assert "Hypha Cloud 400.00 TFP less" in told.text
    assert f"{in_month(1):%B %Y}" in page.root.one(id="anomalies").text


async def test_the_forecast_comes_in_when_it_is_worked_out(ada: Life) -> None:
    root = await shown(ada.browser, "/analytics", "four times out of five")
    assert not [e for e in root.one(id="forecast").all() if "data-poll" in e.attributes]
    heads = [head.text for head in root.one(id="spending-chart").one("table").all("th", scope="col")]
    assert heads == ["Month", "Spent", "Expected", "From", "To"]


async def test_a_new_user_is_told_what_comes_and_has_no_forecast(whole: Site) -> None:
    user = await sign_up(whole)
    async with browsing(whole, user) as browser:
        assert "Nothing was bought yet" in (await browser.get(f"{HOME}/analytics")).root.text
        assert "No money has moved yet" in (await browser.get(f"{HOME}/wallet")).root.text
        assert "There is nothing to save right now" in (await browser.get(f"{HOME}/recommendations")).root.text


async def test_a_short_past_declines_the_forecast_in_words(whole: Site, analytics_service: Running) -> None:
    user = await sign_up(whole)
    person = Person(analytics_service, email=user.email)
    await person.buy(f"first-{RUN}", "5.00", NOW)
    await person.shows(total_purchases=1)
    async with browsing(whole, user) as browser:
        root = await shown(browser, "/analytics", "This is your first month")
        assert "it takes three whole months" in root.one(id="forecast").text


async def test_a_budget_is_set_and_a_bad_one_stays_in_the_form(ada: Life) -> None:
    page = await ada.browser.get(f"{HOME}/analytics")
    bad = await ada.browser.submit(page, "/analytics/budget", monthly_limit="a lot <b>")
    assert bad.status == 422
    [field] = bad.form("/analytics/budget").all("input", name="monthly_limit")
    assert (field.attributes["value"], field.attributes["aria-invalid"]) == ("a lot <b>", "true")
    good = await ada.browser.submit(bad, "/analytics/budget", monthly_limit="10.00")
    assert "Your budget is saved." in good.root.text
    root = await shown(ada.browser, "/analytics", "7.00 TFP of 10.00 TFP")
    assert "3.00 TFP is left" in root.one(id="budget").text


async def test_a_report_is_downloaded_and_days_in_the_wrong_order_are_said(ada: Life) -> None:
    day = f"{in_month(1):%Y-%m-%d}"
    sheet = await ada.browser.get(f"{HOME}/analytics/report?from={day}&to={day}&format=csv")
    assert "attachment" in sheet.headers["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(sheet.html, newline=""))
    assert row["purchase_id"] == f"pur-1-{RUN}"
    as_json = await ada.browser.get(f"{HOME}/analytics/report?from={day}&to={day}&format=json")
    assert as_json.headers["Content-Type"].startswith("application/json")
    assert (
        (await ada.browser.get(f"{HOME}/analytics/report?format=html")).headers["Content-Type"].startswith("text/html")
    )
    wrong = await ada.browser.get(f"{HOME}/analytics/report?from={day}&to=2001-01-01")
    assert wrong.status == 422
    assert "should not be after to" in wrong.form("/analytics/report").text


async def test_the_wallet_has_its_balance_ledger_and_gap(ada: Life) -> None:
    page = await ada.browser.get(f"{HOME}/wallet")
    assert "Balance 485.00 TFP" in page.root.one(id="balance").text
    assert "transactions 3 to 8 are missing" in page.root.one(id="balance").text
    rows = page.root.one(id="ledger").one("tbody").all("tr")
    assert [row.all("td")[1].text for row in rows] == ["+5.00 TFP", "\N{MINUS SIGN}20.00 TFP", "+500.00 TFP"]
    assert rows[1].one("a").attributes["href"] == f"{HOME}/purchases/{OWN}"
    assert page.root.one(id="balance-chart").one("figcaption").text.startswith("Your balance fell since")
    only = await ada.browser.get(f"{HOME}/wallet?kind=reward")
    assert len(only.root.one(id="ledger").one("tbody").all("tr")) == 1
    none = await ada.browser.get(f"{HOME}/wallet?from=2001-01-01&to=2001-01-02")
    assert "Nothing fits these filters." in none.root.one(id="ledger").text


async def test_hostile_names_are_text(ada: Life) -> None:
    for path in ("analytics", "wallet", "analytics/why?figure=total_spent"):
        page = await ada.browser.get(f"{HOME}/{path}")
        assert HOSTILE in page.root.text.replace("  ", " "), path
        assert "<script>alert" not in page.html, path


async def test_a_german_reader_is_told_nothing_in_english(ada: Life) -> None:
    """What the services say in English is on no page; their reasons are, in German."""
    await shown(ada.browser, "/recommendations", f"Backup {CHEAPER}")
    ideas = (await ada.person.get("/recommendations/spending"))["items"]
    products = (await ada.person.get("/recommendations/products", limit=12))["items"]
    told = {
        "recommendations": [text for idea in ideas for text in (idea["title"], idea["description"], *idea["reasons"])]
        + [reason for each in products for reason in each["reasons"]],
        "analytics": [(await ada.person.get("/analytics/runway"))["basis"]]
        + [each["text"] for each in (await ada.person.get("/analytics/benchmarks"))["measures"]],
        "activity": [each["description"] for each in await activities_of(ada)],
    }
    german = {
        "recommendations": "zu Backup",
        "analytics": "Gemessen daran",
        "activity": "bei Hypha Cloud für 400,00 TFP",
    }
    for path, sentences in told.items():
        page = await ada.browser.get(f"{HOME}/{path}", accept_language="de")
        assert sentences, path
        assert german[path] in page.root.text
        assert [each for each in sentences if " ".join(each.split()) in page.root.text] == [], path
    report = await ada.browser.get(f"{HOME}/analytics/report?format=html", accept_language="de")
    assert "Deine Ausgaben vom" in report.root.text
    assert "7,00" in report.root.text


async def activities_of(life: Life) -> list[Any]:  # Any: `UserActivity` as JSON
    """The newest that the API tells of."""
    address = f"{life.browser.site.url}/api/v1/activities?limit=50"
    async with life.browser.http.get(address) as answer:
        found: list[Any] = (await answer.json())["items"]
        return found


async def test_an_idea_is_carried_out_by_its_command_and_another_is_dismissed(ada: Life) -> None:
    root = await shown(ada.browser, "/recommendations", f"Backup {CHEAPER}")
    page = await ada.browser.get(f"{HOME}/recommendations")
    assert "132.00 TFP" in root.one(id="ideas").text  # 11 a month
    [link] = [a for a in root.one(id="ideas").all("a") if CHEAPER in a.attributes["href"]]
    assert link.attributes["href"] == f"{HOME}/discover/{CHEAPER}"
    form = page.form("/do")
    action = form.attributes["action"]
    done = await ada.browser.post(action, form.fields)
    assert (done.status, "Buy" in done.root.one(id="command").text) == (200, True)
    again = await ada.browser.post(action, form.fields)
    assert command_of(again.address) == command_of(done.address)  # twice is once
    gone = await ada.browser.post(action.replace("/do", "/dismiss"), {})
    assert "will not be shown again" in gone.root.text
    assert CHEAPER not in gone.root.one(id="ideas").text
    assert (await ada.browser.post(action, form.fields)).status == 404


async def test_an_idea_about_a_thing_with_a_strange_id_is_carried_out(whole: Site, analytics_service: Running) -> None:
    user = await sign_up(whole)
    person, bought = Person(analytics_service, email=user.email), f"pur:{RUN} %2F"
    await person.buy(bought, "20.00", ago(50), billing_cycle="monthly")
    await person.renew(bought, ago(50), ago(50), hours_used=0.0, next_billing_date=ago(-10))
    async with browsing(whole, user) as browser:
        await shown(browser, "/recommendations", "you hardly use it")
        page = await browser.get(f"{HOME}/recommendations")
        form = page.form("/do")
        done = await browser.post(form.attributes["action"], form.fields)
        assert (done.status, "Cancel" in done.root.one(id="command").text) == (200, True)


def command_of(address: str) -> str:
    return parse_qs(urlsplit(address).query)["command"][0]


async def test_another_users_idea_is_not_there(whole: Site, ada: Life) -> None:
    bob = await sign_up(whole)
    async with browsing(whole, bob) as browser:
        for action in ("do", "dismiss"):
            page = await browser.post(f"{HOME}/recommendations/0123456789abcdef01234567/{action}", {"key": "k"})
            assert page.status == 404
        own = await browser.get(f"{HOME}/analytics/why?figure=total_spent")
        assert RUN not in own.html


@pytest.mark.parametrize("path", ["analytics", "analytics/why", "wallet", "recommendations"])
async def test_who_is_not_signed_in_is_led_to_the_login_and_back(whole: Site, path: str) -> None:
    async with browsing(whole) as browser:
        page = await browser.get(f"{HOME}/{path}")
        assert parse_qs(urlsplit(page.address).query)["next"] == [f"{HOME}/{path}"]


@pytest.mark.parametrize("path", ["analytics/budget", "recommendations/x/do", "recommendations/x/dismiss"])
async def test_another_site_changes_nothing(ada: Life, path: str) -> None:
    page = await ada.browser.post(f"{HOME}/{path}", {"monthly_limit": "1"}, origin="https://evil.test")
    assert page.status == 403


async def test_without_analytics_the_rest_is_there(whole_settings: Settings, ada: Life) -> None:
    settings = whole_settings.model_copy(update={"analytics_url": "http://127.0.0.1:9"})
    async with site(build_app(settings)) as alone, browsing(alone, ada.user) as browser:
        await ready(alone)
        wallet = await browser.get(f"{HOME}/wallet")
        assert (wallet.status, "485.00" in wallet.root.one(id="balance").text) == (200, True)
        assert "cannot be shown right now" in wallet.root.one(id="runway").text
        ideas = await browser.get(f"{HOME}/recommendations")
        assert (ideas.status, ideas.root.text.count("cannot be shown right now")) == (200, 2)
        assert (await browser.get(f"{HOME}/analytics")).status == 503
