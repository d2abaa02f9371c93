"""A new notification is shown on the page that is open, to whoever asked for that."""

from playwright.async_api import expect

from tests.browser.test_accessibility import violations
from tests.browser.window import HOME, PASSWORD, Dashboard, Window

ANOTHER_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TITLE = "New sign-in: Firefox"
PATIENCE_MS = 60_000  # the demo user's history may still be on its way through the same consumers


async def signs_in_elsewhere(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window(user_agent=ANOTHER_BROWSER) as elsewhere:
        await elsewhere.sign_in(email, PASSWORD)


async def asks_for_toasts(window: Window) -> None:
    await window.goto(f"{HOME}/preferences")
    await window.page.get_by_label("Announcements on the page").check()
    await window.page.get_by_role("button", name="Save").first.click()
    await window.is_told()


async def test_it_is_shown_leads_to_its_page_and_can_be_dismissed(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window(theme="dark") as window:
        await window.register(email)
        await asks_for_toasts(window)
        await window.goto(f"{HOME}/purchases")
        await signs_in_elsewhere(dashboard, email)

        toasts = window.page.locator("#toasts")
        link = toasts.get_by_role("link", name=TITLE)
        await expect(link).to_be_visible(timeout=PATIENCE_MS)
        await expect(toasts).to_have_role("status")
        assert await link.get_attribute("href") == f"{HOME}/account"
        assert await violations(window) == []

        await toasts.get_by_role("button", name=f"Dismiss: {TITLE}").focus()
        await window.page.keyboard.press("Enter")
        await expect(link).to_have_count(0)
        assert await window.page.evaluate("document.activeElement.id") == "bell"


async def test_the_bell_alone_counts_it_for_whoever_did_not_ask(
    window: Window, dashboard: Dashboard, email: str
) -> None:
    await window.register(email)
    await window.goto(f"{HOME}/purchases")
    await signs_in_elsewhere(dashboard, email)
    await expect(window.page.locator("#bell .count")).to_have_text("1", timeout=PATIENCE_MS)
    assert await window.page.locator("#toasts").count() == 0
