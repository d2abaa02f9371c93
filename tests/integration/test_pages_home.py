"""The overview and the notifications: true figures, what is wrong first, and something to see whatever is down."""

import pytest_asyncio

from shared.contracts.identity import UserLoggedIn
from shared.contracts.marketplace import DeploymentStatusChanged
from tests.servers.browsing import Browser, Page, browsing
from tests.servers.dashboard import Site, User, sign_up
from tests.servers.living import Person, ago, in_month
from tests.servers.running import Running
from tests.waiting import eventually

HOME = "/dashboard/user"
SCRIPT = "<script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(whole: Site, analytics_service: Running) -> User:
    """Someone with purchases in two months, money, one deployment that runs and one that has failed."""
    user = await sign_up(whole)
    person = Person(analytics_service, email=user.email)
    await person.post("500.00", "400.00", in_month(0))
    await person.buy("old", "40.00", in_month(1), billing_cycle="monthly", product_type="storage")
    await person.buy("new", "60.00", in_month(0), billing_cycle="monthly", product_name=f"Solar {SCRIPT}")
    await person.deploy("old", ago(3), monthly_cost="40.00")
    await person.deploy("new", ago(2), monthly_cost="60.00")
    failure = {"deployment_id": "dep-new", "status": "error", "reason": "the node is gone"}
    await person.tell(DeploymentStatusChanged, ago(1), **failure)
    async with browsing(whole, user) as browser:

        async def is_known() -> bool:
            page = await browser.get(HOME)
            told = 'id="notification-' in page.html and bool(page.root.one(id="spending").all("svg"))
            return told and "Spent this month 60.00" in page.root.text

        await eventually(is_known, timeout=60, what="the life is on the overview")
    return user


def text_of(page: Page, part: str) -> str:
    return page.root.one(id=part).text


async def test_the_overview_says_what_was_spent_what_runs_and_what_is_wrong(browser: Browser) -> None:
    page = await browser.get(HOME)
    assert page.status == 200
    stats = text_of(page, "stats")
    assert "Spent this month 60.00 TFP ▲ 50% on last month (40.00 TFP)" in stats
    assert "Active services 2 Error: 1, Running: 1 They cost 100.00 TFP a month" in stats
    assert "Wallet balance 400.00 TFP +500.00 TFP this month" in stats
    assert [link.attributes["href"] for link in page.root.one(id="stats").all("a", class_="why")][1:3] == [
        f"{HOME}/deployments",
        f"{HOME}/wallet",
    ]
    [first, *_] = page.root.one(id="concerns").all("li")
    assert "has failed" in first.text
    assert "the node is gone" in first.text
    assert first.all("a")[0].attributes["href"] == f"{HOME}/deployments/dep-new"
    assert [item.attributes["id"] for item in page.root.one(id="running").all("li")] == [
        "deployment-dep-new",
        "deployment-dep-old",
    ]
    assert page.root.one(id="spending").all("svg")
    assert "Deployed a service in eu" in text_of(page, "recent")
    assert "All of this is up to date" in text_of(page, "fresh")


async def test_the_overview_escapes_what_others_wrote(browser: Browser) -> None:
    for path in (HOME, f"{HOME}/notifications", f"{HOME}/activity"):
        page = await browser.get(path)
        assert SCRIPT not in page.html
        assert "&lt;script&gt;alert(1)" in page.html, path


async def test_one_that_is_new_is_told_what_to_do(whole: Site) -> None:
    user = await sign_up(whole)
    async with browsing(whole, user) as browser:
        page = await browser.get(HOME)
        links = [link.attributes["href"] for link in page.root.one(id="start").all("a")]
        assert f"{HOME}/discover" in links
        assert f"{HOME}/onboarding" in links
        assert not page.root.all(id="stats")
        assert not page.root.all(id="deployments")


async def test_what_does_not_answer_is_said_and_the_rest_is_there(gateway: Site) -> None:
    """Neither purchases nor analytics are behind this gateway."""
    user = await sign_up(gateway)
    async with browsing(gateway, user) as browser:

        async def shows_the_sign_in() -> bool:
            return "Signed in" in text_of(await browser.get(HOME), "recent")

        await eventually(shows_the_sign_in, timeout=30, what="the activity is on the overview")
        page = await browser.get(HOME)
        assert page.status == 200
        for part in ("stats", "attention", "deployments", "spending", "recommended"):
            assert "cannot be shown right now" in text_of(page, part), part
        assert "Not known right now" in text_of(page, "fresh")
        notifications = await browser.get(f"{HOME}/notifications")
        assert notifications.status == 503


async def sign_in_from(browser: Browser, person: Person, country: str, name: str) -> None:
    """A sign-in from where nobody signed in before, until the overview says so."""
    await person.tell(UserLoggedIn, ago(0.01), session_id=f"s-{country}", ip_country=country)

    async def is_told() -> bool:
        return f"New sign-in: {name}" in text_of(await browser.get(HOME), "attention")

    await eventually(is_told, timeout=60, what="the sign-in is on the overview")


async def test_a_notification_is_read_from_the_overview(
    browser: Browser, analytics_service: Running, ada: User
) -> None:
    person = Person(analytics_service, email=ada.email)
    await person.tell(UserLoggedIn, ago(0.2), session_id="s-SE", ip_country="SE")
    await sign_in_from(browser, person, "BR", "Brazil")
    page = await browser.get(HOME)
    [concern] = [each for each in page.root.one(id="concerns").all("li") if "Brazil" in each.text]
    form = concern.one("form")
    after = await browser.post(form.attributes["action"], form.fields)
    assert (after.status, after.address) == (200, f"{HOME}?said=read")
    assert "Brazil" not in text_of(after, "attention")


async def test_notifications_are_listed_and_read(browser: Browser, analytics_service: Running, ada: User) -> None:
    page = await browser.get(f"{HOME}/notifications?unread=true")
    [item] = [each for each in page.root.one(id="notification-items").all("li") if "has failed" in each.text]
    assert item.all("a")[0].attributes["href"] == f"{HOME}/deployments/dep-new"
    form = item.one("form")
    after = await browser.post(form.attributes["action"], form.fields)
    assert after.address == f"{HOME}/notifications?unread=true&said=read"
    assert "has failed" not in text_of(after, "notifications")
    assert "has failed" in text_of(await browser.get(f"{HOME}/notifications"), "notifications")
    await sign_in_from(browser, Person(analytics_service, email=ada.email), "JP", "Japan")
    everything = await browser.submit(await browser.get(f"{HOME}/notifications"), "/notifications/read")
    assert everything.status == 200
    assert not everything.root.one(id="notifications").all("form")
    assert text_of(await browser.get(f"{HOME}/notifications?unread=true"), "notifications").startswith("All Unread You")


async def test_only_the_users_own_page_reads_their_notifications(whole: Site, browser: Browser) -> None:
    page = await browser.get(f"{HOME}/notifications")
    [first, *_] = page.root.one(id="notification-items").all("li")
    path = f"{HOME}/notifications/{first.attributes['id'].removeprefix('notification-')}/read"
    assert (await browser.post(path, {}, origin="https://elsewhere.example")).status == 403
    async with browsing(whole, await sign_up(whole)) as other:
        assert (await other.post(path, {})).status == 404
    async with browsing(whole) as nobody:
        for address in (HOME, f"{HOME}/notifications"):
            assert (await nobody.get(address)).address.startswith("/login?next=")
