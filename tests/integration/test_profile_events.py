"""What the topics make of users, on a real broker and a real mongod."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest_asyncio

from services.profile.domain.preferences import preferences_of
from services.profile.domain.profile import profile_of
from services.profile.settings import Settings
from services.profile.store import INDEXES, UserStore
from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import IDENTITY, LEGACY, PROFILE, UPDATES, dead_letters
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database, ensure_indexes
from shared.plumbing.publish import Publisher
from tests.integration.test_profile import call, email, log_in, register, tokens
from tests.servers.dashboard import Reply, Site, events_until
from tests.servers.running import arrived, publishing
from tests.waiting import eventually

__all__ = ["email", "tokens"]
NOW = datetime.now(UTC)


@pytest_asyncio.fixture(loop_scope="session")
async def publisher(profile_settings: Settings) -> AsyncIterator[Publisher]:
    async with publishing(profile_settings) as publisher:
        yield publisher


def registered(email: str, minutes: int = 0, **fields: str) -> AnyEvent:
    time = NOW + timedelta(minutes=minutes)
    return make_event(UserRegistered(user_email=email, **fields), source="/id", time=time)


def found(email: str, minutes: int = 0, **preferences: Any) -> AnyEvent:
    data = LegacyPreferencesFound(user_email=email, preferences=preferences)
    return make_event(data, source="/legacy", time=NOW + timedelta(minutes=minutes))


async def shown(profile: Site, tokens: InternalTokens, email: str, part: str = "profile") -> Reply:
    async def there() -> Reply:
        reply = await call(profile, tokens, "GET", f"/{part}", user=email)
        assert reply.status == 200
        return reply

    return await eventually(there, what=f"a {part}")


async def test_a_registration_elsewhere_makes_the_profile(
    profile: Site, publisher: Publisher, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    event = registered(email, display_name="Ada", country="SE", timezone="Nowhere/Land", language="sv")
    await publisher.event(IDENTITY, event)
    reply = await shown(profile, tokens, email)
    assert (reply.json["display_name"], reply.json["country"], reply.json["timezone"]) == ("Ada", "SE", "UTC")
    assert datetime.fromisoformat(reply.json["created_at"]) == event.time
    assert (await shown(profile, tokens, email, "preferences")).json["language"] == "sv"
    assert (await log_in(profile, tokens, email)).status == 403
    kafka = client_settings["kafka_bootstrap_servers"]
    for section in (b'"section":"profile"', b'"section":"preferences"'):
        await arrived(kafka, UPDATES.name, lambda r, s=section: r.key == email.encode() and s in r.value)  # type: ignore[misc]


async def test_a_record_that_is_no_event_is_put_aside(
    profile: Site, publisher: Publisher, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    await publisher.records([(IDENTITY.name, email.encode(), b"nonsense", ())])
    await publisher.event(IDENTITY, registered(email))
    await shown(profile, tokens, email)
    kafka = client_settings["kafka_bootstrap_servers"]
    await arrived(kafka, dead_letters("profile").name, lambda r: r.key == email.encode())


async def test_old_preferences_count_until_the_user_chooses_and_consents_of_them_are_told(
    profile: Site, publisher: Publisher, tokens: InternalTokens, client_settings: dict[str, str], email: str
) -> None:
    await register(profile, tokens, email)
    chosen = await call(profile, tokens, "PATCH", "/preferences", user=email, json={"theme": "light"})
    assert chosen.status == 200
    old = found(email, theme="dark", items_per_page=20, language=7, activity_tracking=False)
    for event in (old, old):
        await publisher.event(LEGACY, event)

    async def counts() -> dict[str, Any]:
        preferences: dict[str, Any] = (await shown(profile, tokens, email, "preferences")).json
        assert preferences["items_per_page"] == 20
        return preferences

    preferences = await eventually(counts, what="the old preferences")
    assert (preferences["theme"], preferences["language"], preferences["activity_tracking"]) == ("light", "en", False)

    kafka = client_settings["kafka_bootstrap_servers"]
    told = await events_until(kafka, PROFILE, email, PreferencesUpdated, 2)
    assert [e.data.changed for e in told if isinstance(e.data, PreferencesUpdated)] == [
        ["theme"],
        ["items_per_page", "activity_tracking"],
    ]
    assert told[-1].data == PreferencesUpdated(
        user_email=email,
        changed=["items_per_page", "activity_tracking"],
        activity_tracking=False,
        analytics_participation=True,
        auto_renewal_default=False,
        preferred_providers=[],
        blocked_providers=[],
        price_range_filter=[],
        default_category_filter="",
        deployment_alerts=True,
        billing_alerts=True,
        security_alerts=True,
        email_notifications=True,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def users(database: Database) -> UserStore:
    await ensure_indexes(database, INDEXES)
    return UserStore(database)


def history(email: str) -> list[AnyEvent]:
    return [
        registered(email, 2, display_name="Ada", country="SE"),
        registered(email, 1, timezone="Asia/Tokyo", display_name="Countess"),
        registered(email, 3, country="nowhere", language="sv"),
        found(email, 0, theme="dark", price_range_filter=["1.50", "20"], cookie_preferences={"analytics": True}),
        found(email, 4, theme="light", preferred_providers=["p", "q"], blocked_providers=["q"]),
    ]


async def test_any_order_any_batches_and_any_number_of_writers_come_to_the_same(users: UserStore) -> None:
    """Several processes fold shuffled, doubled histories in small batches at once; the documents agree."""
    shuffling = random.Random(7)
    emails = [f"{uuid4().hex}@example.test" for _ in range(4)]
    histories = {each: history(each) for each in emails}

    async def fold_all_of() -> None:
        events = [event for each in histories.values() for event in each] * 2
        shuffling.shuffle(events)
        for place in range(0, len(events), 7):
            batch: dict[str, list[AnyEvent]] = {}
            for event in events[place : place + 7]:
                batch.setdefault(event.subject, []).append(event)
            await users.fold(batch)

    await asyncio.gather(*(fold_all_of() for _ in range(4)))
    for each in emails:
        user = await users.find(each)
        assert user is not None
        profile, preferences = profile_of(user), preferences_of(user)
        assert (profile.display_name, profile.country, profile.timezone) == ("Ada", "SE", "Asia/Tokyo")
        assert profile.created_at == NOW + timedelta(minutes=1)
        assert profile.updated_at == NOW + timedelta(minutes=2)
        assert (preferences.theme, preferences.language, preferences.preferred_providers) == ("light", "sv", ["p"])
        assert [str(price) for price in preferences.price_range_filter or ()] == ["1.50", "20"]


async def test_what_is_told_again_changes_nothing(users: UserStore, database: Database, email: str) -> None:
    events = history(email)
    assert (await users.fold({email: events})).changed == 1
    before = await database["users"].find_one({"_id": email})
    again = await users.fold({email: events[::-1]})
    assert (again.changed, again.unchanged) == (0, 1)
    assert await database["users"].find_one({"_id": email}) == before


async def test_old_files_alone_make_no_user(users: UserStore, email: str) -> None:
    await users.fold({email: [found(email, theme="dark")]})
    assert await users.find(email) is None
    await users.fold({email: [registered(email)]})
    user = await users.find(email)
    assert user is not None
    assert preferences_of(user).theme == "dark"
