"""A browser window that remembers what it had to complain about."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, expect

HOME = "/dashboard/user"
PASSWORD = "correct horse battery"
PATIENCE_MS = 30_000
_OFFLINE = "ERR_INTERNET_DISCONNECTED"  # only a test that takes the network away sees it
Theme = Literal["light", "dark"]


@dataclass
class Window:
    """One tab. `complaints` are console errors, exceptions, requests to another host, and answers that failed."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    allowed: set[int] = field(default_factory=set)  # statuses that a test means to get

    async def goto(self, path: str) -> Response:
        """Opens a page of the dashboard."""
        response = await self.page.goto(self.url + path)
        assert response is not None
        return response

    async def sign_in(self, email: str, password: str) -> None:
        """By the form."""
        await self.goto("/login")
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(re.compile("/dashboard/user"))

    async def register(self, email: str, name: str = "Ada") -> None:
        """By the form; ends on the first page of the onboarding."""
        await self.goto("/register")
        await self.page.get_by_label("Email").fill(email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Create the account").click()
        await self.page.wait_for_url(re.compile("/onboarding"))

    async def is_told(self) -> None:
        """Waits for the notice that says what was done; its `?said=` leaves the address at once."""
        await expect(self.page.locator("[data-said]")).to_be_visible()

    async def overflows(self) -> bool:
        """Whether the page is wider than the window."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))

    async def looks(self) -> str:
        """Where it is and what it says: what one wants to know of a test that has failed."""
        text = await self.page.locator("body").inner_text()
        return f"at {self.page.url}, with complaints {self.complaints}:\n{text[:1000]}"

    def watch(self) -> None:
        """Begins to note complaints."""
        self.page.on("console", self._check_console)
        self.page.on("pageerror", lambda error: self._complain(f"exception: {error}"))
        self.page.on("request", self._check_host)
        self.page.on("response", self._check_status)

    def _complain(self, text: str) -> None:
        expected = [*(f"status of {status} " for status in self.allowed), _OFFLINE]
        if not any(each in text for each in expected):
            self.complaints.append(text)

    def _check_console(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._complain(f"console: {said.text}")

    def _check_host(self, request: Request) -> None:
        if urlsplit(request.url).scheme in ("http", "https") and not request.url.startswith(self.url):
            self._complain(f"another host: {request.url}")

    def _check_status(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.allowed:
            self._complain(f"{response.status}: {response.url}")


@dataclass
class Dashboard:
    """The dashboard at `url`; `demo` is the demo user's login."""

    url: str
    browser: Browser
    demo: tuple[str, str]

    @asynccontextmanager
    async def window(
        self,
        width: int = 1280,
        height: int = 900,
        theme: Theme = "light",
        **options: Any,  # Any: playwright's
    ) -> AsyncIterator[Window]:
        """A window of its own, without cookies. Raises AssertionError at the end where it had complaints."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce", **options
        )
        context.set_default_timeout(PATIENCE_MS)
        window = Window(await context.new_page(), self.url)
        window.watch()
        try:
            yield window
        except Exception as error:
            error.add_note(await window.looks())
            raise
        finally:
            await context.close()
        assert window.complaints == []
