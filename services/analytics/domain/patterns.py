"""When a user is active: from the minutes in which something was done, and from the sessions that name themselves."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

WINDOW: Final = timedelta(days=90)
GAP: Final = timedelta(minutes=30)
_WEEK: Final = timedelta(days=7)
_SHOWN: Final = 3
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

T = TypeVar("T", int, tuple[int, int])


@dataclass(frozen=True, slots=True)
class Stretch:
    """A session: from its first sign of life to its last, in UTC."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Patterns:
    """Hours of the day and days of the week, busiest first; sessions a week, whole minutes a session."""

    hours: Sequence[int]
    days: Sequence[str]
    sessions_a_week: float
    minutes_a_session: int
    peaks: Sequence[str]


def patterns(
    minutes: Iterable[datetime], alone: Iterable[datetime], named: Iterable[Stretch], now: datetime, zone: ZoneInfo
) -> Patterns:
    """What the active `minutes` and the sessions of the last 90 days before `now` come to.

    `minutes` are all minutes with activity, `alone` those with activity that names no session. An hour's and a day's
    busyness is the number of its active minutes; of equal ones the earlier comes first. A peak is one of the (up to
    three) busiest hours of the week, such as "Tuesday 10:00-11:00". A session that does not name itself is a run of
    minutes `alone` without a pause of more than 30 minutes, as web analytics have it (Google Analytics' and Matomo's
    default; Catledge and Pitkow 1995 measured 25.5). Frequency is per week since the first session, of at least a week.
    """
    local = [minute.astimezone(zone) for minute in minutes]
    hours, days = Counter(at.hour for at in local), Counter(at.weekday() for at in local)
    weekly = Counter((at.weekday(), at.hour) for at in local)
    sessions = [*named, *unnamed(alone)]
    weeks = max((now - min(s.first for s in sessions)) / _WEEK, 1.0) if sessions else 1.0
    lengths = [(s.last - s.first) / timedelta(minutes=1) for s in sessions]
    return Patterns(
        _busiest(hours),
        [_DAYS[day] for day in _busiest(days)],
        round(len(sessions) / weeks, 2),
        round(sum(lengths) / len(lengths)) if lengths else 0,
        [f"{_DAYS[day]} {hour:02}:00-{(hour + 1) % 24:02}:00" for day, hour in _busiest(weekly)],
    )


def unnamed(minutes: Iterable[datetime]) -> list[Stretch]:
    """The sessions that the minutes make: a pause of more than 30 minutes ends one."""
    ordered = sorted(set(minutes))
    if not ordered:
        return []
    pauses = [(before, after) for before, after in pairwise(ordered) if after - before > GAP]
    starts = [ordered[0], *(after for _, after in pauses)]
    ends = [*(before for before, _ in pauses), ordered[-1]]
    return [Stretch(first, last) for first, last in zip(starts, ends, strict=True)]


def _busiest(counts: Counter[T]) -> list[T]:
    return [what for what, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]]
