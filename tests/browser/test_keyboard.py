"""Everything can be done with the keyboard alone."""

from playwright.async_api import expect

from tests.browser.window import HOME, PASSWORD, Dashboard, Window


async def focused(window: Window) -> str:
    """The name of what has the focus, as it is read out."""
    return str(
        await window.page.evaluate(
            "(e => e.getAttribute('aria-label') || e.labels?.[0]?.textContent || e.textContent.trim())"
            "(document.activeElement)"
        )
    )


async def tab_to(window: Window, name: str, most: int = 80) -> None:
    """Presses Tab until what is called so has the focus, and can be seen to have it."""
    for _ in range(most):
        await window.page.keyboard.press("Tab")
        if (await focused(window)).startswith(name):
            outline = await window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{name} has the focus, and nothing shows it"
            return
    raise AssertionError(f"{name} cannot be reached")


async def test_sign_in_look_around_and_sign_out(dashboard: Dashboard) -> None:
    async with dashboard.window() as window:
        keys = window.page.keyboard
        await window.goto("/login")
        await tab_to(window, "Email")
        await keys.type(dashboard.demo[0])
        await keys.press("Tab")
        await keys.type(dashboard.demo[1])
        await keys.press("Enter")
        await window.page.wait_for_url(f"**{HOME}")

        await tab_to(window, "Skip to the content", most=1)
        await keys.press("Enter")
        assert await window.page.evaluate("document.activeElement.id") == "main"

        await window.goto(HOME)
        await tab_to(window, "Purchases")
        await keys.press("Enter")
        await window.page.wait_for_url("**/purchases")
        assert await window.page.locator('.rail [aria-current="page"]').inner_text() == "Purchases"

        await tab_to(window, "Your menu")
        await keys.press("Enter")
        await expect(window.page.locator("#user-menu")).to_be_visible()
        await keys.press("Escape")
        await expect(window.page.locator("#user-menu")).to_be_hidden()
        assert await focused(window) == "Your menu"
        await keys.press("Enter")
        await tab_to(window, "Sign out", most=8)
        await keys.press("Enter")
        await window.is_told()
        assert "/login" in window.page.url


async def test_a_dialog_keeps_the_focus_and_gives_it_back(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window() as window:
        await window.register(email)
        await window.goto(f"{HOME}/account")
        page = window.page
        opener = page.locator("button[command=show-modal]").last
        dialog = page.locator(f"#{await opener.get_attribute('commandfor')}")
        await opener.focus()
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_visible()
        for _ in range(12):
            await page.keyboard.press("Tab")
            assert await page.evaluate(
                "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
            )
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        assert await opener.evaluate("button => button === document.activeElement")


async def test_what_cannot_be_undone_needs_more_than_enter(dashboard: Dashboard, email: str) -> None:
    """The dialog that erases the account asks for the password."""
    async with dashboard.window() as window:
        await window.register(email)
        await window.goto(f"{HOME}/account")
        opener = window.page.locator("button[command=show-modal]").last
        await opener.click()
        await window.page.keyboard.press("Enter")
        await window.goto(HOME)
        assert PASSWORD not in await window.page.content()
        await expect(window.page.locator("h1")).to_be_visible()
