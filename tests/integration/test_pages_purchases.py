"""The pages of purchases, as a browser without JavaScript gets them from real services."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from services.gateway import main as gateway_main
from services.gateway.settings import Settings as GatewaySettings
from shared.contracts.marketplace import (
    DeploymentStatusChanged,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    SupportTicketOpened,
)
from tests.integration.shop import HOME, Shop, page_with, pairs_of
from tests.servers.browsing import Browser, browsing
from tests.servers.dashboard import API, Site, User, ready, sign_up, site

HOSTILE = "<script>alert(1)</script>\u202e'\"&amp; مرحبا 🧪"


@pytest_asyncio.fixture(loop_scope="session")
async def ada(whole: Site) -> User:
    return await sign_up(whole)


async def test_without_purchases_there_is_a_next_step(browser: Browser) -> None:
    page = await browser.get(f"{HOME}/purchases")
    assert page.status == 200
    assert "You have not bought anything yet." in page.root.text
    (way,) = page.root.one(class_="empty").all("a")
    assert way.attributes["href"] == f"{HOME}/discover"


async def test_a_purchase_in_the_list(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell()
    deployed = await shop.deploy(bought)
    await shop.tell(DeploymentStatusChanged, deployment_id=deployed, status="running")
    page = await page_with(browser, "/purchases", "Running")
    (item,) = page.root.all("article", class_="item")
    assert item.one("h3").text == "Object Store"
    assert item.one(class_="badge").text == "Active"
    found = pairs_of(page)
    assert (found["Amount"].replace("\u00a0", " "), found["Deployment"]) == ("12.50 TFP", "Running")
    links = [each.attributes["href"] for each in item.one(class_="row").all("a")]
    here = f"{HOME}/purchases/{bought}"
    assert links == [here, f"{HOME}/deployments/{deployed}", f"{here}#rating", f"{here}#cancel"]
    opened = await browser.get(here)
    assert all(opened.root.all(id=anchor) for anchor in ("rating", "cancel"))


async def test_filters_are_in_the_address(browser: Browser, shop: Shop) -> None:
    await shop.sell(product_name="Disk", purchase_id="one")
    await shop.sell(
        product_name="Wire",
        product_type="network",
        provider_id="spore",
        provider_name="Spore",
        status="completed",
        purchase_date="2026-01-31T23:30:00Z",
    )
    await page_with(browser, "/purchases", "Disk")
    await page_with(browser, "/purchases", "Wire")
    wire, both, none = ["Wire"], ["Disk", "Wire"], list[str]()
    for query, names in {
        "status=completed": wire,
        "status=active": ["Disk"],
        "type=network&status=completed": wire,
        "provider=spore": wire,
        "provider=spore&status=active": none,
        "q=wir": wire,
        "q=Hypha": ["Disk"],
        "from=2026-01-31&to=2026-01-31": wire,
        "from=2026-02-01&to=2026-02-01": none,
        "status=&type=&provider=&q=&from=&to=": both,
    }.items():
        page = await browser.get(f"{HOME}/purchases?{query}")
        assert (page.status, sorted(each.text for each in page.root.all("h3"))) == (200, names), query
        assert names or "Nothing fits these filters." in page.root.text
        fields = page.root.one("form", class_="filters").fields
        asked = {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
        assert {name: fields[name] for name in asked} == asked


async def test_a_day_is_a_day_where_the_user_lives(browser: Browser, shop: Shop, whole: Site, ada: User) -> None:
    lives = {"timezone": "Asia/Tokyo"}
    assert (await whole.ask("PATCH", f"{API}/profile", token=ada.token, json=lives)).status == 200
    await shop.sell(product_name="Late", purchase_date="2026-01-31T23:30:00Z")
    await page_with(browser, "/purchases?from=2026-02-01&to=2026-02-01", "Late")
    page = await browser.get(f"{HOME}/purchases?from=2026-01-31&to=2026-01-31")
    assert "Nothing fits these filters." in page.root.text


@pytest.mark.parametrize("query", ["from=2026-02-01&to=2026-01-01", "from=tomorrow", "status=lost", "q=" + "a" * 201])
async def test_filters_that_do_not_fit_are_said(browser: Browser, query: str) -> None:
    page = await browser.get(f"{HOME}/purchases?{query}")
    assert page.status == 422
    assert "These filters do not fit together" in page.root.text
    assert page.root.one("form", class_="filters")


async def test_from_page_to_page_and_back(browser: Browser, shop: Shop, whole: Site, ada: User) -> None:
    few = await whole.ask("PATCH", f"{API}/preferences", token=ada.token, json={"items_per_page": 10})
    assert few.status == 200, few.body
    for number in range(12):
        await shop.sell(timedelta(minutes=20 - number), product_name=f"Nr {number}")
    first = await page_with(browser, "/purchases?type=storage", "Nr 11")
    (older,) = first.root.all("a", rel="next")
    assert len(first.root.all("article")) == 10
    assert not first.root.all("a", rel="prev")
    second = await browser.get(older.attributes["href"])
    assert [each.text for each in second.root.all("h3")] == ["Nr 1", "Nr 0"]
    assert "type=storage" in second.address
    (newer,) = second.root.all("a", rel="prev")
    assert (await browser.get(newer.attributes["href"])).address == first.address


async def test_everything_of_a_purchase(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell(transaction_id="tx-9", billing_cycle="monthly")
    await shop.tell(
        PurchaseServicePeriodChanged,
        purchase_id=bought,
        service_period={
            "start_date": "2026-01-01T00:00:00Z",
            "auto_renewal": True,
            "hours_used": 1234.5,
            "sessions_completed": 7,
            "next_billing_date": "2026-02-01T00:00:00Z",
        },
    )
    await shop.tell(SupportTicketOpened, purchase_id=bought, ticket_id="ticket-7")
    await shop.tell(PurchaseStatusChanged, timedelta(2), purchase_id=bought, status="refunded", reason="Sorry")
    await shop.tell(PurchaseStatusChanged, timedelta(1), purchase_id=bought, status="active", reason="A mistake")
    path = f"/purchases/{bought}"
    await page_with(browser, path, "1,234.5 hours")
    page = await page_with(browser, path, "A mistake")
    found = pairs_of(page)
    assert found["Renewal"] == "Renews by itself"
    assert (found["Next billing"], found["Sessions"], found["Billed"]) == ("Feb 1, 2026", "7", "Monthly")
    moves = [each.text for each in page.root.one(id="history").all("li")]
    assert [move.split()[0] for move in moves] == ["Active", "Refunded", "Active"]
    assert ["Unusual" in move for move in moves] == [True, False, False]
    assert "Sorry" in moves[1]
    links = {each.attributes["href"] for each in page.root.one("main").all("a")}
    assert {f"{HOME}/activity?q={bought}", f"{HOME}/activity?q=ticket-7", f"{HOME}/purchases?provider=hypha"} <= links
    (transaction,) = [urlsplit(link) for link in links if urlsplit(link).path == f"{HOME}/wallet" and "kind" in link]
    day = parse_qs(transaction.query)["from"]
    assert parse_qs(transaction.query) == {"kind": ["purchase"], "from": day, "to": day}


async def test_rating_by_the_form(browser: Browser, shop: Shop, whole: Site, ada: User) -> None:
    bought = await shop.sell()
    page = await page_with(browser, f"/purchases/{bought}", "Your rating")
    choices = [each.attributes["value"] for each in page.root.one(id="rating").all("input", type="radio")]
    assert choices == ["1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0", "4.5", "5.0"]
    rated = await browser.submit(page, "/rating", rating="4.5", review="  Knows the sun  ")
    assert rated.status == 200
    assert "Thank you. Your rating is saved." in rated.root.text
    (chosen,) = [each for each in rated.root.all("input", name="rating") if "checked" in each.attributes]
    assert (chosen.attributes["value"], rated.root.one("textarea", name="review").text) == ("4.5", "Knows the sun")
    known = (await whole.ask("GET", f"{API}/purchases/{bought}", token=ada.token)).json
    assert (known["rating"], known["review"]) == (4.5, "Knows the sun")
    assert "#rating" not in {
        each.attributes["href"][-7:] for each in (await browser.get(f"{HOME}/purchases")).root.all("a")
    }


@pytest.mark.parametrize("rating", ["", "5.5", "0.5", "4.2", "much", "nan", "inf", "1e999"])
async def test_a_rating_that_is_none_keeps_the_review(
    browser: Browser, shop: Shop, whole: Site, ada: User, rating: str
) -> None:
    bought = await shop.sell()
    page = await page_with(browser, f"/purchases/{bought}", "Your rating")
    again = await browser.submit(page, "/rating", rating=rating, review="Long thought about")
    assert again.status == 422
    error = again.root.one(id="rating-error")
    assert error.text == "Choose one of the ratings from 1 to 5."
    assert again.root.one(aria_describedby="rating-error").tag == "fieldset"
    assert again.root.one("textarea", name="review").text == "Long thought about"
    assert (await whole.ask("GET", f"{API}/purchases/{bought}", token=ada.token)).json["rating"] is None


async def test_cancelling_is_followed(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell()
    page = await page_with(browser, f"/purchases/{bought}", "Cancel this purchase")
    dialog = page.root.one("dialog", id="cancel-dialog")
    assert dialog.one("h2").text == "Cancel Object Store?"
    asked = await browser.submit(page, "/cancel", reason="Not needed")
    assert asked.status == 200
    assert "working on it" in asked.root.one(id="command").text
    twice = await browser.submit(page, "/cancel", reason="Not needed")
    assert twice.address == asked.address  # the same form sent twice is one command
    await shop.tell(PurchaseStatusChanged, -timedelta(seconds=1), purchase_id=bought, status="cancelled", reason="Bye")
    path = asked.address.removeprefix(HOME)
    await page_with(browser, path, "Done.")
    done = await browser.get(HOME + path)  # the first one may have asked for the purchase before it was cancelled
    assert not done.root.all(id="cancel")


async def test_what_cannot_be_cancelled_has_no_button(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell(status="completed")
    page = await page_with(browser, f"/purchases/{bought}", "Completed")
    assert not page.root.all(id="cancel")


async def test_texts_of_others_stay_texts(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell(product_name=HOSTILE, provider_name=HOSTILE, purchase_id="a b/../<c>?#" + "ü" * 20)
    page = await page_with(browser, "/purchases", "alert(1)")
    assert "<script>alert" not in page.html
    assert page.root.one("h3").text == HOSTILE
    assert bought.split("/")[0] not in [each.attributes["id"] for each in page.root.all("article")]
    strange = await shop.sell(product_name="Strange", purchase_id="a b&<c>?#%41" + "ü" * 20)
    page = await page_with(browser, "/purchases?q=strange", "Strange")
    opened = await browser.get(page.root.one("h3").one("a").attributes["href"])
    assert (opened.status, pairs_of(opened)["Purchase number"]) == (200, strange)


async def test_another_users_purchase_is_not_there(browser: Browser, whole: Site, shop: Shop) -> None:
    bought = await shop.sell()
    await page_with(browser, f"/purchases/{bought}", "Object Store")
    async with browsing(whole, await sign_up(whole)) as other:
        for path in ("", "/rating", "/cancel"):
            address = f"{HOME}/purchases/{bought}{path}"
            page = await (other.post(address, {"rating": "4"}) if path else other.get(address))
            assert page.status == 404, path
            assert "Object Store" not in page.html


async def test_who_is_not_signed_in_is_led_to_the_login_and_back(whole: Site) -> None:
    async with browsing(whole) as guest:
        page = await guest.get(f"{HOME}/purchases?status=active")
        assert page.address.startswith("/login?")
        assert page.form("/login").fields["next"] == f"{HOME}/purchases?status=active"


async def test_a_form_of_another_site_changes_nothing(browser: Browser, shop: Shop, whole: Site, ada: User) -> None:
    bought = await shop.sell()
    await page_with(browser, f"/purchases/{bought}", "Object Store")
    for path in ("rating", "cancel"):
        sent = await browser.post(f"{HOME}/purchases/{bought}/{path}", {"rating": "1"}, origin="https://evil.example")
        assert sent.status == 403
    known = (await whole.ask("GET", f"{API}/purchases/{bought}", token=ada.token)).json
    assert (known["rating"], known["status"]) == (None, "active")


async def test_without_the_purchases_service_the_page_says_so(whole_settings: GatewaySettings) -> None:
    alone = whole_settings.model_copy(update={"purchases_url": "http://127.0.0.1:9"})
    async with site(gateway_main.build_app(alone)) as served:
        await ready(served)
        async with browsing(served, await sign_up(served)) as opened:
            for path in ("/purchases", "/purchases/p", "/deployments", "/deployments/d"):
                page = await opened.get(HOME + path)
                assert page.status == 503
                assert "What you have is safe." in page.root.text
