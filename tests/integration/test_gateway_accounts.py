"""Who the user is, where they are signed in and how they leave: every answer as the gateway describes it."""

import asyncio
from uuid import uuid4

import pytest

from tests.servers.dashboard import API, PASSWORD, Json, Reply, Site, User, assert_problem, log_in, sign_up
from tests.waiting import eventually

NEW = "another correct horse"


async def test_the_profile_and_the_preferences_are_read_and_changed(whole: Site, ada: User) -> None:
    parts: list[tuple[str, Json, Json]] = [
        ("profile", {"bio": "Writes programs."}, {"website": "ftp://example.org"}),
        ("preferences", {"theme": "dark", "price_range_filter": ["1.50", "20"]}, {"items_per_page": 1_000}),
    ]
    for part, good, bad in parts:
        path = f"{API}/{part}"
        first = await whole.ask("GET", path, token=ada.token)
        assert first.status == 200
        tag = first.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            same = await whole.ask("GET", path, token=ada.token, headers={"If-None-Match": known})
            assert (same.status, same.headers["ETag"], same.body) == (304, tag, b"")
        changed = await whole.ask("PATCH", path, token=ada.token, json=good, headers={"If-Match": tag})
        assert changed.status == 200
        assert changed.json == first.json | good | {"updated_at": changed.json["updated_at"]}
        assert changed.headers["ETag"] != tag
        late = await whole.ask("PATCH", path, token=ada.token, json=good, headers={"If-Match": tag})
        assert_problem(late, 412, "changed-meanwhile")
        again = await whole.ask("GET", path, token=ada.token, headers={"If-None-Match": tag})
        assert (again.status, again.json) == (200, changed.json)
        assert_problem(
            await whole.ask("PATCH", path, token=ada.token, json=bad), 422, "invalid", f"#/{next(iter(bad))}"
        )
        unknown = await whole.ask("PATCH", path, token=ada.token, json={"user_id": "x"})
        assert_problem(unknown, 422, "invalid", "#/user_id")


async def test_what_cannot_be_told_before_it_is_compared_is_a_422_too(whole: Site, ada: User) -> None:
    for change in ({"preferred_providers": ["hypha"]}, {"blocked_providers": ["hypha"]}):
        reply = await whole.ask("PATCH", f"{API}/preferences", token=ada.token, json=change)
    assert_problem(reply, 422, "invalid", "#/blocked_providers")


async def test_others_see_as_much_as_the_user_lets_them(whole: Site, ada: User, bob: User) -> None:
    async def card() -> Reply:
        return await whole.ask("GET", f"{API}/profiles/{user_id}", token=bob.token)

    async def show(visibility: str) -> None:
        change = {"profile_visibility": visibility, "display_name": "Ada", "bio": "Writes programs."}
        assert (await whole.ask("PATCH", f"{API}/profile", token=ada.token, json=change)).status == 200

    user_id = (await whole.ask("GET", f"{API}/profile", token=ada.token)).json["user_id"]
    await show("public")
    assert ((await card()).json["display_name"], (await card()).json["bio"]) == ("Ada", "Writes programs.")
    await show("limited")
    assert ((await card()).json["display_name"], (await card()).json.get("bio")) == ("Ada", None)
    await show("private")
    hidden = await card()
    assert_problem(hidden, 404, "no-profile")
    nobody = await whole.ask("GET", f"{API}/profiles/{uuid4()}", token=bob.token)
    assert hidden.body == nobody.body


async def sessions_of(whole: Site, token: str) -> list[Json]:
    reply = await whole.ask("GET", f"{API}/sessions", token=token)
    assert reply.status == 200
    items: list[Json] = reply.json["items"]
    return items


async def test_sessions_are_listed_and_ended(whole: Site, ada: User) -> None:
    other = await log_in(whole, ada.email)
    mine = await sessions_of(whole, ada.token)
    assert [session["current"] for session in mine] == [False, True]
    assert (await whole.ask("GET", f"{API}/profile", token=other)).status == 200
    ended = await whole.ask("DELETE", f"{API}/sessions/{mine[0]['id']}", token=ada.token)
    assert ended.status == 204
    assert_problem(await whole.ask("GET", f"{API}/profile", token=other), 401, "bad-token")
    (left,) = await sessions_of(whole, ada.token)
    assert (left["id"], left["current"]) == (mine[1]["id"], True)
    again = await whole.ask("DELETE", f"{API}/sessions/{mine[0]['id']}", token=ada.token)
    assert again.status == 204
    assert_problem(await whole.ask("DELETE", f"{API}/sessions/made-up", token=ada.token), 404, "no-session")


@pytest.mark.parametrize("wrong", ["%2e%2e", "..%2faccounts", "a%00b", "x" * 300, "%20", "a;b", "é"])
async def test_an_id_is_no_way_to_another_path(whole: Site, ada: User, wrong: str) -> None:
    for path in ("sessions", "erasures", "profiles", "purchases", "deployments", "commands"):
        method = "DELETE" if path == "sessions" else "GET"
        reply = await whole.ask(method, f"{API}/{path}/{wrong}", token=ada.token)
        assert reply.status in (404, 405, 422), (path, reply.status, reply.body)


async def test_a_new_password_ends_all_other_sessions_at_once(whole: Site, ada: User) -> None:
    other = await log_in(whole, ada.email)
    assert (await whole.ask("GET", f"{API}/profile", token=other)).status == 200
    path = f"{API}/auth/password"
    wrong = await whole.ask("POST", path, token=ada.token, json={"old": "not the right one", "new": NEW})
    assert_problem(wrong, 403, "wrong-password")
    short = await whole.ask("POST", path, token=ada.token, json={"old": PASSWORD, "new": "short"})
    assert_problem(short, 422, "invalid", "#/new")
    changed = await whole.ask("POST", path, token=ada.token, json={"old": PASSWORD, "new": NEW})
    assert changed.status == 204
    assert_problem(await whole.ask("GET", f"{API}/profile", token=other), 401, "bad-token")
    assert (await whole.ask("GET", f"{API}/profile", token=ada.token)).status == 200
    old = await whole.ask("POST", f"{API}/auth/login", json={"email": ada.email, "password": PASSWORD})
    assert_problem(old, 401, "wrong-credentials")


async def test_too_many_wrong_passwords_have_to_wait(whole: Site, ada: User) -> None:
    async def guess() -> Reply:
        return await whole.ask("POST", f"{API}/auth/login", json={"email": ada.email, "password": "not the right one"})

    async def is_slowed_down() -> Reply | None:
        reply = await guess()
        return reply if reply.status == 429 else None

    reply = await eventually(is_slowed_down, what="a 429")
    assert reply is not None
    assert_problem(reply, 429, "too-many-failures")
    assert int(reply.headers["Retry-After"]) >= 1
    deeds: list[tuple[str, str, Json]] = [
        ("POST", "auth/password", {"old": PASSWORD, "new": NEW}),
        ("DELETE", "account", {"password": PASSWORD}),
        ("POST", "deployments/dep-1/credentials/reveal", {"password": PASSWORD}),
    ]
    for method, path, body in deeds:
        refused = await whole.ask(method, f"{API}/{path}", token=ada.token, json=body)
        assert_problem(refused, 429, "too-many-failures")
        assert int(refused.headers["Retry-After"]) >= 1


async def test_leaving_asks_for_the_password_and_is_followed_without_a_token(whole: Site) -> None:
    user = await sign_up(whole)
    other = await log_in(whole, user.email)
    assert (await whole.ask("GET", f"{API}/profile", token=other)).status == 200
    account = f"{API}/account"
    assert_problem(await whole.ask("DELETE", account, token=user.token), 422, "invalid", "#/password")
    wrong = await whole.ask("DELETE", account, token=user.token, json={"password": "not the right one"})
    assert_problem(wrong, 403, "wrong-password")
    assert (await whole.ask("GET", f"{API}/profile", token=user.token)).status == 200

    left = await whole.ask("DELETE", account, token=user.token, json={"password": PASSWORD})
    assert (left.status, left.json["state"]) == (202, "pending")
    assert left.headers["Location"] == f"{API}/erasures/{left.json['erasure_id']}"
    dead = await asyncio.gather(*(whole.ask("GET", f"{API}/profile", token=token) for token in (user.token, other)))
    assert [reply.status for reply in dead] == [401, 401]

    async def is_done() -> bool:
        reply = await whole.ask("GET", left.headers["Location"])
        assert user.email.encode() not in reply.body
        return bool(reply.status == 200 and reply.json["state"] == "completed")

    await eventually(is_done, timeout=60, what="every service is done")
    assert_problem(await whole.ask("GET", f"{API}/erasures/made-up"), 404, "no-erasure")
