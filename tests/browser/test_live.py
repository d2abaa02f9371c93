"""What a publisher tells is on an open page at once, and nothing that the user is doing there is disturbed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest_asyncio
from playwright.async_api import expect

from shared.contracts.build import make_event
from shared.contracts.marketplace import ProductViewed
from shared.contracts.topics import MARKETPLACE, WALLET
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing.publish import Publisher
from shared.plumbing.settings import ProcessSettings
from tests.browser.window import HOME, PASSWORD, Dashboard, Window
from tests.servers.running import publishing
from tests.servers.up import Up
from tests.waiting import eventually

LISTEN = """
    window.said = [];
    new MutationObserver(() => said.push(announcer.textContent)).observe(announcer, { childList: true });
"""


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(stack: Up) -> AsyncIterator[Publisher]:
    """The marketplace, the wallet and the identity provider in one."""
    settings = {"port": 1, "kafka_bootstrap_servers": stack.stack["kafka"], "internal_key": "x" * 32}
    async with publishing(ProcessSettings.model_validate(settings | {"kafka_enable_idempotence": False})) as publisher:
        yield publisher


async def away(window: Window) -> None:
    await window.page.context.set_offline(True)
    await expect(window.page.locator("#connection")).to_contain_text("offline")


async def sees_product(publisher: Publisher, email: str, name: str) -> None:
    seen = ProductViewed(user_email=email, product_id="p-1", product_name=name, product_type="service")
    await publisher.event(MARKETPLACE, make_event(seen, source="/tests"))


async def test_a_new_activity_comes_without_a_reload(window: Window, publisher: Publisher, email: str) -> None:
    await window.register(email)
    await window.goto(f"{HOME}/activity")
    await window.page.evaluate(LISTEN)
    await sees_product(publisher, email, "Solar Forecast")
    await expect(window.page.locator("#timeline")).to_contain_text("Solar Forecast")
    assert "Solar Forecast" in await window.page.evaluate("window.said.join()"), "it is announced, on the same page"


async def test_what_comes_together_is_announced_together(
    dashboard: Dashboard, publisher: Publisher, email: str
) -> None:
    async with dashboard.window() as window, dashboard.window() as elsewhere:
        await window.register(email)
        await elsewhere.sign_in(email, PASSWORD)
        for each in (window, elsewhere):
            await each.goto(f"{HOME}/activity")
        await away(window)
        for name in ("Solar Forecast", "Tide Tables"):
            await sees_product(publisher, email, name)
            await expect(elsewhere.page.locator("#timeline")).to_contain_text(name)
        await window.page.evaluate(LISTEN)
        await window.page.context.set_offline(False)
        await expect(window.page.locator("#timeline")).to_contain_text("Tide Tables")
        said = await window.page.evaluate("window.said")
        assert any("Solar Forecast" in each and "Tide Tables" in each for each in said), said


async def test_what_the_user_is_doing_stays(window: Window, publisher: Publisher, email: str) -> None:
    await window.register(email)
    for number in range(30):
        await sees_product(publisher, email, f"Product {number}")
    page = window.page

    async def all_there() -> bool:
        await window.goto(f"{HOME}/activity")
        return await page.locator(".timeline-item").count() >= 30

    await eventually(all_there, timeout=20, interval=0.5)
    await page.get_by_label("Mentions").fill("half a word")
    item = await page.locator(".timeline-item:has(details)").nth(24).get_attribute("id")
    await page.locator(f"#{item} summary").click()
    await page.locator(f"#{item} summary").focus()
    top = await page.locator(f"#{item}").evaluate("element => element.getBoundingClientRect().top")

    await sees_product(publisher, email, "Solar Forecast")
    await expect(page.locator("#timeline")).to_contain_text("Solar Forecast")

    assert await page.locator(f"#{item} details").evaluate("details => details.open")
    assert await page.evaluate("document.activeElement.closest('.timeline-item')?.id") == item
    assert await page.get_by_label("Mentions").input_value() == "half a word"
    moved = await page.locator(f"#{item}").evaluate("element => element.getBoundingClientRect().top") - top
    assert abs(moved) < 1, "the page jumps"


async def test_somebody_else_sees_nothing_of_it(dashboard: Dashboard, publisher: Publisher, email: str) -> None:
    async with dashboard.window() as ada, dashboard.window() as bob:
        await ada.register(email)
        await bob.register(f"bob-{email}")
        for window in (ada, bob):
            await window.goto(f"{HOME}/activity")
        await sees_product(publisher, email, "Solar Forecast")
        await expect(ada.page.locator("#timeline")).to_contain_text("Solar Forecast")
        await sees_product(publisher, f"bob-{email}", "Tide Tables")
        await expect(bob.page.locator("#timeline")).to_contain_text("Tide Tables")
        assert "Solar Forecast" not in await bob.page.content()


async def test_the_balance_on_the_overview_follows_the_wallet(window: Window, publisher: Publisher, email: str) -> None:
    await window.register(email)
    await window.goto(HOME)
    await expect(window.page.locator("main")).to_contain_text("500.00")  # the marketplace's welcome
    line = WalletTransactionPosted.model_validate(
        {"user_email": email, "transaction_id": "tx-1", "sequence": 1_000, "kind": "top_up", "amount": "23.45"}
        | {"balance_after": "1523.45", "currency": "TFP"}
    )
    await publisher.event(WALLET, make_event(line, source="/tests", time=datetime.now(UTC) + timedelta(seconds=1)))
    await expect(window.page.locator("main")).to_contain_text("1,523.45")


async def test_without_a_connection_the_page_says_so_and_catches_up(
    window: Window, publisher: Publisher, email: str
) -> None:
    await window.register(email)
    await window.goto(f"{HOME}/activity")
    await away(window)
    await sees_product(publisher, email, "Solar Forecast")
    await window.page.context.set_offline(False)
    await expect(window.page.locator("#timeline")).to_contain_text("Solar Forecast")
    await expect(window.page.locator("#connection")).to_be_hidden()
