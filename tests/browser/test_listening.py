"""A page listens while it is seen, misses nothing, asks for nothing in vain, and does not outlive its session."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest_asyncio
from playwright.async_api import Page, Request, expect

from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import DeploymentCreated, DeploymentStatusChanged, ProductViewed, PurchaseCreated
from shared.contracts.topics import MARKETPLACE
from shared.plumbing.publish import Publisher
from shared.plumbing.settings import ProcessSettings
from tests.browser.window import HOME, PASSWORD, Dashboard, Window
from tests.servers.running import publishing
from tests.servers.up import Up

API = "/api/v1"
RESOURCES = {"cpu_cores": 1, "memory_gb": 2, "storage_gb": 10, "bandwidth_mbps": 100}
SHOWN = """(shown) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => !shown });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(stack: Up) -> AsyncIterator[Publisher]:
    """The marketplace."""
    settings = {"port": 1, "kafka_bootstrap_servers": stack.stack["kafka"], "internal_key": "x" * 32}
    async with publishing(ProcessSettings.model_validate(settings | {"kafka_enable_idempotence": False})) as publisher:
        yield publisher


async def tell(
    publisher: Publisher, kind: type[UserPayload], email: str, later: float = 0, /, **data: Any
) -> None:  # JSON
    payload = kind.model_validate({"user_email": email, **data})
    at = datetime.now(UTC) + timedelta(seconds=later)
    await publisher.event(MARKETPLACE, make_event(payload, source="/tests", time=at))


async def sees(publisher: Publisher, email: str, name: str) -> None:
    await tell(publisher, ProductViewed, email, product_id="p-1", product_name=name, product_type="service")


async def buys(publisher: Publisher, email: str, **deployed: Any) -> None:  # JSON
    paid = {"provider_id": "hypha", "provider_name": "Hypha", "amount": "7.25", "currency": "TFP", "status": "active"}
    product = {"product_id": "prod-1", "product_name": "Solar Forecast", "product_type": "service"}
    await tell(publisher, PurchaseCreated, email, purchase_id=f"pur-{email}", **product, **paid)
    made = {"deployment_id": f"dep-{email}", "purchase_id": f"pur-{email}", "kind": "service", "region": "eu"}
    await tell(publisher, DeploymentCreated, email, resources_allocated=RESOURCES, **made, **deployed)
    await tell(publisher, DeploymentStatusChanged, email, 1, deployment_id=f"dep-{email}", status="running")


def requests_of(page: Page, path: str) -> list[Request]:
    """Those that the page makes from now on, to a path that begins so."""
    found: list[Request] = []
    page.on("request", lambda each: found.append(each) if path in each.url else None)
    return found


async def test_a_page_that_is_not_seen_takes_no_connection_and_misses_nothing(
    window: Window, publisher: Publisher, email: str
) -> None:
    await window.register(email)
    page = window.page
    await window.goto(f"{HOME}/activity")
    await sees(publisher, email, "Tide Tables")
    await expect(page.locator("#timeline")).to_contain_text("Tide Tables")
    streams, fetched = requests_of(page, f"{API}/stream"), requests_of(page, HOME)
    async with page.expect_event("requestfailed", lambda each: f"{API}/stream" in each.url):
        await page.evaluate(SHOWN, False)
    await sees(publisher, email, "Solar Forecast")
    async with dashboard_of(window).window() as other:
        await other.sign_in(email, PASSWORD)
        await other.goto(f"{HOME}/activity")
        await expect(other.page.locator("#timeline")).to_contain_text("Solar Forecast")
    assert (streams, fetched) == ([], [])
    await page.evaluate(SHOWN, True)
    await expect(page.locator("#timeline")).to_contain_text("Solar Forecast")
    assert len(streams) == 1
    window.complaints[:] = [each for each in window.complaints if "ERR_ABORTED" not in each]


async def test_a_page_whose_session_is_ended_elsewhere_leads_to_the_login(window: Window, email: str) -> None:
    await window.register(email)
    await window.goto(f"{HOME}/wallet")
    await expect(window.page.locator("main")).to_contain_text("Balance")
    window.allowed.add(401)
    async with aiohttp.ClientSession(base_url=window.url) as http:
        credentials = {"email": email, "password": PASSWORD}
        async with http.post(f"{API}/auth/login", json=credentials) as reply:
            mine = {"Authorization": f"Bearer {(await reply.json())['access_token']}"}
        async with http.get(f"{API}/sessions", headers=mine) as reply:
            others = [each["id"] for each in (await reply.json())["items"] if not each["current"]]
        for other in others:
            async with http.delete(f"{API}/sessions/{other}", headers=mine) as reply:
                assert reply.status == 204
    await window.page.wait_for_url(re.compile("/login"))
    await expect(window.page.locator("main")).not_to_contain_text("Balance")


async def test_parts_that_were_not_there_before_come_in(window: Window, publisher: Publisher, email: str) -> None:
    await window.register(email)
    await window.goto(HOME)
    await expect(window.page.locator("#start")).to_be_visible()
    await window.page.evaluate("window.stays = true")
    await buys(publisher, email)
    await expect(window.page.locator("#stats")).to_contain_text("7.25")
    await expect(window.page.locator("#deployments")).to_contain_text("Solar Forecast")
    assert await window.page.evaluate("window.stays") is True


async def test_an_open_dialog_stays_though_its_button_goes(window: Window, publisher: Publisher, email: str) -> None:
    await window.register(email)
    await buys(publisher, email)
    page = window.page
    await window.goto(f"{HOME}/deployments")
    await expect(page.locator("#deployments")).to_contain_text("Running")
    await page.get_by_role("button", name="Stop").first.click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tell(publisher, DeploymentStatusChanged, email, 5, deployment_id=f"dep-{email}", status="deploying")
    await expect(page.locator("#deployments .badge")).to_contain_text("Deploying")
    await expect(page.get_by_role("dialog")).to_be_visible()


def dashboard_of(window: Window) -> Dashboard:
    """Where further windows of the same browser are opened."""
    browser = window.page.context.browser
    assert browser is not None
    return Dashboard(window.url, browser, demo=("", ""))
