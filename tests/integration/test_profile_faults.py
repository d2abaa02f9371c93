"""The profile service without its servers. No other one may run meanwhile: it would publish from the same outbox."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from mycelium.stack.ports import free_ports
from services.profile.domain.profile import change_profile, profile_updated
from services.profile.main import build_app
from services.profile.settings import Settings
from services.profile.store import SOURCE, UserStore
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn, UserRegistered
from shared.contracts.profile import ProfileUpdated
from shared.contracts.profiles import ProfileChange
from shared.contracts.times import microseconds
from shared.contracts.topics import IDENTITY, PROFILE
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from tests.integration.test_profile import log_in, register
from tests.servers.dashboard import Site, events_until, site
from tests.waiting import eventually

NOW = microseconds(datetime.now(UTC))


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.test"


@pytest.fixture
def tokens(profile_settings: Settings) -> InternalTokens:
    return InternalTokens(profile_settings.internal_key)


async def test_events_wait_in_the_outbox_while_kafka_is_away(
    profile_settings: Settings, tokens: InternalTokens, email: str
) -> None:
    (nothing_listens,) = free_ports(1)
    alone = profile_settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{nothing_listens}"})
    async with site(build_app(alone)) as profile:
        assert (await register(profile, tokens, email)).status == 201
        assert (await log_in(profile, tokens, email)).status == 201

        async def says_what_waits() -> bool:
            health = await profile.ask("GET", "/readyz")
            assert (health.status, health.json["checks"]["mongo"]) == (503, "ok")
            assert health.json["checks"]["kafka"] != "ok"
            return (health.json["outbox"] or 0) >= 2

        await eventually(says_what_waits, what="an account and a session wait")

    async with site(build_app(profile_settings)):
        told = await events_until(profile_settings.kafka_bootstrap_servers, IDENTITY, email, UserLoggedIn)
        assert [event.type for event in told] == ["user.registered.v1", "user.logged_in.v1"]


async def test_what_a_killed_process_had_stored_is_told_by_the_next_one(
    profile_settings: Settings, tokens: InternalTokens, email: str
) -> None:
    """It ended after the write and before the event was published; and once more before it was removed."""
    client = mongo.connect(profile_settings.mongo_url)
    users = UserStore(client["profile"])
    await users.register(make_event(UserRegistered(user_email=email), source=SOURCE), "$hash")
    changed = await users.change(
        email, "profile", lambda user: change_profile(user, ProfileChange(bio="I count."), NOW), profile_updated
    )
    assert changed is not None
    stored = await client["profile"]["users"].find_one({"_id": email})
    assert stored is not None

    kafka = profile_settings.kafka_bootstrap_servers
    for number in (1, 2):
        async with site(build_app(profile_settings)) as profile:
            told = await events_until(kafka, PROFILE, email, ProfileUpdated, number)
            assert {(e.id, e.source) for e in told} == {(told[0].id, SOURCE)}
            assert len(told) == number

            async def nothing_waits(profile: Site = profile) -> bool:
                return bool((await profile.ask("GET", "/readyz")).json["outbox"] == 0)

            await eventually(nothing_waits, what="the outbox is empty")
        await client["profile"]["users"].update_one({"_id": email}, {"$set": {"outbox": stored["outbox"]}})
    await client["profile"]["users"].delete_one({"_id": email})
    client.close()


async def test_a_database_that_is_away_is_a_503(profile_settings: Settings, tokens: InternalTokens, email: str) -> None:
    (nothing_listens,) = free_ports(1)
    url = f"mongodb://127.0.0.1:{nothing_listens}"
    async with site(build_app(profile_settings.model_copy(update={"mongo_url": url}))) as profile:
        reply = await register(profile, tokens, email)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        assert reply.json["type"] == "urn:mycelium:problem:database-unavailable"
