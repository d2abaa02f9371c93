"""A phone, every layout, long names, other scripts: nothing breaks."""

import pytest

from tests.browser.pages import NAMES, OPEN, show
from tests.browser.window import HOME, Dashboard, Window

LONG = "Konstantinopolitanische" * 4
STRANGE = ("مرحبا بالعالم " * 7, "👩‍👩‍👧‍👦🧑🏽‍🚀" * 6, LONG, "<script>alert(1)</script>", "a" * 100)


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_is_wider_than_the_window(dashboard: Dashboard, width: int) -> None:
    async with dashboard.window(width=width, height=740) as window:
        for name in OPEN:
            await show(window, name)
            assert not await window.overflows(), name
        await window.sign_in(*dashboard.demo)
        for name in NAMES:
            await show(window, name)
            assert not await window.overflows(), name


async def test_every_layout_fits_a_phone(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window(width=360, height=740) as window:
        await window.sign_in(*dashboard.demo)
        for layout in ("list", "compact", "detailed", "cards"):
            await choose(window, "dashboard_layout", layout)
            assert await window.page.locator("body").get_attribute("class") == f"layout-{layout}"
            for name in ("overview", "purchases", "deployments"):
                await show(window, name)
                assert not await window.overflows(), (layout, name)


async def choose(window: Window, name: str, value: str) -> None:
    """Sets a preference by the form."""
    await window.goto(f"{HOME}/preferences")
    field = window.page.locator(f"[name={name}]")
    if await field.first.get_attribute("type") == "radio":
        await window.page.locator(f"[name={name}][value={value}]").check()
    else:
        await field.first.select_option(value)
    await window.page.get_by_role("button", name="Save").first.click()
    await window.is_told()


@pytest.mark.parametrize("name", STRANGE)
async def test_strange_names_break_nothing(dashboard: Dashboard, email: str, name: str) -> None:
    async with dashboard.window(width=360, height=740) as window:
        await window.register(email, name[:100])
        for page in ("overview", "profile", "account"):
            await show(window, page)
            assert not await window.overflows(), page
