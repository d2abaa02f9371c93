"""Leaving, as the gateway and the other services see it: asked of the profile service, and completed by receipts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from services.profile.erasures import INDEXES, Erasures
from services.profile.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.envelope import Event
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.privacy import ErasureCompleted
from shared.contracts.topics import IDENTITY, RECEIPTS, SERVICES
from shared.plumbing import mongo
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from shared.plumbing.publish import Publisher
from tests.servers.dashboard import PASSWORD, Reply, Site, events_until
from tests.servers.running import publishing
from tests.servers.traces import is_read, traces_in_databases
from tests.waiting import eventually

T = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.test"


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(profile_settings: Settings) -> AsyncIterator[Publisher]:
    async with publishing(profile_settings) as publisher:
        yield publisher


class Caller:
    """The gateway, which asks on somebody's behalf."""

    def __init__(self, profile: Site, tokens: InternalTokens) -> None:
        self._profile, self._tokens = profile, tokens

    async def ask(self, method: str, path: str, user: str | None = None, **how: Any) -> Reply:  # Any: aiohttp's
        return await self._profile.ask(method, path, token=self._tokens.sign("profile", user), **how)

    async def join(self, email: str) -> str:
        """Registers and signs in; the session."""
        credentials = {"email": email, "password": PASSWORD}
        made = await self.ask("POST", "/accounts", json=credentials)
        assert made.status == 201, made.body
        opened = await self.ask("POST", "/sessions", json={"credentials": credentials})
        assert opened.status == 201, opened.body
        session: str = opened.json["session_id"]
        return session

    async def leave(self, email: str) -> Any:  # Any: JSON
        left = await self.ask("POST", "/erasures", email, json={"password": PASSWORD})
        assert left.status == 202, left.body
        return left.json

    async def state(self, erasure_id: str) -> Any:  # Any: JSON
        known = await self.ask("GET", f"/erasures/{erasure_id}")
        assert known.status == 200, known.body
        return known.json


@pytest.fixture
def gateway(profile: Site, profile_settings: Settings) -> Caller:
    return Caller(profile, InternalTokens(profile_settings.internal_key))


def receipt(erasure_id: str, service: str, minutes: float = 0) -> Event[ErasureCompleted]:
    data = ErasureCompleted(erasure_id=erasure_id, service=service)
    return make_event(data, source=f"/mycelium/{service}", time=T + timedelta(minutes=minutes))


async def test_leaving_ends_everything_at_once_and_is_completed_when_all_have_answered(
    gateway: Caller, publisher: Publisher, profile_settings: Settings, email: str
) -> None:
    session = await gateway.join(email)
    erasure = await gateway.leave(email)
    assert (erasure["state"], erasure["completed_at"], set(erasure["services"])) == ("pending", None, set(SERVICES))
    assert (await gateway.ask("GET", f"/sessions/{session}", email)).status == 404
    again = await gateway.ask("POST", "/sessions", json={"credentials": {"email": email, "password": PASSWORD}})
    assert again.status == 403

    told = await events_until(profile_settings.kafka_bootstrap_servers, IDENTITY, email, UserErased)
    (erased,) = [event for event in told if isinstance(event.data, UserErased)]
    assert isinstance(erased.data, UserErased)
    assert erased.data.erasure_id == erasure["erasure_id"]

    for service in set(SERVICES) - {"profile"}:
        await publisher.event(RECEIPTS, receipt(erasure["erasure_id"], service))

    async def completed() -> bool:
        return bool((await gateway.state(erasure["erasure_id"]))["state"] == "completed")

    await eventually(completed, timeout=60)
    done = await gateway.state(erasure["erasure_id"])
    assert all(done["services"].values())
    assert done["completed_at"] == max(done["services"].values())
    await eventually(partial(is_forgotten, profile_settings.mongo_url, email), timeout=60)


async def is_forgotten(mongo_url: str, email: str) -> bool:
    """What was published leaves the outbox a moment later."""
    assert await traces_in_databases(mongo_url, ["profile"], [email.partition("@")[0]]) == []
    return True


async def test_a_wrong_password_erases_nobody(gateway: Caller, email: str) -> None:
    session = await gateway.join(email)
    assert (await gateway.ask("POST", "/erasures", email, json={"password": "not the right one"})).status == 403
    assert (await gateway.ask("GET", f"/sessions/{session}", email)).status == 204


async def test_an_erasure_is_known_by_its_id_alone(gateway: Caller) -> None:
    assert (await gateway.ask("GET", "/erasures/nobody-was-told-this")).status == 404


async def test_who_registers_anew_stays_whatever_is_told_again(
    gateway: Caller, publisher: Publisher, profile_settings: Settings, email: str
) -> None:
    await gateway.join(email)
    await gateway.leave(email)
    kafka = profile_settings.kafka_bootstrap_servers
    old = await events_until(kafka, IDENTITY, email, UserErased)

    async def joined() -> bool:
        credentials = {"email": email, "password": PASSWORD}
        reply = await gateway.ask("POST", "/accounts", json=credentials)
        assert reply.status in (201, 409), reply.body
        return reply.status == 201

    await eventually(joined, timeout=60, what="the earlier account is erased")
    told = await events_until(kafka, IDENTITY, email, UserRegistered, 2)
    assert [event.type for event in told if isinstance(event.data, UserErased | UserRegistered)] == [
        "user.registered.v1",
        "user.erased.v1",
        "user.registered.v1",
    ]
    session = await gateway.ask("POST", "/sessions", json={"credentials": {"email": email, "password": PASSWORD}})
    for event in old:
        await publisher.event(IDENTITY, event)
    await eventually(lambda: is_read(kafka, "profile", [IDENTITY]), timeout=60, what="it was told again")
    assert (await gateway.ask("GET", f"/sessions/{session.json['session_id']}", email)).status == 204
    assert (await gateway.ask("GET", "/profile", email)).status == 200


async def answered(gateway: Caller, erasure_id: str) -> bool:
    return (await gateway.ask("GET", f"/erasures/{erasure_id}")).status == 200


async def test_an_outside_providers_erasure_is_carried_out_and_can_be_followed(
    gateway: Caller, publisher: Publisher, profile_settings: Settings, email: str
) -> None:
    session = await gateway.join(email)
    erased = make_event(UserErased(user_email=email, reason="asked for there"), source="/idp")
    await publisher.event(IDENTITY, erased)
    await eventually(lambda: answered(gateway, erased.id), timeout=60)
    state = await gateway.state(erased.id)
    assert (state["state"], state["requested_at"]) == ("pending", state["services"]["profile"])
    assert (await gateway.ask("GET", f"/sessions/{session}", email)).status == 404
    await eventually(partial(is_forgotten, profile_settings.mongo_url, email), timeout=60)


async def test_receipts_in_any_order_and_any_number_come_to_the_same(
    database: Database, profile_settings: Settings, publisher: Publisher
) -> None:
    await mongo.ensure_indexes(database, INDEXES)

    async def nothing(_users: object) -> int:
        return 0

    erasures = Erasures(database, Erasure("profile", profile_settings, database, publisher, nothing))
    given = [("activity", 1), ("purchases", 3), ("profile", 2), ("analytics", 2), ("purchases", 5)]
    found = []
    for number, order in enumerate(permutations(given)):
        await asyncio.gather(
            erasures.fold([receipt(f"e{number}", *each) for each in order[:3]]),
            erasures.fold([receipt(f"e{number}", *each) for each in (*order[2:], ("unheard-of", 9))]),
        )
        known = await erasures.of(f"e{number}")
        assert known is not None
        found.append({**known, "erasure_id": ""})
    assert all(known == found[0] for known in found)
    assert found[0]["completed_at"] == T + timedelta(minutes=3)
    (index,) = [index for index in INDEXES["erasures"] if index.document["name"] == "kept"]
    assert index.document["expireAfterSeconds"] == 90 * 86_400
