"""The whole way, by clicking: from an account to what it all comes to, and out again."""

import json
import re
from pathlib import Path

from playwright.async_api import Page, expect

from tests.browser.window import HOME, PASSWORD, Dashboard, Window

PRODUCT = "alder-cloud-bare-node"


async def test_from_register_to_insights(window: Window, email: str, tmp_path: Path) -> None:
    page = window.page
    await window.register(email, "Ada")
    await through_the_onboarding(page)
    await buys(page)
    await looks_after_what_runs(page)
    await rates(page)
    await says_who_they_are(page)
    await finds_out_what_it_comes_to(page)
    await takes_everything_along(page, tmp_path, email)
    await page.get_by_role("button", name="Your menu").click()
    await page.locator("#user-menu").get_by_role("button", name="Sign out").click()
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    await window.goto(HOME)
    assert "/login" in page.url


async def through_the_onboarding(page: Page) -> None:
    for _ in range(3):
        step = page.url
        await page.locator("main form button[type=submit].primary").first.click()
        await page.wait_for_url(lambda url, step=step: url != step)  # type: ignore[misc]
    await page.wait_for_url(re.compile(f"{HOME}(\\?.*)?$"))
    await expect(page.locator("h1")).to_contain_text("Ada")
    await expect(page.locator("main")).to_contain_text("500.00")  # the marketplace's welcome


async def buys(page: Page) -> None:
    await page.locator(".rail").get_by_role("link", name="Discover").click()
    await page.locator("main").get_by_role("searchbox").first.fill("bare node")
    await page.get_by_role("button", name="Filter").or_(page.get_by_role("button", name="Search")).last.click()
    await page.locator(f'main a[href$="/discover/{PRODUCT}"]').first.click()
    await page.get_by_role("button", name="Buy").first.click()
    await page.locator("dialog[open]").get_by_role("button", name="Buy").click()
    await expect(page.locator("#command")).to_contain_text("Done.")


async def looks_after_what_runs(page: Page) -> None:
    await page.locator(".rail").get_by_role("link", name="Deployments").click()
    await page.locator(f'main a[href*="{HOME}/deployments/"]').first.click()
    await expect(page.locator("main")).to_contain_text("Running")
    await page.get_by_role("button", name="Restart").first.click()
    await page.locator("dialog[open] button[type=submit]").click()
    await expect(page.locator("#command")).to_contain_text("Done.")


async def rates(page: Page) -> None:
    await page.locator(".rail").get_by_role("link", name="Purchases").click()
    await page.locator(f'main a[href*="{HOME}/purchases/"]').first.click()
    await page.locator('input[name=rating][value="4.5"]').check(force=True)
    await page.locator("textarea[name=review]").fill("Does what it says.")
    await page.get_by_role("button", name=re.compile("rating", re.IGNORECASE)).first.click()
    await expect(page.get_by_text("Your rating is saved.")).to_be_visible()


async def says_who_they_are(page: Page) -> None:
    await page.locator(".rail").get_by_role("link", name="Profile").click()
    await page.get_by_label("Company").fill("Analytical Engines")
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text("Your profile is saved.")).to_be_visible()
    await page.locator(".rail").get_by_role("link", name="Preferences").click()
    await page.locator("[name=theme][value=dark]").check(force=True)
    await page.get_by_role("button", name="Save").first.click()
    await expect(page.get_by_text("Your preferences are saved.")).to_be_visible()
    await expect(page.locator("html")).to_have_class("dark")


async def finds_out_what_it_comes_to(page: Page) -> None:
    await page.locator(".rail").get_by_role("link", name="Analytics").click()
    await expect(page.locator("figure svg").first).to_be_visible()
    await page.get_by_role("link", name=re.compile("^Why")).first.click()
    await expect(page.locator("h1")).to_be_visible()
    await page.locator(".rail").get_by_role("link", name="Recommendations").click()
    await expect(page.locator("h1")).to_have_text("Recommendations")
    await page.locator(".rail").get_by_role("link", name="Wallet").click()
    await expect(page.locator("main")).to_contain_text("Purchase")
    await page.locator(".rail").get_by_role("link", name="Activity").click()
    for kind in ("Purchase", "Rating", "Profile change", "Preferences change", "Sign-in"):
        await expect(page.locator("#timeline")).to_contain_text(kind)


async def takes_everything_along(page: Page, folder: Path, email: str) -> None:
    await page.get_by_role("button", name="Your menu").click()
    await page.get_by_role("link", name="Account and data").first.click()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=re.compile("Download", re.IGNORECASE)).first.click()
    download = await downloading.value
    await download.save_as(folder / "export.json")
    file = json.loads((folder / "export.json").read_text())
    assert file["user_email"] == email
    assert file["manifest"]["counts"]["purchases"] == 1


async def test_leaving_for_good(dashboard: Dashboard, email: str) -> None:
    async with dashboard.window() as window:
        page = window.page
        await window.register(email)
        await window.goto(f"{HOME}/account")
        await page.locator("button[command=show-modal].danger").last.click()
        dialog = page.locator("dialog[open]")
        await dialog.get_by_label("Password").fill(PASSWORD)
        await dialog.locator("button[type=submit]").click()
        await page.wait_for_url("**/erased/*")
        await expect(page.locator("main")).to_contain_text("Everything is erased", timeout=60_000)
        await window.goto(HOME)
        assert "/login" in page.url
