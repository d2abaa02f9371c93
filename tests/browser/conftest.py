"""A real browser before a whole stack with a simulated marketplace, which the tests of a run share."""

import shutil
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.browser.window import HOME, PATIENCE_MS, Dashboard, Window
from tests.servers.up import Up, mycelium_up
from tests.waiting import eventually

expect.set_options(timeout=PATIENCE_MS)  # how long it takes is no reason to fail
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Up]:
    """What `make run` starts."""
    async with mycelium_up(tmp_path_factory.mktemp("stack") / "data", "--demo") as up:
        await up.is_up()
        yield up


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The browser, for the whole run."""
    async with async_playwright() as playwright:
        browser = await launched(playwright)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def dashboard(stack: Up, browser: Browser) -> Dashboard:
    """The dashboard, with all of the demo user's history."""
    return await opened(stack, browser)


async def launched(playwright: Playwright) -> Browser:
    """Chromium, from the system."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "there is no Chromium: apt-get install chromium"
    return await playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))


async def opened(stack: Up, browser: Browser) -> Dashboard:
    """The dashboard of a stack with its demo, once the demo user's months of history are all there."""
    dashboard = Dashboard(stack.stack["gateway"], browser, demo=demo_login(stack.screen))
    async with dashboard.window() as window:
        await window.sign_in(*dashboard.demo)

        seen = [""]

        async def is_all_there() -> bool:
            await window.goto(HOME)
            seen.append(await window.page.locator(".stat .value").first.inner_text())
            return seen[-1] == seen[-2] and not seen[-1].startswith("0.00")

        await eventually(is_all_there, timeout=180, interval=2, what="this month's spending is there and stands")
    return dashboard


@pytest_asyncio.fixture(loop_scope="session")
async def window(dashboard: Dashboard) -> AsyncIterator[Window]:
    """A browser window of 1280 by 900 in which nobody is signed in. At the end it is checked for complaints."""
    async with dashboard.window() as window:
        yield window


@pytest_asyncio.fixture(loop_scope="session")
async def demo(dashboard: Dashboard) -> AsyncIterator[Window]:
    """A window in which the demo user is signed in."""
    async with dashboard.window() as window:
        await window.sign_in(*dashboard.demo)
        yield window


@pytest.fixture
def email() -> str:
    """An address that nobody has yet."""
    return f"{uuid4().hex}@example.test"


def demo_login(screen: str) -> tuple[str, str]:
    """Email and password, as `mycelium up --demo` prints them."""
    [line] = [line.split() for line in screen.splitlines() if line.strip().startswith("demo ")]
    return line[1], line[3]
