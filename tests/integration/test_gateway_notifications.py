"""Notifications through the gateway, from what the other services publish of themselves."""

from tests.servers.dashboard import API, PASSWORD, Json, Site, User, assert_problem, sign_up
from tests.waiting import eventually

OTHER_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"


async def notifications(whole: Site, user: User, query: str = "") -> Json:
    reply = await whole.ask("GET", f"{API}/notifications{query}", token=user.token)
    assert reply.status == 200, reply.body
    page: Json = reply.json
    return page


async def test_what_the_user_did_to_the_account_is_told_and_read(whole: Site) -> None:
    ada, bob = await sign_up(whole), await sign_up(whole)
    assert await notifications(whole, ada) == {"items": [], "next_cursor": None, "unread": 0}
    credentials = {"email": ada.email, "password": PASSWORD}
    browser = {"User-Agent": OTHER_BROWSER}
    assert (await whole.ask("POST", f"{API}/auth/login", json=credentials, headers=browser)).status == 200
    change = {"old": PASSWORD, "new": "another horse battery"}
    assert (await whole.ask("POST", f"{API}/auth/password", token=ada.token, json=change)).status == 204

    async def told() -> Json:
        page = await notifications(whole, ada)
        codes = [item["code"] for item in page["items"]]
        return page if codes == ["password_changed", "new_sign_in"] else {}

    page = await eventually(told, timeout=60, what="both are told")
    password, sign_in = page["items"]
    assert (page["unread"], sign_in["title"]) == (2, "New sign-in: Firefox")
    path = f"{API}/notifications/{sign_in['id']}/read"
    for user in (bob, ada, ada):
        reply = await whole.ask("POST", path, token=user.token)
        if user is bob:
            assert_problem(reply, 404, "not-found")
        else:
            assert (reply.status, reply.body) == (204, b"")
    left = await notifications(whole, ada, "?unread=true")
    assert ([item["id"] for item in left["items"]], left["unread"]) == ([password["id"]], 1)
    first = await notifications(whole, ada, "?limit=1")
    rest = await notifications(whole, ada, f"?limit=1&cursor={first['next_cursor']}")
    assert [first["items"][0]["id"], rest["items"][0]["id"]] == [password["id"], sign_in["id"]]
    for user, cursor in ((bob, first["next_cursor"]), (ada, "made-up")):
        reply = await whole.ask("GET", f"{API}/notifications?cursor={cursor}", token=user.token)
        assert_problem(reply, 400, "bad-cursor")
    assert_problem(await whole.ask("POST", f"{API}/notifications/{'x' * 65}/read", token=ada.token), 422, "invalid")
    assert_problem(await whole.ask("GET", f"{API}/notifications?limit=0", token=ada.token), 422, "invalid", "#/limit")
    assert (await whole.ask("POST", f"{API}/notifications/read", token=ada.token)).status == 204
    assert (await notifications(whole, ada))["unread"] == 0


async def test_a_switched_off_kind_is_neither_shown_nor_counted(whole: Site) -> None:
    ada = await sign_up(whole)
    change = {"old": PASSWORD, "new": "another horse battery"}
    assert (await whole.ask("POST", f"{API}/auth/password", token=ada.token, json=change)).status == 204

    async def unread(number: int) -> bool:
        page = await notifications(whole, ada)
        return bool(page["unread"] == len(page["items"]) == number)

    await eventually(lambda: unread(1), what="it is told")
    for wanted in (False, True):
        body = {"security_alerts": wanted}
        assert (await whole.ask("PATCH", f"{API}/preferences", token=ada.token, json=body)).status == 200
        await eventually(lambda number=int(wanted): unread(number), what=f"security_alerts {wanted}")  # type: ignore[misc]


async def test_nobody_reads_without_a_token(whole: Site) -> None:
    for method, path in (("GET", ""), ("POST", "/read"), ("POST", f"/{'0' * 32}/read")):
        assert (await whole.ask(method, f"{API}/notifications{path}")).status == 401
