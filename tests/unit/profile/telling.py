"""Events about one user, at chosen times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.profile.domain.users import User
from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.reading import AnyEvent
from shared.contracts.times import microseconds

EMAIL = "ada.lovelace@example.test"
START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
NOBODY = User(EMAIL, "u-1")


def at(minutes: int) -> datetime:
    """So many minutes after START."""
    return START + timedelta(minutes=minutes)


def now(minutes: int) -> int:
    """The same in microseconds."""
    return microseconds(at(minutes))


def registered(minutes: int, id: str = "r", **fields: str) -> AnyEvent:
    """A registration."""
    return make_event(UserRegistered(user_email=EMAIL, **fields), source="/id", id=id, time=at(minutes))


def found(minutes: int, id: str = "f", **preferences: Any) -> AnyEvent:  # Any: JSON
    """Preferences of an old file."""
    data = LegacyPreferencesFound(user_email=EMAIL, preferences=preferences)
    return make_event(data, source="/legacy", id=id, time=at(minutes))
