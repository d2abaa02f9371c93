"""Finding things: what is on offer, one product that is bought, the search, and the activity that all of it leaves."""

import pytest_asyncio

from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import Payload
from shared.contracts.topics import CATALOG
from tests.servers.browsing import Browser, browsing
from tests.servers.dashboard import API, Json, Site, User, activities, assert_problem, sign_up
from tests.servers.living import NOW, Person, ago
from tests.servers.running import Running
from tests.waiting import eventually

HOME = "/dashboard/user"
SCRIPT = "<script>alert(1)</script>"
OFFERS: list[Json] = [
    {"product_id": "zebra", "name": "Zebra Backup", "price": "9.00", "category": "stripes", "provider_id": "savanna"},
    {"product_id": "okapi", "name": "Okapi Index", "price": "90.00", "category": "stripes", "provider_id": "forest"},
    {"product_id": "gnu", "name": f"Gnu {SCRIPT}", "price": "9.50", "category": "herds", "provider_id": "savanna"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(whole: Site, analytics_service: Running) -> User:
    """Someone who bought Zebra Backup, in a marketplace with three products on offer and one that was retired."""
    user = await sign_up(whole)
    for offer in OFFERS:
        more = {"product_type": "service", "provider_name": offer["provider_id"].title(), "currency": "TFP"}
        await publish(analytics_service, ProductListed.model_validate({**more, "billing_cycle": "monthly", **offer}))
    await publish(analytics_service, ProductRetired.model_validate({"product_id": "quagga"}))
    person = Person(analytics_service, email=user.email)
    await person.post("50.00", "50.00", ago(10))
    await person.buy("pur-1", "9.00", ago(9), product_id="zebra", product_name="Zebra Backup")
    async with browsing(whole, user) as browser:

        async def is_known() -> bool:
            product, offered = await browser.get(f"{HOME}/discover/zebra"), await names(browser, "?category=stripes")
            return {"Okapi Index", "Zebra Backup"} <= {*offered} and "Bought on" in product.root.text

        await eventually(is_known, timeout=60, what="the offers and the purchase are known")
    return user


async def publish(service: Running, payload: Payload) -> None:
    await service.publish(CATALOG, make_event(payload, source="/shop", time=NOW))


async def names(browser: Browser, query: str) -> list[str]:
    page = await browser.get(f"{HOME}/discover{query}")
    assert page.status == 200
    return [each.one("h2").text for each in page.root.all("article")]


async def test_products_are_filtered(browser: Browser) -> None:
    assert await names(browser, "?q=zebra") == ["Zebra Backup"]
    assert await names(browser, "?category=stripes") == ["Okapi Index", "Zebra Backup"]
    assert await names(browser, "?provider=savanna&max_price=9.20") == ["Zebra Backup"]
    assert await names(browser, "?q=nothing-like-it") == []
    wrong = await browser.get(f"{HOME}/discover?min_price=much")
    assert wrong.status == 422
    assert wrong.root.one(id="min_price").attributes["aria-invalid"] == "true"
    assert wrong.root.one(id="min_price").attributes["value"] == "much"


async def test_without_filters_the_preferences_filter(whole: Site) -> None:
    user = await sign_up(whole)
    wanted = {"default_category_filter": "stripes", "price_range_filter": ["5.00", "95.00"]}
    wanted |= {"preferred_providers": ["savanna"]}
    changed = await whole.ask("PATCH", f"{API}/preferences", token=user.token, json=wanted)
    assert changed.status == 200
    async with browsing(whole, user) as browser:
        assert await names(browser, "") == ["Zebra Backup", "Okapi Index"]  # who is preferred comes first
        page = await browser.get(f"{HOME}/discover")
        assert "what your preferences ask for" in page.root.one(id="products").text
        assert len(await names(browser, "?q=")) >= len(OFFERS)


async def test_a_product_is_shown_as_it_is_offered(browser: Browser, whole: Site, ada: User) -> None:
    page = await browser.get(f"{HOME}/discover/gnu")
    assert SCRIPT not in page.html
    assert "9.50 TFP" in page.root.one(id="offer").text
    dialog = page.root.one("dialog", id="buy").text
    assert "9.50 TFP" in dialog
    assert "50.00 TFP" in dialog
    for gone in ("quagga", "nothing"):
        assert (await browser.get(f"{HOME}/discover/{gone}")).status == 404
        answer = await whole.ask("GET", f"{API}/catalog/{gone}", token=ada.token)
        assert_problem(answer, 404, "not-found")
    offered = await whole.ask("GET", f"{API}/catalog/zebra", token=ada.token)
    assert (offered.status, offered.json["price"], offered.json["category"]) == (200, "9.00", "stripes")


async def test_what_is_bought_is_followed(browser: Browser) -> None:
    page = await browser.get(f"{HOME}/discover/okapi")
    assert "does not cover this" in page.root.one("dialog", id="buy").text
    wrong = await browser.submit(page, "/okapi/buy", quantity="0")
    assert wrong.status == 422
    assert wrong.root.one(id="quantity").attributes["value"] == "0"
    bought = await browser.submit(page, "/okapi/buy", quantity="2")
    assert bought.status == 200
    assert bought.address.startswith(f"{HOME}/discover/okapi?command=")
    assert "The marketplace is working on it" in bought.root.one(id="command").text
    again = await browser.submit(page, "/okapi/buy", quantity="2")
    assert again.address == bought.address  # a form that is sent twice is one command
    action = page.form("/okapi/buy").attributes["action"]
    assert (await browser.post(action, {"quantity": "1"}, origin="https://elsewhere.example")).status == 403


async def test_the_search_finds_purchases_products_and_activity_at_once(browser: Browser) -> None:
    page = await browser.get(f"{HOME}/search?q=zebra")
    assert page.root.one(id="search").attributes["value"] == "zebra"
    for part, path in (("purchases", "purchases"), ("products", "discover"), ("activity", "activity")):
        section = page.root.one("section", id=part)
        assert "Zebra Backup" in section.text, part
        assert f"{HOME}/{path}?q=zebra" in [link.attributes["href"] for link in section.all("a")]
    assert "zebra" not in (await browser.get(f"{HOME}/search?q=")).root.one("main").text
    hostile = await browser.get(f"{HOME}/search?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert hostile.status == 200
    assert SCRIPT not in hostile.html


async def test_looking_and_searching_leave_activities_and_coming_up_to_date_does_not(whole: Site) -> None:
    user = await sign_up(whole)
    async with browsing(whole, user) as browser:
        await browser.get(f"{HOME}/discover/zebra")
        url = f"{whole.url}{HOME}/discover/gnu"
        async with browser.http.get(url, headers={"X-Refresh": "1"}) as refreshed:
            assert refreshed.status == 200
        await browser.get(f"{HOME}/search?q=okapi")

        async def are_there() -> bool:
            return len(await activities(whole, user, "?impact=low")) >= 2

        await eventually(are_there, timeout=30, what="the activities are there")
        found = await activities(whole, user, "?impact=low")
    assert [(each["activity_type"], each["description"]) for each in found] == [
        ("marketplace_browse", "Searched for “okapi”"),
        ("product_view", "Viewed Zebra Backup"),
    ]
    assert (found[1]["related_entity_type"], found[1]["related_entity_id"]) == ("product", "zebra")


async def test_the_timeline_is_filtered_and_leads_on(browser: Browser) -> None:
    page = await browser.get(f"{HOME}/activity?type=purchase")
    [item] = page.root.one(id="timeline").all("li")
    assert item.all("a")[0].attributes["href"] == f"{HOME}/purchases/pur-1"
    wrong = await browser.get(f"{HOME}/activity?from=yesterday")
    assert wrong.status == 422
    assert wrong.root.one(id="from").attributes["aria-invalid"] == "true"
    assert "Nothing fits" in (await browser.get(f"{HOME}/activity?q=xyzzy")).root.one(id="timeline").text


async def test_nobody_is_led_to_the_login(whole: Site) -> None:
    async with browsing(whole) as nobody:
        for path in ("discover", "discover/zebra", "search?q=x", "activity"):
            assert (await nobody.get(f"{HOME}/{path}")).address.startswith("/login?next=")
