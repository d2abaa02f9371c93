"""A page is light, comes from one host, and needs one style sheet and one script."""

from playwright.async_api import Request

from tests.browser.pages import NAMES, show
from tests.browser.window import Dashboard

MOST_BYTES = 150_000


async def test_no_page_is_heavy(dashboard: Dashboard) -> None:
    for name in NAMES:
        async with dashboard.window() as window:
            await window.sign_in(*dashboard.demo)
            loaded: list[Request] = []
            window.page.on("requestfinished", loaded.append)
            await show(window, name)
            kinds = [request.resource_type for request in loaded]
            sizes = [await request.sizes() for request in loaded if request.resource_type != "eventsource"]
            assert sum(size["responseBodySize"] for size in sizes) < MOST_BYTES, name
            assert set(kinds) <= {"document", "stylesheet", "script", "eventsource", "other"}, (name, kinds)
