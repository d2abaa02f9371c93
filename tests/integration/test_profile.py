"""Accounts, passwords and sessions as the gateway sees them, on a real broker and a real mongod."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from pydantic import SecretStr

from services.profile.domain.sessions import Session
from services.profile.guard import Guard
from services.profile.passwords import Passwords
from services.profile.session_store import INDEXES, SessionStore
from services.profile.settings import Settings
from services.profile.store import UserStore
from services.profile.throttling import Throttle
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.profile import ProfileUpdated
from shared.contracts.times import microseconds
from shared.contracts.topics import IDENTITY, PROFILE
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from shared.plumbing.problems import ProblemError
from tests.servers.dashboard import PASSWORD, Reply, Site, assert_problem, events_until
from tests.waiting import eventually


@pytest_asyncio.fixture(loop_scope="session")
async def stored(profile_settings: Settings) -> AsyncIterator[Database]:
    client = mongo.connect(profile_settings.mongo_url)
    yield client["profile"]
    client.close()


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.test"


@pytest.fixture
def tokens(profile_settings: Settings) -> InternalTokens:
    return InternalTokens(profile_settings.internal_key)


async def call(
    profile: Site,
    tokens: InternalTokens,
    method: str,
    path: str,
    *,
    user: str | None = None,
    json: Any = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Reply:
    return await profile.ask(method, path, token=tokens.sign("profile", user), json=json, headers=headers)


async def register(profile: Site, tokens: InternalTokens, email: str, **fields: str) -> Reply:
    return await call(profile, tokens, "POST", "/accounts", json={"email": email, "password": PASSWORD} | fields)


async def log_in(
    profile: Site, tokens: InternalTokens, email: str, password: str = PASSWORD, address: str | None = None
) -> Reply:
    login = {"credentials": {"email": email, "password": password}, "user_agent": "tests/1", "address": address}
    return await call(profile, tokens, "POST", "/sessions", json=login)


async def test_an_account_is_told_of_and_keeps_no_password(
    profile: Site, tokens: InternalTokens, stored: Database, client_settings: dict[str, str], email: str
) -> None:
    made = await register(
        profile, tokens, f"  {email.upper()} ", display_name="Ada", country="SE", timezone="Asia/Tokyo"
    )
    assert made.status == 201
    assert made.json["email"] == email

    (told,) = await events_until(client_settings["kafka_bootstrap_servers"], IDENTITY, email, UserRegistered)
    assert told.source == "/mycelium/profile"
    assert told.data == UserRegistered(user_email=email, display_name="Ada", country="SE", timezone="Asia/Tokyo")

    document = await stored["users"].find_one({"_id": email})
    assert document is not None
    assert document["user_id"] == made.json["user_id"]
    assert document["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in repr(document)
    assert document["created_at"] == microseconds(told.time)


async def test_an_email_has_one_account_however_many_ask_at_once(
    profile: Site, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    asked = await asyncio.gather(*(register(profile, tokens, email) for _ in range(8)))
    assert sorted(reply.status for reply in asked) == [201] + [409] * 7
    assert {r.json["type"] for r in asked if r.status == 409} == {"urn:mycelium:problem:email-taken"}

    await log_in(profile, tokens, email)
    told = await events_until(client_settings["kafka_bootstrap_servers"], IDENTITY, email, UserLoggedIn)
    assert [event.type for event in told] == ["user.registered.v1", "user.logged_in.v1"]


async def test_a_session_lives_from_login_to_logout(
    profile: Site, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    await register(profile, tokens, email)
    opened = await log_in(profile, tokens, email)
    assert opened.status == 201
    session = opened.json["session_id"]
    lifetime = datetime.fromisoformat(opened.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11.9) < lifetime <= timedelta(hours=12)

    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 204
    ends = [await call(profile, tokens, "DELETE", f"/sessions/{session}", user=email) for _ in range(2)]
    assert [end.status for end in ends] == [204, 204]
    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 404

    await log_in(profile, tokens, email)
    kafka = client_settings["kafka_bootstrap_servers"]
    told = await events_until(kafka, IDENTITY, email, UserLoggedOut)
    assert [event.type for event in told[:3]] == ["user.registered.v1", "user.logged_in.v1", "user.logged_out.v1"]
    assert told[1].data == UserLoggedIn(user_email=email, session_id=session, user_agent="tests/1")
    assert told[2].data == UserLoggedOut(user_email=email, session_id=session)


async def test_a_session_is_its_users_only(profile: Site, tokens: InternalTokens, email: str) -> None:
    await register(profile, tokens, email)
    session = (await log_in(profile, tokens, email)).json["session_id"]
    other = f"other-{email}"
    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=other)).status == 404
    assert (await call(profile, tokens, "DELETE", f"/sessions/{session}", user=other)).status == 404
    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 204


async def test_an_expired_session_is_dead(profile: Site, tokens: InternalTokens, stored: Database, email: str) -> None:
    await register(profile, tokens, email)
    session = (await log_in(profile, tokens, email)).json["session_id"]
    await stored["sessions"].update_one({"_id": session}, {"$set": {"expires_at": datetime.now(UTC)}})
    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 404


async def test_a_wrong_password_and_an_unknown_email_look_the_same(
    profile: Site, tokens: InternalTokens, email: str
) -> None:
    await register(profile, tokens, email)

    async def fails(who: str) -> tuple[Reply, float]:
        before = time.process_time()  # the service runs in this process; by the clock, others would be measured too
        reply = await log_in(profile, tokens, who, "wrong password")
        return reply, time.process_time() - before

    pairs = [(await fails(email), await fails(f"nobody-{email}")) for _ in range(5)]
    assert {(reply.status, reply.body) for pair in pairs for reply, _ in pair} == {(403, pairs[0][0][0].body)}
    wrong, unknown = (min(pair[which][1] for pair in pairs) for which in (0, 1))
    assert 0.4 < unknown / wrong < 2.5  # without the dummy hash it is below 0.1


async def test_a_hash_with_other_parameters_is_replaced_at_login(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    weak = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    await stored["users"].update_one({"_id": email}, {"$set": {"password_hash": weak}})
    assert (await log_in(profile, tokens, email)).status == 201
    document = await stored["users"].find_one({"_id": email})
    assert document is not None
    assert "$m=19456,t=2,p=1$" in document["password_hash"]
    assert (await log_in(profile, tokens, email)).status == 201


async def test_only_the_gateways_calls_are_answered(
    profile: Site, profile_settings: Settings, tokens: InternalTokens
) -> None:
    paths = [
        ("POST", "/accounts"),
        ("POST", "/sessions"),
        ("GET", "/sessions"),
        ("GET", "/sessions/x"),
        ("PUT", "/sessions/x"),
        ("DELETE", "/sessions/x"),
        ("POST", "/password"),
        ("POST", "/password-checks"),
        ("GET", "/profile"),
        ("PATCH", "/profile"),
        ("GET", "/preferences"),
        ("PATCH", "/preferences"),
        ("GET", "/profiles/x"),
        ("POST", "/exports"),
        ("POST", "/imports/done"),
    ]
    for method, path in paths:
        for token in (None, "nonsense", tokens.sign("activity", "ada@example.test")):
            assert (await profile.ask(method, path, token=token, json={})).status == 401, (method, path)
    for method, path in paths[2:]:
        assert (await call(profile, tokens, method, path, json={})).status == 401  # for no one


async def test_sessions_are_removed_some_days_after_they_expire(profile: Site, stored: Database) -> None:
    (declared,) = (index.document for index in INDEXES["sessions"] if index.document["name"] == "expired")
    made = (await stored["sessions"].index_information())["expired"]
    assert made["expireAfterSeconds"] == declared["expireAfterSeconds"] == 7 * 24 * 3600
    assert made["key"] == [("expires_at", 1)]
    assert made["partialFilterExpression"] == {"outbox": []}


async def test_the_sessions_are_listed_and_each_can_be_ended(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    first, second, third = [(await log_in(profile, tokens, email)).json["session_id"] for _ in range(3)]
    await stored["sessions"].update_one({"_id": second}, {"$set": {"expires_at": datetime.now(UTC)}})
    listed = (await call(profile, tokens, "GET", "/sessions", user=email)).json["items"]
    assert [item["id"] for item in listed] == [third, first]
    assert listed[0].keys() == {"id", "user_agent", "opened_at", "last_seen_at", "expires_at"}
    assert listed[0]["user_agent"] == "tests/1"
    assert listed[0]["opened_at"].endswith("Z")

    await call(profile, tokens, "DELETE", f"/sessions/{third}", user=email)
    listed = (await call(profile, tokens, "GET", "/sessions", user=email)).json["items"]
    assert [item["id"] for item in listed] == [first]
    assert (await call(profile, tokens, "GET", "/sessions", user=f"other-{email}")).json == {"items": []}
    assert (await call(profile, tokens, "DELETE", "/sessions/unknown", user=email)).status == 404


async def test_it_is_noted_every_few_minutes_that_a_session_was_seen(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    session = (await log_in(profile, tokens, email)).json["session_id"]

    async def moved_by_a_check_when_last_seen(minutes: int) -> timedelta:
        before = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes)
        await stored["sessions"].update_one({"_id": session}, {"$set": {"last_seen_at": before}})
        assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 204
        document = await stored["sessions"].find_one({"_id": session})
        assert document is not None
        seen: datetime = document["last_seen_at"]
        return seen - before

    assert await moved_by_a_check_when_last_seen(4) == timedelta(0)
    assert await moved_by_a_check_when_last_seen(6) >= timedelta(minutes=6)


async def test_a_new_password_ends_the_other_sessions_and_is_told(
    profile: Site, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    await register(profile, tokens, email)
    mine, other, third = [(await log_in(profile, tokens, email)).json["session_id"] for _ in range(3)]
    change = {"old": PASSWORD, "new": "a new password", "session_id": mine}
    wrong = await call(profile, tokens, "POST", "/password", user=email, json=change | {"old": "wrong"})
    assert_problem(wrong, 403, "wrong-credentials")
    assert (await call(profile, tokens, "POST", "/password", user=email, json=change)).status == 204

    alive = [
        (await call(profile, tokens, "GET", f"/sessions/{each}", user=email)).status for each in (mine, other, third)
    ]
    assert alive == [204, 404, 404]
    assert (await log_in(profile, tokens, email)).status == 403
    assert (await log_in(profile, tokens, email, "a new password")).status == 201

    kafka = client_settings["kafka_bootstrap_servers"]
    (told,) = await events_until(kafka, PROFILE, email, ProfileUpdated)
    assert told.data == ProfileUpdated(user_email=email, changed=["password"])
    ended = await events_until(kafka, IDENTITY, email, UserLoggedOut, 2)
    assert {e.data.session_id for e in ended if isinstance(e.data, UserLoggedOut)} == {other, third}


async def test_sessions_that_a_killed_process_left_open_are_ended_later(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    mine, other = [(await log_in(profile, tokens, email)).json["session_id"] for _ in range(2)]
    users = UserStore(stored)
    known = await users.password_hash(email)
    assert known is not None
    assert await users.change_password(email, known, "$hash", mine, datetime.now(UTC))

    async def other_has_ended() -> bool:
        return (await call(profile, tokens, "GET", f"/sessions/{other}", user=email)).status == 404

    await eventually(other_has_ended, timeout=60, what="the job ends the session")
    assert (await call(profile, tokens, "GET", f"/sessions/{mine}", user=email)).status == 204

    async def nothing_is_left_to_do() -> bool:
        return email not in [leaving.email for leaving in await users.leaving()]

    await eventually(nothing_is_left_to_do, what="it is noted that the sessions have ended")


async def test_of_two_changes_of_a_password_at_once_one_is_made(
    profile: Site, tokens: InternalTokens, email: str
) -> None:
    await register(profile, tokens, email)
    changes = [{"old": PASSWORD, "new": f"new password {i}", "session_id": "none"} for i in range(2)]
    replies = await asyncio.gather(
        *(call(profile, tokens, "POST", "/password", user=email, json=change) for change in changes)
    )
    assert sorted(reply.status for reply in replies) == [204, 403]
    for change, reply in zip(changes, replies, strict=True):
        assert (await log_in(profile, tokens, email, change["new"])).status == (201 if reply.status == 204 else 403)


async def test_an_account_without_a_password_can_be_claimed(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    provided = UserRegistered(user_email=email, display_name="Ada", country="SE")
    await UserStore(stored).register(make_event(provided, source="/id"), None)
    assert (await log_in(profile, tokens, email)).status == 403
    claimed = await register(profile, tokens, email, display_name="Ada L.")
    assert claimed.status == 201
    shown = (await call(profile, tokens, "GET", "/profile", user=email)).json
    assert (shown["user_id"], shown["display_name"], shown["country"]) == (claimed.json["user_id"], "Ada L.", "SE")
    assert (await log_in(profile, tokens, email)).status == 201
    assert_problem(await register(profile, tokens, email), 409, "email-taken")


async def test_what_is_registered_is_checked(profile: Site, tokens: InternalTokens, email: str) -> None:
    for field, value in {"timezone": "Mars/Olympus", "country": "Sweden", "display_name": "x" * 101}.items():
        assert_problem(await register(profile, tokens, email, **{field: value}), 422, "invalid", f"#/{field}")
    assert_problem(await register(profile, tokens, email, password="\ud800" * 9), 422, "invalid", "#/password")
    assert (await register(profile, tokens, email, timezone="", country="", display_name="")).status == 201


async def test_after_too_many_wrong_passwords_an_account_waits_known_or_not(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    for who in (email, f"nobody-{email}"):
        known = await stored["failures"].distinct("_id")
        tries = [await log_in(profile, tokens, who, "wrong password") for _ in range(6)]
        assert [reply.status for reply in tries] == [403] * 6
        (count,) = await stored["failures"].find({"_id": {"$nin": known}}).to_list(None)
        assert (set(count), count["failures"]) == ({"_id", "failures", "last_at"}, 6)
        assert await stored["failures"].find_one({"_id": {"$regex": "@"}}) is None

        await stored["failures"].update_one({"_id": count["_id"]}, {"$set": {"failures": 15}})
        asked = [
            await log_in(profile, tokens, who, "wrong password"),
            await log_in(profile, tokens, who),
            await call(profile, tokens, "POST", "/password-checks", user=who, json={"password": PASSWORD}),
            await call(profile, tokens, "POST", "/password", user=who, json=_change()),
        ]
        for refused in asked:
            assert_problem(refused, 429, "too-many-failures")
            assert 400 < int(refused.headers["Retry-After"]) <= 512

        over = datetime.now(UTC) - timedelta(seconds=513)
        await stored["failures"].update_one({"_id": count["_id"]}, {"$set": {"last_at": over}})
        assert (await log_in(profile, tokens, who)).status == (201 if who == email else 403)
        left = await stored["failures"].find_one({"_id": count["_id"]})
        assert left is None if who == email else left is not None and left["failures"] == 16


async def test_wrong_passwords_at_once_are_no_way_around(profile: Site, tokens: InternalTokens, email: str) -> None:
    await register(profile, tokens, email)
    replies = await asyncio.gather(*(log_in(profile, tokens, email, "wrong password") for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [403] * 6 + [429] * 14


async def test_an_address_waits_whatever_the_emails_and_a_right_password_does_not_clear_it(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    await register(profile, tokens, email)
    address, passwords = uuid4().hex, Passwords()
    guard = Guard(UserStore(stored), passwords, Throttle(stored, free_per_address=3))

    async def outcome(who: str, password: str, address: str) -> int:
        try:
            await guard.check(who, SecretStr(password), address)
        except ProblemError as problem:
            return problem.status
        return 200

    wrong = [await outcome(f"{number}-{email}", "wrong password", address) for number in range(3)]
    assert [*wrong, await outcome(email, PASSWORD, address)] == [403] * 3 + [200]
    assert await outcome(f"3-{email}", "wrong password", address) == 403
    assert await outcome(email, PASSWORD, address) == 429
    assert await outcome(email, PASSWORD, uuid4().hex) == 200
    assert address not in repr(await stored["failures"].find().to_list(None))
    await passwords.close()


async def test_the_address_of_a_login_counts(
    profile: Site, tokens: InternalTokens, stored: Database, email: str
) -> None:
    before = await stored["failures"].count_documents({})
    assert (await log_in(profile, tokens, email, "wrong password", uuid4().hex)).status == 403
    assert await stored["failures"].count_documents({}) == before + 2


class Overrun(Passwords):
    """Too many wait already."""

    async def is_right(self, password: SecretStr, hash: str | None) -> bool:  # noqa: ARG002
        raise ProblemError(503, "busy", "Too many logins at once; try again.")


async def test_whoever_comes_while_too_many_wait_has_no_failure(stored: Database, email: str) -> None:
    passwords = Overrun()
    guard = Guard(UserStore(stored), passwords, Throttle(stored, 50))
    for _ in range(8):
        with pytest.raises(ProblemError) as busy:
            await guard.check(email, SecretStr("any"))
        assert busy.value.status == 503
    await passwords.close()


async def test_an_outside_session_is_made_known_once_with_its_user(
    profile: Site, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    session = uuid4().hex
    body = {"expires_at": (datetime.now(UTC) + timedelta(hours=1)).isoformat(), "user_agent": "tests/1"}

    async def put(user: str = email) -> int:
        return (await call(profile, tokens, "PUT", f"/sessions/{session}", user=user, json=body)).status

    assert await asyncio.gather(*(put() for _ in range(5))) == [204] * 5
    assert (await call(profile, tokens, "GET", f"/sessions/{session}", user=email)).status == 204
    assert (await call(profile, tokens, "GET", "/profile", user=email)).status == 200
    assert await put(f"other-{email}") == 404
    assert (await call(profile, tokens, "DELETE", f"/sessions/{session}", user=email)).status == 204
    assert await put() == 404
    told = await events_until(client_settings["kafka_bootstrap_servers"], IDENTITY, email, UserLoggedOut)
    assert [e.type for e in told] == ["user.registered.v1", "user.logged_in.v1", "user.logged_out.v1"]
    assert told[0].time <= told[1].time

    past = body | {"expires_at": datetime.now(UTC).isoformat()}
    assert (await call(profile, tokens, "PUT", "/sessions/past", user=email, json=past)).status == 404


async def test_an_outside_session_is_seen_and_lasts_as_long_as_its_newest_token(stored: Database, email: str) -> None:
    sessions, now = SessionStore(stored), datetime.now(UTC).replace(microsecond=0)
    first = Session(uuid4().hex, email, None, now, now + timedelta(hours=1))
    later = replace(first, opened_at=now + timedelta(minutes=6), expires_at=now + timedelta(hours=2))
    for session in (first, later, first):
        assert await sessions.make_known(session)
    (listed,) = await sessions.of(email, now)
    assert (listed.opened_at, listed.last_seen_at, listed.expires_at) == (now, later.opened_at, later.expires_at)


async def test_a_session_that_was_opened_while_the_password_was_changed_is_dropped(
    profile: Site, tokens: InternalTokens, stored: Database, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(profile, tokens, email)
    users, add = UserStore(stored), SessionStore.add

    async def add_as_the_password_changes(sessions: SessionStore, session: Session) -> None:
        known = await users.password_hash(email)
        assert known is not None
        assert await users.change_password(email, known, "$hash", "none", datetime.now(UTC) - timedelta(hours=1))
        await add(sessions, session)

    monkeypatch.setattr(SessionStore, "add", add_as_the_password_changes)
    assert_problem(await log_in(profile, tokens, email), 403, "wrong-credentials")
    assert await stored["sessions"].count_documents({"user": email}) == 0


async def test_an_erased_users_sessions_hold_nothing_and_stay_ended(stored: Database, email: str) -> None:
    now = datetime.now(UTC)
    sessions = SessionStore(stored)
    session = Session(uuid4().hex, email, "tests/1", now, now + timedelta(hours=1))
    assert await sessions.make_known(session)
    assert await sessions.erase({email}, now) == 1
    assert await sessions.erase({email}, now) == 0
    document = await stored["sessions"].find_one({"_id": session.id})
    assert document is not None
    assert document.keys() == {"_id", "user", "ended_at", "expires_at", "outbox"}
    assert (document["user"], document["outbox"]) == (None, [])
    assert await sessions.is_closed(email, session.id)
    assert not await sessions.make_known(session)


def _change() -> dict[str, str]:
    return {"old": PASSWORD, "new": "a new password", "session_id": "none"}
