"""The pages of deployments, as a browser without JavaScript gets them from real services."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio

from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.marketplace import (
    DeploymentCredentialsIssued,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
)
from tests.integration.shop import HOME, RESOURCES, Shop, page_with, pairs_of
from tests.servers.browsing import Browser, Page, browsing
from tests.servers.dashboard import PASSWORD, Site, User, activities, sign_up
from tests.servers.issuer import IssuerServer
from tests.servers.running import Running
from tests.waiting import eventually

HOSTILE = "<img src=x onerror=alert(1)>\u202e' 🧪"
SECRETS = {"username": "ada", "password": "<s3cret>&\"'", "ssh_key": "ssh-ed25519 AAAA\nline two"}


@pytest_asyncio.fixture(loop_scope="session")
async def ada(whole: Site) -> User:
    return await sign_up(whole)


async def running(shop: Shop, **changes: object) -> str:
    """A deployment that has been running for a day."""
    deployed = await shop.deploy(await shop.sell(), timedelta(days=3), **changes)
    day = timedelta(days=1)
    await shop.tell(DeploymentStatusChanged, day, deployment_id=deployed, status="running", reason="all set")
    return deployed


async def test_without_deployments_there_is_a_next_step(browser: Browser) -> None:
    page = await browser.get(f"{HOME}/deployments")
    assert page.root.one(class_="empty").one("a").attributes["href"] == f"{HOME}/discover"


async def test_deployments_in_the_list(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop, monthly_cost="3.5")
    stopped = await running(shop)
    await shop.tell(DeploymentStatusChanged, deployment_id=stopped, status="stopped")
    await page_with(browser, "/deployments?status=stopped", "Object Store")
    page = await page_with(browser, "/deployments?status=running", "Object Store")
    found = pairs_of(page)
    assert (found["Uptime"], found["Region"]) == ("100%", "eu-north")
    assert found["Monthly cost"].replace("\u00a0", " ") == "3.50 TFP"
    assert found["Resources"].replace("\u00a0", " ") == "1.5 CPU, 2 GB memory, 10 GB storage, 100 Mbit/s"
    actions = [each.fields["action"] for each in page.root.all("form", method="post") if "action" in each.fields]
    assert actions == ["restart", "stop"]
    assert [each.one("h2").text for each in page.root.all("dialog")] == ["Restart Object Store?", "Stop Object Store?"]
    assert page.form(f"/{deployed}/commands")
    both = await browser.get(f"{HOME}/deployments")
    assert len(both.root.all("article")) == 2
    assert "Nothing fits these filters." in (await browser.get(f"{HOME}/deployments?status=error")).root.text
    assert (await browser.get(f"{HOME}/deployments?status=lost")).status == 422


async def test_a_deployment_and_its_health(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop, deployment_url="https://store.example/x", node_id="node-1")
    hours = {20: True, 10: False, 5: True}
    for ago, healthy in hours.items():
        figures = {"latency_ms": 40 + ago, "cpu_percent": 12.5, "memory_percent": 50}
        await shop.tell(
            DeploymentHealthReported, timedelta(hours=ago), deployment_id=deployed, healthy=healthy, **figures
        )
    page = await page_with(browser, f"/deployments/{deployed}", "Least 45")
    found = pairs_of(page)
    assert (found["Node"], found["Memory"]) == ("node-1", "2 GB")
    assert page.root.one("a", href="https://store.example/x").attributes["rel"] == "noopener noreferrer"
    why = page.root.one(id="uptime-why").text
    assert "meant to be up for 24 hours, and it was up for 19 of them: 79.17%." in why
    rows = [[cell.text for cell in row.all("td")] for row in page.root.one(id="health-table").one("tbody").all("tr")]
    assert [(row[2], row[5]) for row in rows[:4]] == [
        ("Up", "5"),
        ("Down", "5"),
        ("Up", "14"),
        ("Not meant to be up", "48"),
    ]
    assert [row[4] for row in rows[:2]] == ["all set", "all set"]
    assert [each.attributes["class"] for each in page.root.one(id="measures").all("svg")] == ["measure"] * 3
    assert [each.text.split()[0] for each in page.root.one(id="history").all("li")] == ["Running", "Deploying"]


async def test_periods_by_link(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    page = await page_with(browser, f"/deployments/{deployed}", "all set")
    links = [each.attributes["href"] for each in page.root.one("nav", class_="segments").all("a")]
    titles = []
    for link in links:
        shown = await browser.get(link.partition("#")[0])
        assert len(shown.html) < 100_000
        titles.append((shown.root.one("a", aria_current="true").text, shown.root.all("strong")[0].text))
    assert titles == [(name, f"{name}: no outage") for name, _ in titles]
    assert [name for name, _ in titles] == ["Last 24 hours", "Last 7 days", "Last 30 days", "Last 90 days"]
    assert (await browser.get(f"{HOME}/deployments/{deployed}?period=century")).status == 200


@pytest.mark.parametrize(
    ("status", "actions"),
    [
        ("running", ["restart", "stop", "scale"]),
        ("error", ["restart", "stop", "scale"]),
        ("stopped", ["start", "scale"]),
        ("maintenance", ["stop"]),
        ("deploying", []),
        ("scaling", []),
    ],
)
async def test_what_makes_sense_can_be_done(browser: Browser, shop: Shop, status: str, actions: list[str]) -> None:
    deployed = await shop.deploy(await shop.sell())
    await shop.tell(DeploymentStatusChanged, deployment_id=deployed, status=status, reason="Because of that")
    page = await page_with(browser, f"/deployments/{deployed}", "Because of that")
    forms = page.root.one(id="commands").all("form")
    assert [form.fields["action"] for form in forms] == actions
    keys = [form.fields["key"] for form in forms]
    assert len(set(keys)) == len(keys)


async def test_a_command_is_followed_from_asked_to_done(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    page = await page_with(browser, f"/deployments/{deployed}", "all set")
    asked = await browser.submit(page, "/commands")
    assert asked.status == 200
    assert "Restart" in asked.root.one(id="command").text
    assert "working on it" in asked.root.one(id="command").text
    assert (await browser.submit(page, "/commands")).address == asked.address  # sent twice is one command
    await shop.tell(DeploymentStatusChanged, -timedelta(seconds=1), deployment_id=deployed, status="running")
    done = await page_with(browser, asked.address.removeprefix(HOME), "Done.")
    assert "data-poll" not in done.root.one(id="command").attributes


async def test_a_command_that_nobody_answers_has_failed(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    page = await page_with(browser, f"/deployments/{deployed}", "all set")
    asked = await browser.submit(page, "/commands")
    await page_with(browser, asked.address.removeprefix(HOME), "It was not done; nothing has changed.")


async def test_scaling_by_the_form(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    page = await page_with(browser, f"/deployments/{deployed}", "all set")
    form = page.root.one("dialog", id="scale-dialog").one("form")
    assert form.fields == {name: str(n) for name, n in RESOURCES.items()} | {
        "action": "scale",
        "key": form.fields["key"],
    }
    asked = await browser.post(form.attributes["action"], form.fields | {"memory_gb": "8"})
    assert "Scale" in asked.root.one(id="command").text
    scaled = RESOURCES | {"memory_gb": 8}
    await shop.tell(DeploymentScaled, -timedelta(seconds=1), deployment_id=deployed, resources_allocated=scaled)
    done = await page_with(browser, asked.address.removeprefix(HOME), "Done.")
    assert pairs_of(done)["Memory"] == "8 GB"


@pytest.mark.parametrize("wrong", ["", "-1", "much", "nan", "1e999"])
async def test_resources_that_are_none_are_said_beside_the_field(browser: Browser, shop: Shop, wrong: str) -> None:
    deployed = await running(shop)
    page = await page_with(browser, f"/deployments/{deployed}", "all set")
    form = page.root.one("dialog", id="scale-dialog").one("form")
    again = await browser.post(form.attributes["action"], form.fields | {"memory_gb": wrong, "cpu_cores": "4"})
    assert again.status == 422
    dialog = again.root.one("dialog", id="scale-dialog")
    assert "open" in dialog.attributes
    assert dialog.one(class_="error").attributes["id"] == "memory_gb-error"
    assert (dialog.one(id="cpu_cores").attributes["value"], dialog.one(id="memory_gb").attributes["value"]) == (
        "4",
        wrong,
    )


async def test_a_command_that_there_is_not(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    await page_with(browser, f"/deployments/{deployed}", "all set")
    again = await browser.post(f"{HOME}/deployments/{deployed}/commands", {"action": "explode"})
    assert again.status == 422
    assert "nothing has changed" in again.root.text


async def with_credentials(browser: Browser, shop: Shop, whole: Site) -> str:
    deployed = await running(shop)
    await issue(shop, whole, deployed)
    await page_with(browser, f"/deployments/{deployed}", "all set")
    return deployed


async def issue(shop: Shop, whole: Site, deployed: str) -> None:
    (public,) = (await whole.ask("GET", "/.well-known/jwks.json")).json["keys"]
    sealed = seal_for(public, AccessCredentials.model_validate(SECRETS))
    await shop.tell(DeploymentCredentialsIssued, deployment_id=deployed, credentials_jwe=sealed)


async def test_credentials_are_shown_for_the_password(browser: Browser, shop: Shop, whole: Site, ada: User) -> None:
    deployed = await with_credentials(browser, shop, whole)
    page = await page_with(browser, f"/deployments/{deployed}", "Show credentials")
    asking = await browser.get(page.root.one(id="access").one("a").attributes["href"])
    assert asking.root.one(id="password").attributes["autocomplete"] == "current-password"

    async def revealed() -> Page | None:
        shown = await browser.submit(asking, "/credentials", password=PASSWORD)
        return shown if shown.root.all("pre") else None

    shown = await eventually(revealed, what="the credentials are there")
    assert shown is not None
    assert shown.headers["Cache-Control"] == "no-store"
    found = {each.attributes["id"]: each.children[0] for each in shown.root.all("pre")}
    assert found == {f"secret-{name}": value for name, value in SECRETS.items()}
    assert [each.attributes["data-copy"] for each in shown.root.all("button", class_="small")] == list(found)
    assert shown.root.all(data_hides=f"{HOME}/deployments/{deployed}")
    assert "s3cret" not in shown.address
    for path in ("", "/credentials"):
        assert "s3cret" not in (await browser.get(f"{HOME}/deployments/{deployed}{path}")).html
    assert await eventually(lambda: activities(whole, ada, "?type=credentials_reveal"), what="the activity")


@pytest.mark.parametrize(
    ("password", "status", "said"),
    [
        ("not the one", 403, "The password is wrong."),
        ("", 422, "Enter your password."),
        ("x" * 300, 403, "The password is wrong."),
    ],
)
async def test_credentials_are_not_shown_otherwise(
    browser: Browser, shop: Shop, whole: Site, password: str, status: int, said: str
) -> None:
    deployed = await with_credentials(browser, shop, whole)
    asking = await browser.get(f"{HOME}/deployments/{deployed}/credentials")
    page = await browser.submit(asking, "/credentials", password=password)
    assert (page.status, said in page.root.text, "s3cret" in page.html) == (status, True, False)
    assert page.form("/credentials").fields == {"password": ""}


async def test_a_deployment_without_credentials_says_so(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    await page_with(browser, f"/deployments/{deployed}", "all set")
    asking = await browser.get(f"{HOME}/deployments/{deployed}/credentials")
    page = await browser.submit(asking, "/credentials", password=PASSWORD)
    assert page.status == 404
    assert "There are no credentials for this deployment yet." in page.root.text


async def test_an_outside_issuers_user_signs_in_again(
    outside: Site, issuer: IssuerServer, purchases_service: Running
) -> None:
    email, session = f"{uuid4().hex}@example.test", uuid4().hex
    stale = User(email, issuer.token(email, {"auth_time": int(time.time()) - 600, "sid": session}))
    shop = Shop(purchases_service, stale)
    deployed = await running(shop)
    await issue(shop, outside, deployed)
    async with browsing(outside, stale) as opened:
        await page_with(opened, f"/deployments/{deployed}", "all set")
        asking = await opened.get(f"{HOME}/deployments/{deployed}/credentials")
        assert not asking.root.all("input", type="password")
        page = await opened.submit(asking, "/credentials")
        assert page.status == 403
        assert "You signed in more than five minutes ago." in page.root.text
        assert "s3cret" not in page.html
    async with browsing(outside, User(email, issuer.token(email, {"sid": session}))) as opened:

        async def revealed() -> bool:
            return "s3cret" in (await opened.submit(asking, "/credentials")).html

        assert await eventually(revealed, what="the credentials are there")


async def test_texts_of_others_stay_texts(browser: Browser, shop: Shop) -> None:
    bought = await shop.sell(product_name=HOSTILE, provider_name=HOSTILE)
    deployed = await shop.deploy(
        bought, region=HOSTILE, node_id=HOSTILE, deployment_url="javascript:alert(1)", deployment_id="d 1&<b>"
    )
    await shop.tell(DeploymentStatusChanged, deployment_id=deployed, status="running", reason=HOSTILE)
    listed = await page_with(browser, "/deployments", "onerror")
    path = str(listed.root.one("h3").one("a").attributes["href"]).removeprefix(HOME)
    page = await page_with(browser, path, "Running")
    assert page.root.one("h1").text == HOSTILE
    for each in (listed, page):
        assert "<img" not in each.html
        assert not [a for a in each.root.all("a") if a.attributes["href"].startswith("javascript")]
        ids = [e.attributes["id"] for e in each.root.all() if "id" in e.attributes]
        assert len(ids) == len(set(ids))
        assert not [name for name in ids if " " in name]
    asked = await browser.submit(page, "/commands")
    assert asked.root.one(id="command")


async def test_a_deployment_whose_purchase_has_not_come(browser: Browser, shop: Shop) -> None:
    deployed = await shop.deploy("not-yet")
    page = await page_with(browser, f"/deployments/{deployed}", "Deploying")
    assert page.root.one("h1").text == deployed
    assert (await browser.get(f"{HOME}/deployments")).root.one("h3").text == deployed


async def test_another_users_deployment_is_not_there(browser: Browser, shop: Shop, whole: Site) -> None:
    deployed = await running(shop)
    await page_with(browser, f"/deployments/{deployed}", "all set")
    async with browsing(whole, await sign_up(whole)) as other:
        address = f"{HOME}/deployments/{deployed}"
        for page in (
            await other.get(address),
            await other.get(f"{address}/credentials"),
            await other.post(f"{address}/credentials", {"password": PASSWORD}),
            await other.post(f"{address}/commands", {"action": "stop"}),
        ):
            assert page.status == 404
            assert "Object Store" not in page.html


async def test_a_form_of_another_site_changes_nothing(browser: Browser, shop: Shop) -> None:
    deployed = await running(shop)
    await page_with(browser, f"/deployments/{deployed}", "all set")
    for path, fields in (("commands", {"action": "stop"}), ("credentials", {"password": PASSWORD})):
        address = f"{HOME}/deployments/{deployed}/{path}"
        assert (await browser.post(address, fields, origin="https://evil.example")).status == 403


async def test_who_is_not_signed_in_is_led_to_the_login_and_back(whole: Site) -> None:
    async with browsing(whole) as guest:
        page = await guest.get(f"{HOME}/deployments/d?period=30d")
        assert page.form("/login").fields["next"] == f"{HOME}/deployments/d?period=30d"
