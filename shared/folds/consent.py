"""What a user lets us keep of their browsing and viewing, worked out from all the choices that they made.

The choices are a set: the latest `off` and every `on` after it decide, in whatever order they arrived.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from shared.contracts.envelope import Event, Payload
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.profile import PreferencesUpdated

NEVER = datetime.max.replace(tzinfo=UTC)


class Choice(NamedTuple):
    """A user's choice: tracking `on` or off, from `time` (UTC). Of two at one time the greater `event` is later."""

    user: str
    on: bool
    time: datetime
    event: str


@dataclass(frozen=True, slots=True)
class Consent:
    """When low-impact activities may be kept from: None means always, NEVER not at all, else from that time (UTC)."""

    since: datetime | None = None

    def allows(self, time: datetime) -> bool:
        """Whether a low-impact activity of that time may be kept."""
        return self.since is None or self.since <= time


ALWAYS = Consent()


def choice_of(event: Event[Payload]) -> Choice | None:
    """The choice that an event tells of, if it tells of one."""
    match event.data:
        case PreferencesUpdated(user_email=user, activity_tracking=bool(on)):
            return Choice(user, on, event.time, event.rank)
        case LegacyPreferencesFound(user_email=user, preferences={"activity_tracking": bool(on)}):
            return Choice(user, on, event.time, event.rank)
    return None


def consent_of(choices: Iterable[Choice]) -> Consent:
    """The consent that one user's choices come to: what lies before the first `on` after the last `off` is not kept."""
    ordered = sorted(choices, key=lambda choice: (choice.time, choice.event))
    last_off = max((i for i, choice in enumerate(ordered) if not choice.on), default=None)
    if last_off is None:
        return ALWAYS
    later = ordered[last_off + 1 :]
    return Consent(later[0].time if later else NEVER)
