"""A gateway whose accounts are an outside issuer's."""

import time
from uuid import uuid4

from tests.servers.dashboard import API, PASSWORD, Json, Site, activities, assert_problem
from tests.servers.dashboard import User as SignedIn
from tests.servers.issuer import IssuerServer, ec_key
from tests.waiting import eventually


def new_user(issuer: IssuerServer, **claims: object) -> SignedIn:
    email = f"{uuid4().hex}@example.test"
    return SignedIn(email, issuer.token(email, claims))


async def test_a_token_of_the_issuer_makes_its_user_known(outside: Site, issuer: IssuerServer) -> None:
    user = new_user(issuer)
    profile = await outside.ask("GET", f"{API}/profile", token=user.token, headers={"User-Agent": "tests/1"})
    assert (profile.status, profile.json["user_email"]) == (200, user.email)
    (session,) = (await outside.ask("GET", f"{API}/sessions", token=user.token)).json["items"]
    assert (session["current"], session["user_agent"]) == (True, "tests/1")
    (login,) = await eventually(lambda: activities(outside, user, "?type=login"), what="the login is an activity")
    assert login["user_email"] == user.email


async def test_what_follows_within_a_session_is_the_same_session(outside: Site, issuer: IssuerServer) -> None:
    user = new_user(issuer, sid="s-1")
    renewed = issuer.token(user.email, {"sid": "s-1"}, key=issuer.ec)
    other = issuer.token(user.email, {"sid": "s-2"})
    for token in (user.token, renewed, other):
        assert (await outside.ask("GET", f"{API}/profile", token=token)).status == 200
    assert len((await outside.ask("GET", f"{API}/sessions", token=renewed)).json["items"]) == 2
    assert (await outside.ask("POST", f"{API}/auth/logout", token=user.token)).status == 204
    dead = [await outside.ask("GET", f"{API}/profile", token=token) for token in (user.token, renewed)]
    assert [reply.status for reply in dead] == [401, 401]
    assert (await outside.ask("GET", f"{API}/profile", token=other)).status == 200


async def test_a_token_that_is_checked_again_changes_nothing(outside: Site, issuer: IssuerServer) -> None:
    email = f"{uuid4().hex}@example.test"
    seen: list[Json] = []

    async def is_as_it_was() -> bool:
        """With a new token of the session, about which the profile service is asked."""
        token = issuer.token(email, {"sid": "s-1", "jti": uuid4().hex})
        seen.append((await outside.ask("GET", f"{API}/overview", token=token)).json["sections"])
        return seen[-1]["profile"]["state"] == "fresh" and seen[-2:-1] == seen[-1:]

    await eventually(is_as_it_was, what="the overview is the one that is kept")


async def test_accounts_are_elsewhere(outside: Site, issuer: IssuerServer) -> None:
    user = new_user(issuer)
    credentials = {"email": user.email, "password": PASSWORD}
    bodies: list[tuple[str, Json]] = [
        ("register", credentials),
        ("login", credentials),
        ("password", {"old": PASSWORD, "new": "another correct horse"}),
    ]
    for path, body in bodies:
        reply = await outside.ask("POST", f"{API}/auth/{path}", token=user.token, json=body)
        assert_problem(reply, 404, "accounts-elsewhere")


async def test_a_fresh_sign_in_takes_the_passwords_place(outside: Site, issuer: IssuerServer) -> None:
    now = int(time.time())
    deeds = (("DELETE", "account"), ("POST", "deployments/dep-1/credentials/reveal"))
    stale: list[dict[str, object]] = [
        {"auth_time": now - 310},
        {"auth_time": None},
        {"auth_time": now + 3_600},
        {"auth_time": "now"},
        {"auth_time": True},
    ]
    for claims in stale:
        user = new_user(issuer, **claims)
        for method, path in deeds:
            for body in ({}, {"json": {"password": PASSWORD}}):
                reply = await outside.ask(method, f"{API}/{path}", token=user.token, **body)
                assert_problem(reply, 403, "sign-in-again")
    user = new_user(issuer, auth_time=now - 200)
    unknown = await outside.ask("POST", f"{API}/deployments/dep-1/credentials/reveal", token=user.token)
    assert_problem(unknown, 404, "not-found")
    left = await outside.ask("DELETE", f"{API}/account", token=user.token)
    assert left.status == 202
    assert (await outside.ask("GET", f"{API}/profile", token=user.token)).status == 401
    assert (await outside.ask("GET", left.headers["Location"])).status == 200


async def test_known_keys_go_on_and_unknown_ones_wait_for_the_issuer(outside: Site, issuer: IssuerServer) -> None:
    new = ec_key("ec-new")
    user = new_user(issuer)
    await issuer.stop()
    try:

        async def waits() -> bool:
            reply = await outside.ask("GET", f"{API}/profile", token=issuer.token(user.email, key=new))
            return reply.status == 503 and reply.json["type"].endswith("issuer-unavailable")

        await eventually(waits, what="the issuer is away")
        assert (await outside.ask("GET", f"{API}/profile", token=user.token)).status == 200
        issuer.publish(issuer.rsa, issuer.ec, new)
    finally:
        await issuer.start()

    async def is_known() -> bool:
        return (await outside.ask("GET", f"{API}/profile", token=issuer.token(user.email, key=new))).status == 200

    await eventually(is_known, what="the new key is known")
