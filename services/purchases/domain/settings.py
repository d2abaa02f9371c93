"""How a user wants their things: by which clock their months begin, and whether what they buy is to renew itself."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from shared.folds.state import State, value


class Months(NamedTuple):
    """The first moments of the last month, this one and the next, by a user's own clock."""

    last: datetime
    this: datetime
    next: datetime

    @property
    def name(self) -> str:
        """Names this month, such as `2026-03`."""
        return f"{self.this:%Y-%m}"


def zone_of(settings: State | None) -> tzinfo:
    """The user's time zone; UTC where none that exists was given."""
    name = value(settings, "timezone") if settings else None
    try:
        return ZoneInfo(name) if name else UTC
    except (LookupError, ValueError, OSError):  # no such zone, no name of one, the name of a folder of zones
        return UTC


def months_at(now: datetime, zone: tzinfo) -> Months:
    """The months by the clock of `zone` at the moment `now` (aware)."""
    this = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Months((this - timedelta(days=1)).replace(day=1), this, (this + timedelta(days=32)).replace(day=1))


def renews(settings: State | None) -> bool | None:
    """Whether what the user buys is to renew itself; None where they never said."""
    wanted: bool | None = value(settings, "auto_renewal") if settings else None
    return wanted
