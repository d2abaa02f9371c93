"""The pages to come in and go out by: register, sign in, the account with its data, and leaving."""

import time
from uuid import uuid4

import aiohttp
import orjson
import pytest

from tests.servers.browsing import Browser, Page, browsing
from tests.servers.dashboard import API, PASSWORD, Site, User, log_in
from tests.servers.issuer import IssuerServer
from tests.waiting import eventually

HOME = "/dashboard/user"
ACCOUNT = f"{HOME}/account"
NEW = "staple correct horse"


async def signed_in(site: Site, token: str) -> bool:
    return (await site.ask("GET", f"{API}/sessions", token=token)).status == 200


async def upload(browser: Browser, content: bytes, name: str = "file") -> Page:
    form = aiohttp.FormData()
    form.add_field(name, content, filename="export.json", content_type="application/json")
    return await browser.post(f"{ACCOUNT}/import", form)


async def test_who_registers_comes_to_the_first_steps(whole: Site) -> None:
    email = f"{uuid4().hex}@example.test"
    async with browsing(whole) as browser:
        page = await browser.get("/register")
        page = await browser.submit(page, "/register", email=email, password="short", display_name="Ada")
        assert page.status == 422
        assert "8 to 256" in page.root.one("p", id="password-error").text
        assert page.root.one("input", id="email").attributes["value"] == email
        assert "short" not in page.html
        page = await browser.submit(page, "/register", password=PASSWORD, timezone="Europe/Stockholm")
        assert page.address == f"{HOME}/onboarding/1"
        assert "Ada" in page.root.one("button", class_="user").text
        taken = await browser.submit(await browser.get("/register"), "/register", email=email, password=PASSWORD)
        assert taken.status == 409
        assert "There is an account" in taken.root.one("p", role="alert").text


async def test_a_wrong_password_says_so_and_too_many_say_for_how_long(whole: Site, ada: User) -> None:
    async with browsing(whole) as browser:
        page = await browser.get("/login")
        page = await browser.submit(page, "/login", email=ada.email, password="wrong horse battery")
        assert page.status == 401
        assert page.root.one("input", id="email").attributes["value"] == ada.email
        assert "wrong" in page.root.one("p", role="alert").text
        for _ in range(6):
            page = await browser.submit(page, "/login", password="wrong horse battery")
        assert page.status == 429
        assert int(page.headers["Retry-After"]) >= 1
        assert "Try again in" in page.root.one("p", role="alert").text


@pytest.mark.parametrize(
    "way",
    [
        *("https://evil.example/", "//evil.example/", "/\\evil.example", "/\t/evil.example", "\\\\evil.example"),
        *("javascript:alert(1)", "evil", "", "/login?next=/login"),
    ],
)
async def test_the_way_after_signing_in_stays_on_this_site(whole: Site, ada: User, way: str) -> None:
    async with browsing(whole) as browser:
        page = await browser.post("/login", {"email": ada.email, "password": PASSWORD, "next": way})
        assert page.address.startswith((HOME, "/evil.example", "/%09/", "/%5C"))


async def test_who_is_signed_in_needs_no_login(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        assert (await browser.get("/login?next=/dashboard/user/account")).address == ACCOUNT


async def test_sessions_are_listed_and_ended(whole: Site, ada: User) -> None:
    second, third = await log_in(whole, ada.email), await log_in(whole, ada.email)
    async with browsing(whole, ada) as browser:
        page = await browser.get(ACCOUNT)
        listed = [each for each in page.root.all("li") if each.attributes.get("id", "").startswith("session-")]
        assert len(listed) == 3
        assert ["This one" in each.text for each in listed] == [True, False, False]
        ends = [
            each.attributes["action"] for each in page.root.all("form") if each.attributes["action"].endswith("/end")
        ]
        single = [each for each in ends if not each.endswith("/sessions/end")]
        assert len(single) == 2
        page = await browser.post(single[0], {})
        assert page.address.startswith(f"{ACCOUNT}?said=session-ended")
        assert sorted([await signed_in(whole, second), await signed_in(whole, third)]) == [False, True]
        page = await browser.post(f"{ACCOUNT}/sessions/end", {})
        assert page.address.startswith(f"{ACCOUNT}?said=sessions-ended")
        assert [await signed_in(whole, each) for each in (ada.token, second, third)] == [True, False, False]


async def test_a_session_of_somebody_else_is_not_there(whole: Site, ada: User, bob: User) -> None:
    sessions = await whole.ask("GET", f"{API}/sessions", token=bob.token)
    async with browsing(whole, ada) as browser:
        page = await browser.post(f"{ACCOUNT}/sessions/{sessions.json['items'][0]['id']}/end", {})
        assert page.status == 404
    assert await signed_in(whole, bob.token)


async def test_the_password_is_changed(whole: Site, ada: User) -> None:
    other = await log_in(whole, ada.email)
    wrong = [
        ({"old": PASSWORD, "new": NEW, "again": "something else"}, 422, "again"),
        ({"old": "wrong horse battery", "new": NEW, "again": NEW}, 403, "old"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, 422, "new"),
    ]
    async with browsing(whole, ada) as browser:
        for fields, status, field in wrong:
            page = await browser.post(f"{ACCOUNT}/password", fields)
            assert page.status == status
            assert page.root.one("input", id=field).attributes["aria-invalid"] == "true"
            assert PASSWORD not in page.html
        page = await browser.post(f"{ACCOUNT}/password", {"old": PASSWORD, "new": NEW, "again": NEW})
        assert page.address == f"{ACCOUNT}?said=password-changed"
    assert [await signed_in(whole, each) for each in (ada.token, other)] == [True, False]
    async with browsing(whole) as browser:
        assert (await browser.sign_in(ada.email, NEW)).address == HOME


async def test_a_copy_is_taken_and_put_back(whole: Site, ada: User, bob: User) -> None:
    async with browsing(whole, ada) as browser, browsing(whole, bob) as other:
        page = await browser.get(ACCOUNT)
        link = page.root.one("a", download="mycelium-export.json").attributes["href"]
        copy = (await whole.ask("GET", link, headers={"Cookie": f"session={ada.token}"})).body
        number = sum(orjson.loads(copy)["manifest"]["counts"].values())
        page = await upload(browser, copy)
        assert "said=imported" in page.address
        assert f"The file has {number} things. 0 were missing" in page.root.one("section", id="data").text
        refused = [
            (copy[:200], 400, "cut off"),
            (b"no json", 400, "JSON"),
            (copy.replace(b'"language":"en"', b'"language":"de"'), 422, "The signature at the end of the file"),
            (b"", 422, "Choose a file"),
        ]
        for content, status, words in refused:
            page = await upload(browser, content)
            assert (page.status, words in page.root.one("div", role="alert").text) == (status, True), page.root.text
        foreign = await upload(other, copy)
        assert foreign.status == 403
        assert "another user" in foreign.root.one("div", role="alert").text
        assert (await upload(browser, copy, name="other")).status == 422
        assert (await browser.post(f"{ACCOUNT}/import", {"file": "text"})).status == 415
        assert (await browser.get(f"{ACCOUNT}/import")).address == ACCOUNT


async def test_leaving_asks_for_the_password_and_shows_how_far_it_is(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(ACCOUNT)
        for password in ("", "wrong horse battery"):
            page = await browser.submit(page, "/account/erase", password=password)
            assert page.status in (403, 422)
            assert "Nothing was erased" in page.root.all("p", role="alert")[0].text
        assert await signed_in(whole, ada.token)
        page = await browser.submit(page, "/account/erase", password=PASSWORD)
        assert page.address.startswith("/erased/")
        assert ada.email not in page.html
        assert not await signed_in(whole, ada.token)
    async with browsing(whole) as anybody:

        async def completed() -> bool:
            shown = await anybody.get(page.address)
            assert shown.status == 200
            card = shown.root.one("div", id="erasure")
            assert len(card.all("li")) == 4
            return "Everything is erased" in card.text and "data-poll" not in card.attributes

        await eventually(completed, timeout=60, what="all parts have said that they are done")
        assert (await anybody.get("/erased/era-unknown")).status == 404
        assert (await anybody.sign_in(ada.email)).status == 401


async def test_a_session_that_ends_while_a_form_is_filled_in_leads_back_to_it(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        page = await browser.get(f"{HOME}/profile")
        assert (await whole.ask("POST", f"{API}/auth/logout", token=ada.token)).status == 204
        fields = page.form("/profile").fields | {"company": "Not saved"}
        login = await browser.post(f"{HOME}/profile", fields, referer=f"{HOME}/profile?x=1")
        assert login.address.startswith("/login?")
        assert "nothing was saved" in login.root.one("p", role="status").text
        back = await browser.submit(login, "/login", email=ada.email, password=PASSWORD)
        assert (back.status, back.address) == (200, f"{HOME}/profile?x=1")
        assert (await whole.ask("POST", f"{API}/auth/logout", token=browser_token(browser))).status == 204
        again = await browser.get(f"{HOME}/purchases")
        assert "had ended" in again.root.one("p", role="status").text
        elsewhere = await browser.post(f"{HOME}/profile", fields, referer=".evil.example/x")
        assert elsewhere.root.one("input", name="next").attributes["value"] == HOME


def browser_token(browser: Browser) -> str:
    return next(cookie.value for cookie in browser.http.cookie_jar if cookie.key == "session")


async def test_signing_out(whole: Site, ada: User) -> None:
    async with browsing(whole, ada) as browser:
        refused = await browser.post("/logout", {}, origin="https://evil.example")
        assert refused.status == 403
        assert await signed_in(whole, ada.token)
        page = await browser.post("/logout", {})
        assert page.address == "/login?said=signed-out"
        assert not await signed_in(whole, ada.token)
        assert (await browser.post("/logout", {})).address == "/login?said=signed-out"
        assert (await browser.get(HOME)).address.startswith("/login")


@pytest.mark.parametrize(
    ("asked", "language"), [("de-CH,de;q=0.9,en;q=0.8", "de"), ("nl", "nl"), ("sv, ja", "en"), (";;,x" * 200, "en")]
)
async def test_a_browser_is_answered_in_its_language(whole: Site, asked: str, language: str) -> None:
    async with browsing(whole) as browser:
        for path in ("/login", "/register"):
            page = await browser.get(path, accept_language=asked)
            assert (page.status, page.root.one("html").attributes["lang"]) == (200, language)


async def test_with_an_outside_issuer_the_pages_say_where_accounts_are(outside: Site, issuer: IssuerServer) -> None:
    email = f"{uuid4().hex}@example.test"
    async with browsing(outside) as browser:
        login = await browser.get("/login?next=/dashboard/user/account")
        assert issuer.url in login.root.text
        assert not login.root.all("input", name="password")
        assert issuer.url in (await browser.get("/register")).root.text
        assert not (await browser.get("/register")).root.all("form")
        bad = await browser.submit(login, "/login", token="no.token.atall")
        assert bad.status == 401
        assert "not valid" in bad.root.one("p", id="token-error").text
        assert (await browser.submit(login, "/login", token="x" * 5_000)).status == 422
        stale = issuer.token(email, {"auth_time": int(time.time()) - 3_600, "sid": "s-1"})
        account = await browser.submit(login, "/login", token=stale)
        assert account.address == ACCOUNT
        assert not account.root.all("input", type="password")
        kept = await browser.post(f"{ACCOUNT}/erase", {})
        assert kept.status == 403
        assert "last five minutes" in kept.root.one("p", role="alert").text
        assert (await browser.post(f"{ACCOUNT}/password", {"old": "x", "new": NEW, "again": NEW})).status == 404
        await browser.post("/logout", {})
        fresh = issuer.token(email, {"auth_time": int(time.time()), "sid": "s-2"})
        await browser.submit(await browser.get("/login"), "/login", token=fresh)
        assert (await browser.post(f"{ACCOUNT}/erase", {})).address.startswith("/erased/")
