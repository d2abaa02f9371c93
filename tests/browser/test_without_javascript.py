"""By links and forms alone."""

from playwright.async_api import expect

from tests.browser.window import HOME, Dashboard


async def test_register_look_filter_and_save(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window(java_script_enabled=False) as window:
        await window.register(email, "Ada")
        await window.goto(f"{HOME}/activity")
        await window.page.get_by_label("Kind").select_option("login")
        await window.page.get_by_role("button", name="Filter").click()
        assert "type=login" in window.page.url
        await window.goto(f"{HOME}/profile")
        await window.page.get_by_label("Company").fill("Analytical Engines")
        await window.page.get_by_role("button", name="Save").first.click()
        await expect(window.page.locator("main")).to_contain_text("Your profile is saved.")
        await expect(window.page.get_by_label("Company")).to_have_value("Analytical Engines")


async def test_a_dialog_opens_and_a_command_is_followed_to_its_end(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window(java_script_enabled=False) as window:
        await window.register(email, "Ada")
        await window.goto(f"{HOME}/discover/alder-cloud-bare-node")
        await window.page.get_by_role("button", name="Buy").first.click()
        dialog = window.page.locator("dialog[open]")
        await expect(dialog).to_be_visible()
        await dialog.get_by_role("button", name="Buy").click()
        await expect(window.page.locator("#command")).to_contain_text("Done.")
