"""No violations of what axe checks, on every page, in both themes, with a full life and with an empty one."""

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.browser.pages import NAMES, OPEN, PLAIN, show
from tests.browser.window import Dashboard, Theme, Window

pytestmark = pytest.mark.parametrize("theme", ["light", "dark"])


async def violations(window: Window) -> list[str]:
    """What axe has to say, one line for each."""
    found = (await Axe().run(window.page)).response["violations"]
    return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


async def test_pages_of_a_full_life(dashboard: Dashboard, theme: Theme) -> None:
    async with dashboard.window(theme=theme) as window:
        await window.sign_in(*dashboard.demo)
        assert {name: found for name in NAMES if (found := await shown(window, name))} == {}


async def test_pages_of_an_empty_life(dashboard: Dashboard, theme: Theme, email: str) -> None:
    async with dashboard.window(theme=theme) as window:
        await window.register(email)
        assert {name: found for name in PLAIN if (found := await shown(window, name))} == {}


async def test_pages_for_anybody(dashboard: Dashboard, theme: Theme) -> None:
    async with dashboard.window(theme=theme) as window:
        assert {name: found for name in OPEN if (found := await shown(window, name))} == {}


async def test_on_a_phone(dashboard: Dashboard, theme: Theme) -> None:
    async with dashboard.window(width=360, height=740, theme=theme) as window:
        await window.sign_in(*dashboard.demo)
        pages = ("overview", "purchases", "deployment", "wallet", "analytics")
        assert {name: found for name in pages if (found := await shown(window, name))} == {}


async def shown(window: Window, name: str) -> list[str]:
    await show(window, name)
    return await violations(window)
