"""The profile service as the gateway sees it, on a real broker and a real mongod."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from services.profile.settings import Settings
from services.profile.store import INDEXES
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.topics import IDENTITY
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from tests.servers.dashboard import PASSWORD, Reply, Site, events_until


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
    profile: Site, tokens: InternalTokens, method: str, path: str, *, user: str | None = None, json: Any = None
) -> Reply:
    return await profile.ask(method, path, token=tokens.sign("profile", user), json=json)


async def register(profile: Site, tokens: InternalTokens, email: str, **fields: str) -> Reply:
    return await call(profile, tokens, "POST", "/accounts", json={"email": email, "password": PASSWORD, **fields})


async def log_in(profile: Site, tokens: InternalTokens, email: str, password: str = PASSWORD) -> Reply:
    login = {"credentials": {"email": email, "password": password}, "user_agent": "tests/1"}
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

    document = await stored["accounts"].find_one({"_id": email})
    assert document is not None
    assert document["user_id"] == made.json["user_id"]
    assert document["password_hash"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in repr(document)
    assert document["created_at"] == told.time.replace(microsecond=told.time.microsecond // 1000 * 1000)


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
    await call(profile, tokens, "DELETE", f"/sessions/{session}", user=other)
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
    await stored["accounts"].update_one({"_id": email}, {"$set": {"password_hash": weak}})
    assert (await log_in(profile, tokens, email)).status == 201
    document = await stored["accounts"].find_one({"_id": email})
    assert document is not None
    assert "$m=19456,t=2,p=1$" in document["password_hash"]
    assert (await log_in(profile, tokens, email)).status == 201


async def test_only_the_gateways_calls_are_answered(
    profile: Site, profile_settings: Settings, tokens: InternalTokens
) -> None:
    paths = [("POST", "/accounts"), ("POST", "/sessions"), ("GET", "/sessions/x"), ("DELETE", "/sessions/x")]
    for method, path in paths:
        for token in (None, "nonsense", tokens.sign("activity", "ada@example.test")):
            assert (await profile.ask(method, path, token=token, json={})).status == 401, (method, path)
    for method, path in paths[2:]:
        assert (await call(profile, tokens, method, path)).status == 401  # for no one


async def test_sessions_are_removed_some_days_after_they_expire(profile: Site, stored: Database) -> None:
    (declared,) = (index.document for index in INDEXES["sessions"] if index.document["name"] == "expired")
    made = (await stored["sessions"].index_information())["expired"]
    assert made["expireAfterSeconds"] == declared["expireAfterSeconds"] == 7 * 24 * 3600
    assert made["key"] == [("expires_at", 1)]
    assert made["partialFilterExpression"] == {"outbox": []}
