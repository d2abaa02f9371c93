"""The pages about who the user is and what they prefer, as a browser without JavaScript uses them."""

import pytest

from tests.servers.browsing import Browser, Element, Page, browsing
from tests.servers.dashboard import API, Json, Site, User

HOME = "/dashboard/user"
HOSTILE = '<script>alert("1")</script>'


async def saved(site: Site, user: User, what: str) -> Json:
    """The user's profile or preferences as the API has them."""
    reply = await site.ask("GET", f"{API}/{what}", token=user.token)
    assert reply.status == 200
    found: Json = reply.json
    return found


def pairs(form: Element) -> list[tuple[str, str]]:
    """What the form sends as it is, fields of one name each by itself."""
    found = []
    for each in form.all():
        name, kind = each.attributes.get("name"), each.attributes.get("type")
        if name and each.tag == "input" and (kind not in ("checkbox", "radio") or "checked" in each.attributes):
            found.append((name, each.attributes.get("value", "")))
        elif name and each.tag == "textarea":
            found.append((name, each.text))
        elif name and each.tag == "select":
            options = each.all("option")
            chosen = next((option for option in options if "selected" in option.attributes), options[0])
            found.append((name, chosen.attributes["value"]))
    return found


async def send(browser: Browser, page: Page, action: str, *without: str, **changes: str) -> Page:
    """Sends the page's form with changes, and without some of its fields."""
    form = [(name, value) for name, value in pairs(page.form(action)) if name not in {*changes, *without}]
    return await browser.post(action, [*form, *changes.items()])


async def test_a_profile_is_filled_in_and_others_see_what_they_may(whole: Site, ada: User, bob: User) -> None:
    async with browsing(whole, ada) as browser, browsing(whole, bob) as other:
        page = await browser.get(f"{HOME}/profile")
        assert "Others see nothing" in page.root.one("section", id="card").text
        user_id = page.root.one("section", id="identity").one("code").text
        assert (await other.get(f"{HOME}/profiles/{user_id}")).status == 404
        filled = {"display_name": HOSTILE, "bio": "One\r\nTwo", "country": "SE", "phone": "+46 70 123 45 67"}
        page = await send(
            browser, page, f"{HOME}/profile", **filled, website="https://ada.example/", profile_visibility="limited"
        )
        assert page.address == f"{HOME}/profile?said=profile-saved"
        assert HOSTILE not in page.html
        assert page.root.one(class_="person").one("bdi").text == HOSTILE
        limited = await other.get(f"{HOME}/profiles/{user_id}")
        assert HOSTILE in limited.root.text
        assert "One" not in limited.root.text
        await send(browser, page, f"{HOME}/profile", profile_visibility="public", bio="One\r\nTwo")
        public = await other.get(f"{HOME}/profiles/{user_id}")
        assert "Sweden" in public.root.text
        assert ada.email not in public.html
        assert "+4670" not in public.html
        link = public.root.one("a", href="https://ada.example/")
        assert (link.attributes["rel"], link.attributes["target"]) == ("noopener noreferrer", "_blank")
    profile = await saved(whole, ada, "profile")
    assert (profile["bio"], profile["phone"], profile["country"]) == ("One\nTwo", "+46701234567", "SE")


async def test_a_wrong_field_is_marked_and_nothing_of_it_is_lost(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/profile")
        page = await send(browser, page, f"{HOME}/profile", phone="12", company="Analytical Engines")
        assert page.status == 422
        phone = page.root.one("input", id="phone")
        assert (phone.attributes["value"], phone.attributes["aria-invalid"]) == ("12", "true")
        assert "E.164" in page.root.one("p", id="phone-error").text
        assert page.root.one("a", href="#phone").text == "Phone"
        assert page.root.one("input", id="company").attributes["value"] == "Analytical Engines"
    assert (await saved(whole, ada, "profile"))["company"] is None


async def test_links_come_and_go_as_rows_without_a_script(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/profile")
        page = await send(browser, page, f"{HOME}/profile", row="new")
        page = await send(browser, page, f"{HOME}/profile", row="new")
        assert len(page.root.all("input", name="network")) == 2
        links = [("network", "GitHub"), ("link", "https://github.com/ada"), ("network", "matrix"), ("link", "ftp://x")]
        kept = [each for each in pairs(page.form("/profile")) if each[0] not in ("network", "link")]
        page = await browser.post(f"{HOME}/profile", [*kept, *links])
        assert page.status == 422
        assert "begins with https://" in page.root.one("p", id="link-1-error").text
        page = await send(browser, page, f"{HOME}/profile", row="1")
        page = await send(browser, page, f"{HOME}/profile")
        assert (await saved(whole, ada, "profile"))["social_links"] == {"github": "https://github.com/ada"}
        twice = [
            ("network", "github"),
            ("link", "https://a.example/"),
            ("network", "github"),
            ("link", "https://b.example/"),
        ]
        kept = [each for each in pairs(page.form("/profile")) if each[0] not in ("network", "link")]
        page = await browser.post(f"{HOME}/profile", [*kept, *twice])
        assert page.status == 422
        assert "twice" in page.root.one("p", id="link-1-error").text
        page = await browser.post(f"{HOME}/profile", kept)
        assert page.address.endswith("said=profile-saved")
    assert (await saved(whole, ada, "profile"))["social_links"] == {}


async def test_two_tabs_do_not_overwrite_each_other(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        one = await browser.get(f"{HOME}/profile")
        two = await browser.get(f"{HOME}/profile")
        await send(browser, one, f"{HOME}/profile", company="From the first")
        conflict = await send(browser, two, f"{HOME}/profile", company="From the second", bio="Only here")
        assert conflict.status == 412
        assert (await saved(whole, ada, "profile"))["company"] == "From the first"
        both = conflict.root.one("section", id="conflict").text
        assert "From the first" in both
        assert "From the second" in both
        assert "Only here" in both
        assert conflict.root.one("input", id="company").attributes["value"] == "From the second"
        done = await send(browser, conflict, f"{HOME}/profile")
        assert done.address.endswith("said=profile-saved")
    assert (await saved(whole, ada, "profile"))["company"] == "From the second"


async def test_preferences_take_effect_on_the_next_page(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        changes = {"theme": "dark", "dashboard_layout": "compact", "language": "de", "items_per_page": "7"}
        page = await send(
            browser, page, f"{HOME}/preferences", **changes, preferred_currency="EUR", cookie_analytics="on"
        )
        assert page.address == f"{HOME}/preferences?said=preferences-saved"
        html, body = page.root.one("html"), page.root.one("body")
        assert (html.attributes["lang"], html.attributes["class"]) == ("de", "dark")
        assert body.attributes["class"] == "layout-compact"
    now = await saved(whole, ada, "preferences")
    assert (now["items_per_page"], now["preferred_currency"]) == (7, "EUR")
    assert now["cookie_preferences"] == {
        "essential": True,
        "analytics": True,
        "marketing": False,
        "personalization": False,
    }


async def test_what_is_switched_off_is_off_and_the_rest_stays(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        page = await send(
            browser, page, f"{HOME}/preferences", "billing_alerts", "analytics_participation", push_notifications="on"
        )
        assert page.address.endswith("said=preferences-saved")
    now = await saved(whole, ada, "preferences")
    off = {
        name
        for name in ("billing_alerts", "analytics_participation", "security_alerts", "push_notifications")
        if not now[name]
    }
    assert off == {"billing_alerts", "analytics_participation"}


@pytest.mark.parametrize(
    ("answer", "kept"), [({"sure": "yes"}, False), ({"activity_tracking": "on"}, True)], ids=["remove", "keep"]
)
async def test_a_choice_that_removes_data_asks_first(
    whole: Site, ada: User, answer: dict[str, str], kept: bool
) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        page = await send(browser, page, f"{HOME}/preferences", "activity_tracking", items_per_page="9")
        assert page.root.one("h1").text == "Remove what you browsed and viewed?"
        untouched = await saved(whole, ada, "preferences")
        assert (untouched["activity_tracking"], untouched["items_per_page"]) == (True, 50)
        page = await send(browser, page, f"{HOME}/preferences", **answer)
        assert page.address.endswith("said=preferences-saved")
    now = await saved(whole, ada, "preferences")
    assert (now["activity_tracking"], now["items_per_page"]) == (kept, 9)


async def test_wrong_preferences_are_marked(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        wrong = {"items_per_page": "3", "lowest": "10", "highest": "5"}
        page = await send(browser, page, f"{HOME}/preferences", **wrong)
        assert page.status == 422
        assert page.root.one("input", id="items_per_page").attributes["aria-invalid"] == "true"
        assert "should not be above" in page.root.text
        assert page.root.one("input", id="lowest").attributes["value"] == "10"
        page = await send(browser, page, f"{HOME}/preferences", items_per_page="many", lowest="", highest="")
        assert page.status == 422
    assert (await saved(whole, ada, "preferences"))["price_range_filter"] is None


async def test_a_provider_is_preferred_or_blocked_never_both(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        page = await send(browser, page, f"{HOME}/preferences", provider="north-node", stance="preferred")
        assert (await saved(whole, ada, "preferences"))["preferred_providers"] == ["north-node"]
        page = await send(browser, page, f"{HOME}/preferences", provider="north-node", stance="blocked")
        now = await saved(whole, ada, "preferences")
        assert (now["preferred_providers"], now["blocked_providers"]) == ([], ["north-node"])
        page = await send(browser, page, f"{HOME}/preferences", "provider", "stance")
    assert (await saved(whole, ada, "preferences"))["blocked_providers"] == ["north-node"]


async def test_preferences_in_two_tabs(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        one = await browser.get(f"{HOME}/preferences")
        two = await browser.get(f"{HOME}/preferences")
        await send(browser, one, f"{HOME}/preferences", theme="dark")
        conflict = await send(browser, two, f"{HOME}/preferences", theme="light", lowest="1", highest="2")
        assert conflict.status == 412
        both = conflict.root.one("section", id="conflict").text
        assert "Dark" in both
        assert "Light" in both
        await send(browser, conflict, f"{HOME}/preferences")
    assert (await saved(whole, ada, "preferences"))["theme"] == "light"


async def test_the_first_steps(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/onboarding")
        assert page.address == f"{HOME}/onboarding/1"
        assert page.root.one("li", aria_current="step").text == "Look and language"
        assert page.root.all("a", href=HOME)
        page = await send(browser, page, f"{HOME}/onboarding/1", theme="dark", language="en")
        assert (page.address, page.root.one("html").attributes["class"]) == (f"{HOME}/onboarding/2", "dark")
        page = await send(browser, page, f"{HOME}/onboarding/2", lowest="9", highest="1")
        assert page.status == 422
        page = await send(browser, page, f"{HOME}/onboarding/2", lowest="1", highest="9")
        assert page.address == f"{HOME}/onboarding/3"
        page = await send(browser, page, f"{HOME}/onboarding/3", "billing_alerts")
        assert page.address == f"{HOME}?said=all-set"
        assert (await browser.get(f"{HOME}/onboarding/4")).status == 422
    now = await saved(whole, ada, "preferences")
    assert (now["theme"], now["price_range_filter"], now["billing_alerts"]) == ("dark", ["1", "9"], False)
    assert now["activity_tracking"] is True


async def test_the_first_steps_can_be_skipped(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/onboarding/1")
        for step in (2, 3):
            page = await browser.get(page.root.one("a", href=f"{HOME}/onboarding/{step}").attributes["href"])
        assert page.root.all("a", href=HOME)
    assert (await saved(whole, ada, "preferences"))["theme"] == "auto"


async def test_preferences_can_be_changed_while_the_catalogue_is_away(gateway: Site, ada: User) -> None:
    async with browsing(gateway, ada) as browser:
        page = await browser.get(f"{HOME}/preferences")
        assert page.status == 200
        page = await send(browser, page, f"{HOME}/preferences", theme="dark")
        assert page.address.endswith("said=preferences-saved")


async def test_a_language_before_and_after_it_is_chosen(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        asked = "fr-CH, fr;q=0.9, en;q=0.8"
        before = await browser.get(f"{HOME}/preferences", accept_language=asked)
        assert before.root.one("html").attributes["lang"] == "fr"
        assert dict(pairs(before.form("/preferences")))["language"] == "fr"
        await send(browser, before, f"{HOME}/preferences", language="nl")
        after = await browser.get(f"{HOME}/preferences", accept_language=asked)
        assert after.root.one("html").attributes["lang"] == "nl"


@pytest.mark.parametrize("path", ["/profile", "/preferences", "/onboarding/1", "/account"])
async def test_who_is_not_signed_in_signs_in_first(whole: Site, ada: User, path: str) -> None:
    async with browsing(whole) as browser:
        login = await browser.get(f"{HOME}{path}")
        assert login.address.startswith("/login?next=")
        there = await browser.submit(login, "/login", email=ada.email, password="correct horse battery")
        assert (there.status, there.address) == (200, f"{HOME}{path}")


@pytest.mark.parametrize("path", ["/profile", "/preferences", "/onboarding/1", "/account/erase", "/account/password"])
async def test_no_other_site_changes_anything(whole: Site, ada: User, path: str) -> None:
    before = await saved(whole, ada, "profile"), await saved(whole, ada, "preferences")
    async with browsing(whole, ada) as browser:
        page = await browser.post(
            f"{HOME}{path}", {"display_name": "x", "password": "x"}, origin="https://evil.example"
        )
        assert page.status == 403
    assert (await saved(whole, ada, "profile"), await saved(whole, ada, "preferences")) == before
