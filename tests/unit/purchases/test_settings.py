"""How a user wants their things: their own months, and whether orders renew themselves."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.purchases.domain.settings import months_at, renews, zone_of
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserRegistered
from shared.contracts.profile import PreferencesUpdated, ProfileUpdated
from shared.folds.facts import SETTINGS, Fact, facts_of
from shared.folds.state import State, empty, merge

ADA = "ada@example.org"
START = datetime(2026, 3, 1, tzinfo=UTC)


def said(data: UserPayload, hour: int = 0, id: str = "e") -> list[Fact]:
    return facts_of(make_event(data, source="/profile", id=id, time=START + timedelta(hours=hour)))


def settled(*facts: Fact) -> State:
    state = empty()
    merge(state, facts)
    return state


def living_in(zone: str | None) -> State:
    return settled(*said(UserRegistered(user_email=ADA, timezone=zone)))


def test_they_are_facts_about_one_thing_of_the_user() -> None:
    [fact] = said(UserRegistered(user_email=ADA, timezone="Asia/Tokyo"))
    assert (fact.kind, fact.user, fact.id, fact.value) == ("settings", ADA, SETTINGS, "Asia/Tokyo")
    assert said(UserRegistered(user_email=ADA)) == []
    assert said(ProfileUpdated(user_email=ADA, changed=["bio"])) == []
    assert said(PreferencesUpdated(user_email=ADA, changed=["theme"])) == []


def test_what_was_said_last_counts_in_any_order() -> None:
    first = said(UserRegistered(user_email=ADA, timezone="Asia/Tokyo"), 1)
    later = said(ProfileUpdated(user_email=ADA, timezone="Europe/Paris"), 2)
    greater = said(ProfileUpdated(user_email=ADA, timezone="Africa/Cairo"), 2, "f")
    assert zone_of(settled(*first, *later)) == zone_of(settled(*later, *first)) == ZoneInfo("Europe/Paris")
    assert zone_of(settled(*greater, *later)) == zone_of(settled(*later, *greater)) == ZoneInfo("Africa/Cairo")


@pytest.mark.parametrize(
    "zone", [None, "", "Nowhere", "Europe", "../etc/passwd", "/etc/passwd", "a\0b", "x" * 256, "é"]
)
def test_an_unknown_zone_is_utc(zone: str | None) -> None:
    assert zone_of(living_in(zone)) == UTC
    assert zone_of(None) == UTC


@pytest.mark.parametrize(
    ("zone", "name", "this", "last", "after"),
    [
        ("UTC", "2026-01", "2026-01-01T00:00Z", "2025-12-01T00:00Z", "2026-02-01T00:00Z"),
        ("Asia/Tokyo", "2026-02", "2026-01-31T15:00Z", "2025-12-31T15:00Z", "2026-02-28T15:00Z"),
        ("America/New_York", "2026-01", "2026-01-01T05:00Z", "2025-12-01T05:00Z", "2026-02-01T05:00Z"),
    ],
)
def test_the_months_are_those_of_the_users_clock(zone: str, name: str, this: str, last: str, after: str) -> None:
    months = months_at(datetime(2026, 1, 31, 20, tzinfo=UTC), zone_of(living_in(zone)))
    assert months.name == name
    assert (months.last, months.this, months.next) == tuple(map(datetime.fromisoformat, (last, this, after)))


def test_a_month_with_a_change_of_the_clock_begins_at_midnight() -> None:
    months = months_at(datetime(2026, 4, 15, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
    assert months.last == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert months.this == datetime(2026, 3, 31, 22, tzinfo=UTC)


@given(st.integers(0, 50_000).map(lambda hours: START + timedelta(hours=13 * hours)), st.timezones())
def test_now_is_in_this_month(now: datetime, zone: ZoneInfo) -> None:
    months = months_at(now, zone)
    assert months.last < months.this <= now < months.next
    assert now.astimezone(zone).day == 1 or (now - months.this) > timedelta(hours=20)


def test_whether_orders_renew_themselves() -> None:
    on = said(PreferencesUpdated(user_email=ADA, auto_renewal_default=True), 2)
    off = said(PreferencesUpdated(user_email=ADA, auto_renewal_default=False), 1)
    assert renews(None) is None
    assert renews(living_in("UTC")) is None
    assert renews(settled(*off)) is False
    assert renews(settled(*on, *off)) is renews(settled(*off, *on)) is True
