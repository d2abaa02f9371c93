"""Months in the user's own time zone, and what the purchases of one come to."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.analytics.domain.things import COUNTED, MonthTotals, Purchase, Share

OWN_CURRENCY: Final = "TFP"
FARTHEST: Final = timedelta(hours=15)  # a time zone is at most 14 hours away from UTC
_UTC: Final = ZoneInfo("UTC")
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def credible(at: datetime) -> datetime:
    """`at`, or the nearest time from 2000 to 2100: a publisher's slip makes neither ten thousand months nor a day that
    no calendar has.
    """
    return min(max(at, _FIRST), _LAST)


def zone_of(name: str | None) -> ZoneInfo:
    """The time zone of that IANA name; UTC where there is none."""
    try:
        return ZoneInfo(name) if name else _UTC
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC


def month_of(at: datetime, zone: ZoneInfo) -> str:
    """The month, such as 2025-06, that `at` is in."""
    return f"{at.astimezone(zone):%Y-%m}"


def months_around(at: datetime) -> list[str]:
    """The months that `at` may be in, whatever the time zone; in order."""
    return sorted({month_of(at - FARTHEST, _UTC), month_of(at + FARTHEST, _UTC)})


def bounds(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the month begins and when the next one does, in UTC."""
    return _begins(month, zone), _begins(following(month), zone)


def following(month: str) -> str:
    """The month after it."""
    year, number = _parts(month)
    return f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"


def preceding(month: str) -> str:
    """The month before it."""
    year, number = _parts(month)
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"


def between(first: str, last: str) -> Iterator[str]:
    """All months from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = following(first)


def totals(month: str, purchases: Iterable[Purchase]) -> MonthTotals:
    """What the purchases of a month come to: those that count, in the marketplace's currency; the others apart."""
    counted = [p for p in purchases if p.status in COUNTED]
    own = [p for p in counted if p.currency == OWN_CURRENCY]
    others: dict[str, Decimal] = {}
    for purchase in counted:
        if purchase.currency != OWN_CURRENCY:
            others[purchase.currency] = others.get(purchase.currency, Decimal(0)) + purchase.spent
    by_provider = _shares((p.provider_id, p) for p in own)
    names = {p.provider_id: p.provider_name for p in sorted(own, key=lambda p: (p.at, p.id))}
    spent = sum((p.spent for p in own), Decimal(0))
    return MonthTotals(month, spent, len(own), _shares((p.product_type, p) for p in own), by_provider, names, others)


def _shares(named: Iterable[tuple[str, Purchase]]) -> Mapping[str, Share]:
    shares: dict[str, Share] = {}
    for name, p in named:
        share = Share(p.spent, 1, p.at, p.rating or 0.0, int(p.rating is not None))
        shares[name] = together(shares[name], share) if name in shares else share
    return shares


def together(one: Share, other: Share) -> Share:
    """Two parts as one."""
    return Share(
        one.spent + other.spent,
        one.count + other.count,
        max(one.last, other.last),
        one.rating_sum + other.rating_sum,
        one.rated + other.rated,
    )


def _begins(month: str, zone: ZoneInfo) -> datetime:
    year, number = _parts(month)
    return datetime(year, number, 1, tzinfo=zone).astimezone(UTC)


def _parts(month: str) -> tuple[int, int]:
    year, _, number = month.partition("-")
    return int(year), int(number)
