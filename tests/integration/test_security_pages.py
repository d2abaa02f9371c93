"""The pages, attacked: by who is not signed in, by another user, by another site, and by hostile texts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from services.gateway.main import build_app
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentStatusChanged,
    MarketplaceBrowsed,
    ProductViewed,
    SupportTicketOpened,
)
from shared.contracts.topics import CATALOG, WALLET
from shared.contracts.wallet import WalletPoolPositionChanged
from tests.servers.browsing import Browser, Element, Page, browsing
from tests.servers.dashboard import API, PASSWORD, Json, Site, User, log_in, sign_up
from tests.servers.issuer import IssuerServer
from tests.servers.living import RESOURCES, Person, ago, in_month
from tests.servers.routes import Operation, operations
from tests.servers.running import Running
from tests.unit.gateway.app import SETTINGS
from tests.waiting import eventually

HOME = "/dashboard/user"
PAGES = [each for each in operations(build_app(SETTINGS)) if each.is_page]
OPEN = ("/", "/assets/{name}", "/dashboard{rest:path}", "/erased/{erasure_id}", "/login", "/logout", "/register")
PROTECTED = [each for each in PAGES if each.path not in OPEN]
FOREIGN: list[dict[str, str]] = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
]
EVIL = "\"'><img src=x onerror=alert(1)><script>alert(2)</script></svg>{{ 7 * 7 }} %(name)s 100 % \u202e\U0001f9e8"
ODD = "odd\"'<b>#?&=% %41;,é"  # in an id, which is a part of addresses, of HTML ids and of forms
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def at(operation: Operation, **names: str) -> str:
    """The address, with values of no meaning where none is given."""
    path = operation.path.replace(":path}", "}").replace("{step}", "1")
    return Operation(operation.method, path).at(dict.fromkeys(Operation("", path).parameters, "x") | names)


def assert_harmless(page: Page) -> None:
    """Raises AssertionError where a text of somebody's has become markup, or a link leads into a script."""
    for element in page.root.all():
        assert element.tag not in ("img", "iframe", "object", "embed", "base", "b", "style"), page.address
        assert element.tag != "script" or _is_ours(element), page.address
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (page.address, element)
            assert name != "style", (page.address, element)
            if name in ("href", "src", "action", "formaction"):
                assert value.startswith(("/", "#", "?", "http://", "https://")), (page.address, value)
                assert not value.startswith(("//", "/\\")), (page.address, value)
    assert "%(" not in page.root.text.replace("%(name)s", "")


def _is_ours(script: Element) -> bool:
    return script.attributes["src"].startswith("/assets/app.") and not script.children


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def victim(whole: Site, analytics_service: Running) -> User:
    """Someone of whom every publisher says something hostile."""
    user = await sign_up(whole)
    them = Person(analytics_service, email=user.email)
    names = {"product_name": EVIL, "provider_name": EVIL, "provider_id": ODD}
    for month in range(5):
        await them.buy(f"{ODD}{month}", "40.00", in_month(month), billing_cycle="monthly", product_id=ODD, **names)
    await them.post("500.00", "300.00", in_month(1), description=EVIL)
    await them.post("5.00", "305.00", in_month(0), description=EVIL, related_entity_id=ODD)
    made = {"deployment_id": f"dep-{ODD}0", "purchase_id": f"{ODD}0", "kind": "service", "region": EVIL[:100]}
    made |= {"node_id": ODD, "monthly_cost": "40.00", "deployment_url": "https://example.test/%22%3E"}
    await them.tell(DeploymentCreated, ago(3), resources_allocated=RESOURCES, **made)
    broken = {"deployment_id": f"dep-{ODD}0", "status": "error", "reason": EVIL}
    await them.tell(DeploymentStatusChanged, ago(0.1), **broken)
    await them.tell(DeploymentHealthReported, ago(2), deployment_id=f"dep-{ODD}0", healthy=False, cpu_percent=3.0)
    await them.tell(MarketplaceBrowsed, ago(0), query=EVIL, category=EVIL[:100])
    await them.tell(ProductViewed, ago(0), product_id=ODD, product_name=EVIL)
    await them.tell(SupportTicketOpened, ago(0), ticket_id=ODD, purchase_id=f"{ODD}0", subject=EVIL)
    pool = {"pool_id": ODD, "pool_name": EVIL, "invested": "1", "current_value": "2", "currency": "TFP"}
    position = WalletPoolPositionChanged.model_validate(pool | {"status": "open", "user_email": user.email})
    await analytics_service.publish(WALLET, make_event(position, source="/evil", time=datetime.now(UTC)))
    offer: Json = {"product_id": ODD, "name": EVIL, "description": EVIL, "product_type": "service"}
    offer |= {
        "category": EVIL[:100],
        "provider_id": ODD,
        "provider_name": EVIL,
        "price": "4",
        "currency": "TFP",
        "tags": [EVIL[:100]],
    }
    await analytics_service.publish(
        CATALOG, make_event(ProductListed.model_validate(offer), source="/evil", time=datetime.now(UTC))
    )
    about = {
        "display_name": EVIL[:100],
        "bio": EVIL,
        "company": EVIL[:100],
        "social_links": {"git": "https://x.test/'\">"},
    }
    for field, value in about.items():
        changed = await whole.ask("PATCH", f"{API}/profile", token=user.token, json={field: value})
        assert changed.status in (200, 422), changed.body
    async with browsing(whole, user) as browser:

        async def is_known() -> bool:
            seen = [
                await browser.get(f"{HOME}/{page}") for page in ("purchases", "deployments", "activity", "discover")
            ]
            home = await browser.get(HOME)
            return all("alert(1)" in each.html for each in seen) and 'id="notification-' in home.html

        await eventually(is_known, timeout=60, what="what was said of them is on the pages")
    return user


@pytest_asyncio.fixture(loop_scope="session")
async def browser(whole: Site, victim: User) -> AsyncIterator[Browser]:
    """A browser in which they are signed in."""
    async with browsing(whole, victim) as browser:
        yield browser


def theirs() -> list[str]:
    """Every page of theirs, by its address."""
    names = {"deployment_id": f"dep-{ODD}0", "product_id": ODD, "purchase_id": f"{ODD}0"}
    quoted = {name: quote(value, safe="") for name, value in names.items()}
    found = [at(each, **quoted) for each in PROTECTED if each.method == "GET"]
    assert len(found) > 15
    return found


async def answered(browser: Browser, path: str) -> Page | None:
    """The page; None where a service took too long, which on a busy machine it may."""
    page = await browser.get(path)
    return page if page.status != 503 else None


async def test_hostile_texts_stay_texts(browser: Browser) -> None:
    shown = 0
    for path in theirs():
        page = await eventually(partial(answered, browser, path), timeout=60, what="a page that is there")
        assert page is not None
        assert page.status == 200 or path.endswith(("/x", "/why", "/report")), (path, page.status)
        if page.headers["Content-Type"].startswith("text/html"):
            assert_harmless(page)
            shown += "alert(1)" in page.root.text
    assert shown >= 8


TOLD = ("q", "said", "next", "command", "period", "sort", "unread", "trail")
FILTERS = ("type", "impact", "status", "provider", "category", "kind", "from", "min_price", "figure", "start", "cursor")
TEXTS = (EVIL, "javascript:alert(1)", "//evil.example", "\x00\ud7ff", "9" * 5_000, "../..")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:8])
async def test_hostile_parameters_break_nothing(browser: Browser, text: str) -> None:
    value = quote(text, safe="")
    for path in [*theirs(), "/login", "/register", f"{HOME}/{value}"[:7_000]]:
        for names in (TOLD, FILTERS):
            query = "&".join(f"{name}={value}&{name}={value}" for name in names)[: 7_900 - len(path)]
            page = await browser.get(f"{path}?{query}")
            assert page.status < 500, (path, names, page.status)
            if page.headers["Content-Type"].startswith("text/html"):
                assert_harmless(page)


NUMBERS = ("9" * 4_400, "9" * 25, "-1", "1e999", "nan", "٣", "0x10", EVIL, "\x00", "")
FIELDS = (
    "quantity",
    "items_per_page",
    "monthly_limit",
    "rating",
    "cpu_cores",
    "lowest",
    "highest",
    "language",
    "theme",
)


@pytest.mark.parametrize("text", NUMBERS, ids=lambda text: ascii(text)[:12])
async def test_hostile_forms_break_nothing(browser: Browser, text: str) -> None:
    quoted = {"product_id": quote(ODD, safe=""), "deployment_id": quote(f"dep-{ODD}0", safe="")}
    quoted["purchase_id"] = quote(f"{ODD}0", safe="")
    form = dict.fromkeys(FIELDS, text) | {"action": "scale", "activity_tracking": "on", "network": text, "link": text}
    form |= {"old": "wrong password", "new": text, "again": text, "key": text, "display_name": text, "version": text}
    for operation in PROTECTED:
        if operation.method == "POST" and "sessions" not in operation.path and "erase" not in operation.path:
            page = await browser.post(at(operation, **quoted), form)
            assert page.status < 500, (operation, text[:20], page.root.text)
            assert_harmless(page)


async def test_too_much_is_refused_with_a_page(browser: Browser) -> None:
    for path in ("/login", f"{HOME}/preferences", f"{HOME}/profile"):
        large = await browser.post(path, {"bio": "x" * 70_000})
        many = await browser.post(path, [("network", "x")] * 5_000)
        assert (large.status, many.status) == (413, 400)
        assert large.root.one("h1").text == "That is too large"
        assert_harmless(many)
        no_form = await browser.http.post(f"{browser.site.url}{path}", json={}, headers={"Origin": browser.site.url})
        assert no_form.status == 415


async def test_who_is_not_signed_in_is_led_to_the_login(whole: Site, victim: User) -> None:
    ended = await log_in(whole, victim.email)
    assert (await whole.ask("POST", f"{API}/auth/logout", token=ended)).status == 204
    bad: list[Mapping[str, str]] = [{}, {"Cookie": "session="}, {"Cookie": "session=not.a.token"}]
    bad += [{"Cookie": f"session={ended}"}, {"Cookie": f"session={victim.token}x"}]
    bad += [{"Cookie": f"session={victim.token}", "Authorization": "Bearer bad"}]
    for headers in bad:
        for operation in PROTECTED:
            sent = {"Origin": whole.url, **headers}
            reply = await whole.ask(operation.method, at(operation), headers=sent, allow_redirects=False)
            assert (reply.status, reply.body) == (303, b""), (operation, headers)
            assert reply.headers["Location"].startswith("/login?"), (operation, headers)
    assert (await whole.ask("GET", f"{API}/sessions", token=victim.token)).status == 200


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_another_site_signs_nobody_in(whole: Site, ada: User, headers: dict[str, str]) -> None:
    """Not even without a cookie: who does not know it would go on as somebody else."""
    form = {"email": ada.email, "password": PASSWORD, "token": ada.token}
    for path in ("/login", "/register"):
        reply = await whole.ask("POST", path, data=form, headers=headers)
        assert reply.status == 403, path
        assert "Set-Cookie" not in reply.headers


def assert_kept_by_nobody(reply: Page) -> None:
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Content-Security-Policy"] == POLICY
    assert reply.headers["Referrer-Policy"] == "same-origin"
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_no_page_is_kept_by_anybody(browser: Browser, whole: Site) -> None:
    async with browsing(whole) as nobody:
        seen = [await nobody.get(path) for path in ("/login", "/register", "/erased/x", "/dashboard/nowhere", HOME)]
    for page in [*seen, *[await browser.get(path) for path in theirs() if not path.endswith("/report")]]:
        assert_kept_by_nobody(page)
    report = await browser.get(f"{HOME}/analytics/report?format=html")
    assert report.headers["Cache-Control"] == "no-store"
    assert report.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "alert(1)" in report.root.text
    assert_harmless(report)


async def test_anothers_things_are_not_there(whole: Site, victim: User) -> None:
    """The very same page as for what there is not, and nothing is changed."""
    sessions = (await whole.ask("GET", f"{API}/sessions", token=victim.token)).json["items"]
    notices = (await whole.ask("GET", f"{API}/notifications", token=victim.token)).json["items"]
    ideas = (await whole.ask("GET", f"{API}/recommendations/spending", token=victim.token)).json["items"]
    names = {"deployment_id": f"dep-{ODD}0", "purchase_id": f"{ODD}0", "session_id": sessions[0]["id"]}
    names |= {"notification_id": notices[0]["id"], "id": ideas[0]["id"] if ideas else "x"}
    other = await sign_up(whole)
    form = {"rating": "1", "action": "stop", "password": PASSWORD}
    asked = 0
    async with browsing(whole, other) as browser:
        for operation in PROTECTED:
            if operation.parameters and operation.parameters <= {*names}:
                address = at(operation, **{name: quote(value, safe="") for name, value in names.items()})
                page = await (browser.get(address) if operation.method == "GET" else browser.post(address, form))
                assert page.status == 404, (operation, page.root.text)
                assert "alert(1)" not in page.html
                asked += 1
        private = (await whole.ask("GET", f"{API}/profile", token=victim.token)).json["user_id"]
        assert (await browser.get(f"{HOME}/profiles/{private}")).status in (200, 404)
    assert asked >= 8
    left = (await whole.ask("GET", f"{API}/notifications", token=victim.token)).json["items"]
    assert [each["read_at"] for each in left] == [each["read_at"] for each in notices]
    assert (await whole.ask("GET", f"{API}/sessions", token=victim.token)).json["items"] != []


async def test_looking_changes_nothing(whole: Site, victim: User, browser: Browser) -> None:
    paths = ("purchases", "deployments", "wallet", "profile", "preferences", "notifications", "analytics/budget")

    async def everything() -> list[Json]:
        found = [(await whole.ask("GET", f"{API}/{path}", token=victim.token)).json for path in paths]
        sessions = (await whole.ask("GET", f"{API}/sessions", token=victim.token)).json["items"]
        return [*found, *[each["id"] for each in sessions]]

    before = await everything()
    for operation in PAGES:
        if operation.method == "POST":
            await browser.get(f"{at(operation)}?action=stop&password={PASSWORD}&row=new&sure=yes&rating=1")
    for path in theirs():
        await browser.get(f"{path}{'&' if '?' in path else '?'}action=stop&sure=yes&monthly_limit=1&row=new")
    assert await everything() == before


async def test_pages_of_two_users_do_not_mix(whole: Site, victim: User) -> None:
    other = await sign_up(whole)
    async with browsing(whole, other) as one, browsing(whole, victim) as two:
        for path in ("", "/wallet", "/analytics", "/recommendations", "/notifications", "/activity"):
            pages = await asyncio.gather(*(each.get(f"{HOME}{path}") for each in (one, two) * 3))
            for page in pages[::2]:
                assert "alert(1)" not in page.html.replace(f"Viewed {EVIL}", ""), path


async def test_what_changes_while_a_page_is_made_is_told_to_it(whole: Site, browser: Browser, victim: User) -> None:
    page = await browser.get(f"{HOME}/wallet")
    address = page.root.one("body").attributes["data-stream"]
    assert "last_event_id=" in address
    new = {"job_title": f"{datetime.now(UTC)}"}
    changed = await whole.ask("PATCH", f"{API}/profile", token=victim.token, json=new)
    assert changed.status == 200

    async def told() -> bool:
        timeout = aiohttp.ClientTimeout(total=1)
        text = b""
        try:
            async with browser.http.get(f"{whole.url}{address}", timeout=timeout) as stream:
                async for piece in stream.content.iter_any():
                    text += piece
        except TimeoutError:
            pass
        return b'"section":"profile"' in text

    await eventually(told, timeout=20, what="the change is told to who opens the stream after it")


async def test_a_token_of_an_issuer_is_the_session_if_it_is_a_good_one(outside: Site, issuer: IssuerServer) -> None:
    email = "grace-of-the-issuer@example.test"
    good = issuer.token(email)
    async with browsing(outside) as browser:
        for bad in ("", "x", "not.a.token", good[:-4] + "AAAA", f"{good}, {good}", good + "; Domain=evil", "é" * 4_100):
            page = await browser.post("/login", {"token": bad, "next": "//evil.example"})
            assert page.status in (401, 422), bad[:20]
            assert "Set-Cookie" not in page.headers
            assert_harmless(page)
            assert good not in page.html
        page = await browser.post("/login", {"token": f"  {good}\r\n", "next": "//evil.example"})
        assert page.address == HOME
