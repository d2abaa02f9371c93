"""Simulated time is whole milliseconds since 1970 in UTC: exact, quick to compare, and never the machine's clock."""

import math
from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365 * DAY

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAYS_OF_A_YEAR = 365.25


def to_ms(time: datetime) -> int:
    """Milliseconds since 1970 of an aware time, rounded down."""
    return (time - _EPOCH) // _MILLISECOND


def to_time(ms: int) -> datetime:
    """The aware time in UTC."""
    return _EPOCH + timedelta(milliseconds=ms)


def months_later(ms: int, months: int) -> int:
    """The same time of day that many months later, on the same day of the month, or on the 28th if that is earlier."""
    time = to_time(ms)
    months += time.month - 1
    return to_ms(time.replace(year=time.year + months // 12, month=months % 12 + 1, day=min(time.day, 28)))


def swing(now: int, peak_day: float, share: float) -> float:
    """A factor around 1 that rises and falls by `share` once a year, highest on day `peak_day` of the year."""
    days = now / DAY
    return 1 + share * math.cos(2 * math.pi * (days - peak_day) / _DAYS_OF_A_YEAR)
