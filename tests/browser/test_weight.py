"""A page is light, comes from one host, and needs one style sheet and one script."""

from playwright.async_api import Request

from tests.browser.pages import NAMES, show
from tests.browser.window import Dashboard, Window

MOST_BYTES = 150_000


async def test_no_page_is_heavy(dashboard: Dashboard) -> None:
    for name in NAMES:
        async with dashboard.window() as window:
            await window.sign_in(*dashboard.demo)
            loaded = await loads(window, name)
            kinds = {request.resource_type for request in loaded}
            assert kinds <= {"document", "stylesheet", "script", "eventsource", "other"}, (name, kinds)
            sizes = [await request.sizes() for request in loaded if request.resource_type != "eventsource"]
            assert sum(size["responseBodySize"] for size in sizes) < MOST_BYTES, name


async def loads(window: Window, name: str) -> list[Request]:
    """What the browser asks for when it opens the page."""
    finished: list[Request] = []

    def note(request: Request) -> None:
        finished.append(request)

    window.page.on("requestfinished", note)
    await show(window, name)
    return finished
