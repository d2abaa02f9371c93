"""Where a user stands among others like them, told so that nobody learns another's figure from it.

A cohort's table is made of 21 or more members, so that each sees 20 or more others in it, and then stands. It is made
anew only when ten of the members have changed since, so that who compares the two tables learns of ten people together
and not of one. One who withdraws is out at the next refresh: then nothing is told until ten have changed. Why so:
docs/decisions/0015-benchmarks.md.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from services.analytics.domain.months import preceding
from services.analytics.domain.things import MonthTotals
from shared.contracts.analytics_recommend import Measure
from shared.contracts.types import ProductType

FEWEST_OTHERS: Final = 20
FEWEST_CHANGES: Final = 10
STEP: Final = 5  # percentile points
_SPENDING_MONTHS: Final = 3
_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Figures:
    """A user's own figures: TFP a month, percent, 1 to 5. `cohort` is None without a purchase in a year."""

    cohort: ProductType | None
    monthly_spending: Decimal
    uptime: float | None
    ratings_given: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """What may be told of a table: when it was `made`, and of how many `others` at least, rounded down to tens.

    `cuts` are the quantiles at 5, 10, …, 95 percent, and None while nothing may be told.
    """

    made: datetime
    others: int
    cuts: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Table:
    """One measure of one cohort, as it was `made`, with the `cuts` that are told.

    `members` are the rounded figures that it was made of, and `gone` is how many have withdrawn since: both are for the
    next refresh only, and never told.
    """

    made: datetime
    members: Mapping[str, float]
    gone: int = 0
    cuts: tuple[float, ...] | None = None

    @property
    def told(self) -> Told:
        """What may be told of it."""
        return Told(self.made, (len(self.members) - 1) // 10 * 10, self.cuts)


def figures(months: Mapping[str, MonthTotals], this_month: str, uptime: float | None) -> Figures:
    """A user's figures out of the months up to `this_month`, which is not over and does not count.

    The cohort is the product type with the most spent in the twelve months before; of equal ones, the first by name.
    """
    closed = _closed(months, this_month)
    spent: dict[str, Decimal] = {}
    rating_sum, rated = 0.0, 0
    for month in closed:
        for name, share in month.by_type.items():
            spent[name] = spent.get(name, Decimal(0)) + share.spent
            rating_sum, rated = rating_sum + share.rating_sum, rated + share.rated
    most = min((name for name in spent if spent[name]), key=lambda name: (-spent[name], name), default=None)
    return Figures(
        cohort=cast("ProductType | None", most),
        monthly_spending=sum((month.spent for month in closed[:_SPENDING_MONTHS]), Decimal(0)) / _SPENDING_MONTHS,
        uptime=uptime,
        ratings_given=rating_sum / rated if rated else None,
    )


def _closed(months: Mapping[str, MonthTotals], this_month: str) -> list[MonthTotals]:
    """The twelve months before, newest first; months without anything are empty."""
    closed, month = [], this_month
    for _ in range(_YEAR):
        month = preceding(month)
        closed.append(months.get(month, MonthTotals(month)))
    return closed


def refresh(
    measure: Measure, before: Table | None, now: Mapping[str, float], participants: Collection[str], at: datetime
) -> Table | None:
    """The table after `before` (None: there was none), given the figures as they are `at` that time, by member.

    `participants` is everybody who takes part at all: who is not among them is taken out at once. Who takes part but is
    no longer in this cohort stays in until the table is made anew. None as long as no table was ever made.
    """
    rounded = {member: _rounded(measure, figure) for member, figure in now.items() if member in participants}
    is_enough = len(rounded) > FEWEST_OTHERS
    if before is None:
        return Table(at, rounded, 0, _cuts(rounded.values())) if is_enough else None
    kept = {member: figure for member, figure in before.members.items() if member in participants}
    gone = before.gone + len(before.members) - len(kept)
    if is_enough and _people_changed(kept, gone, rounded) >= FEWEST_CHANGES:
        return Table(at, rounded, 0, _cuts(rounded.values()))
    return Table(before.made, kept, gone, None if gone else before.cuts)


def percentile(measure: Measure, told: Told, figure: float) -> int | None:
    """The share of the others with less than that figure, rounded down to steps of 5; the same figure counts half.

    None while nothing may be told.
    """
    if told.cuts is None:
        return None
    rounded = _rounded(measure, figure)
    halves = bisect_left(told.cuts, rounded) + bisect_right(told.cuts, rounded)
    return STEP * ((halves + 1) // 2)


def _people_changed(kept: Mapping[str, float], gone: int, now: Mapping[str, float]) -> int:
    """How many people at least make the difference: those who joined may be those who withdrew, with their figures."""
    joined = len(now.keys() - kept.keys())
    moved = sum(1 for member, figure in kept.items() if now.get(member) != figure)
    return moved + abs(joined - gone)


def _cuts(values: Iterable[float]) -> tuple[float, ...]:
    """Quantiles by linear interpolation (Hyndman and Fan, "Sample quantiles", 1996, definition 7)."""
    ordered = sorted(values)
    cuts = []
    for percent in range(STEP, 100, STEP):
        below, part = divmod((len(ordered) - 1) * percent, 100)
        low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
        cuts.append(low + (high - low) * part / 100)
    return tuple(cuts)


def _rounded(measure: Measure, figure: float) -> float:
    """Two significant digits of money, a tenth of a percent or of a rating: nobody is told apart by more."""
    return float(f"{figure:.2g}") if measure == "monthly_spending" else round(figure, 1)
