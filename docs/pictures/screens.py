"""Takes the pictures of the pages that the README and the docs show, of the demo user's own life: `make pictures`."""

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.conftest import launched, opened
from tests.browser.window import HOME, Dashboard, Theme
from tests.servers.up import mycelium_up

FOLDER = Path(__file__).parent
PICTURES: tuple[tuple[str, str, int, int, Theme], ...] = (
    ("overview", HOME, 1280, 1000, "light"),
    ("overview-dark", HOME, 1280, 1000, "dark"),
    ("overview-phone", HOME, 360, 740, "light"),
    ("analytics", f"{HOME}/analytics", 1280, 1000, "light"),
    ("deployments", f"{HOME}/deployments", 1280, 1000, "light"),
)


async def take(dashboard: Dashboard) -> None:
    """Writes every picture into this folder."""
    for name, path, width, height, theme in PICTURES:
        async with dashboard.window(width, height, theme) as window:
            await window.sign_in(*dashboard.demo)
            await window.goto(path)
            await window.page.screenshot(path=FOLDER / f"{name}.png")


async def main() -> None:
    """Starts what `make run` starts, waits until the demo user has their months, and takes the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            mycelium_up(Path(folder) / "data", "--demo") as up,
            async_playwright() as playwright,
        ):
            await up.is_up()
            browser = await launched(playwright)
            await take(await opened(up, browser))
            await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
