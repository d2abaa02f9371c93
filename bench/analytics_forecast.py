"""How good the forecasts are on simulated users: against the seasonal naive, and how often the interval was right.

The months' totals are added up here from the events, by code of its own: purchases that ended up active or completed,
less the refunds in the wallet that name them, by month of UTC, from the month of a user's first purchase on.
"""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from multiprocessing import get_context
from statistics import fmean

from bench.table import Row
from mycelium.simulator import Scenario, history
from services.analytics.domain.forecast import TooLittleHistory, forecast, mean, seasonal_naive
from services.analytics.methods import METHODS
from shared.contracts.marketplace import PurchaseCreated, PurchaseStatusChanged
from shared.contracts.wallet import WalletTransactionPosted

_UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
_SCENARIO = Scenario(seed=20261101, users=60, days=730, until=_UNTIL)
_LAST = _UNTIL.year * 12 + _UNTIL.month - 2  # months are counted from the year 0 on; the last closed one
_AHEAD, _STEP = 3, 3  # three months ahead, from every third month of each user
_LEAST = 3
_PROCESSES = 2

History = list[Decimal]


@dataclass(frozen=True)
class Outcome:
    """One month that was forecast, from `known` months: the absolute errors, and whether it was in the interval.

    `scaled` and `naive_scaled` are in units of the seasonal naive's mean absolute error within what was known
    (Hyndman and Koehler 2006), None where that is not to be had: under 14 months, or all alike.
    """

    known: int
    ahead: int
    ours: float
    naive: float
    mean: float
    scaled: float | None
    naive_scaled: float | None
    inside: bool


def outcomes() -> list[Outcome]:
    """Every forecast of every user. Takes about half a minute with two processes."""
    histories = monthly(_SCENARIO)
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        return [outcome for found in pool.map(_of_user, histories, chunksize=8) for outcome in found]


def rows(outcomes: list[Outcome]) -> Iterator[Row]:
    """The lines of the table."""
    year = [o for o in outcomes if o.known > 12]
    scaled = [(o.scaled, o.naive_scaled) for o in outcomes if o.scaled is not None and o.naive_scaled is not None]
    what = f"Forecast of 1 to {_AHEAD} months, {len(outcomes):,} months of {_SCENARIO.users} users"
    yield _ratio(f"{what}, against the seasonal naive", _mean_of(outcomes, "ours"), _mean_of(outcomes, "naive"), 1)
    yield _ratio("the same from more than a year", _mean_of(year, "ours"), _mean_of(year, "naive"), 1)
    ours, naive = fmean(one for one, _ in scaled), fmean(other for _, other in scaled)
    yield Row("MASE (of Hyndman and Koehler), against the seasonal naive's", f"{ours:.3f}", f"{naive:.3f}",
              f"{ours / naive:.3f}", "< 1", ours < 1)  # fmt: skip
    yield _ratio("Error against the mean's", _mean_of(outcomes, "ours"), _mean_of(outcomes, "mean"))
    yield _covered("In the 80 % interval", outcomes, 75, 85)
    for least, most in ((3, 5), (6, 11), (12, 24)):
        yield _covered(f"the same from {least} to {most} months", [o for o in outcomes if least <= o.known <= most])
    for ahead in range(1, _AHEAD + 1):
        yield _covered(f"the same, {ahead} ahead", [o for o in outcomes if o.ahead == ahead])


def monthly(scenario: Scenario) -> list[History]:
    """What each user spent in each month from that of the first purchase on, oldest first."""
    made: dict[str, tuple[str, int, Decimal]] = {}
    counts: dict[str, bool] = {}
    refunded: dict[str, Decimal] = defaultdict(Decimal)
    for _, event in history(scenario):
        data = event.data
        if isinstance(data, PurchaseCreated):
            made[data.purchase_id] = (data.user_email, event.time.year * 12 + event.time.month - 1, data.amount)
        elif isinstance(data, PurchaseStatusChanged):
            counts[data.purchase_id] = data.status in ("active", "completed")
        elif isinstance(data, WalletTransactionPosted) and data.kind == "refund" and data.related_entity_id:
            refunded[data.related_entity_id] += data.amount
    spent: dict[str, dict[int, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for purchase_id, (user, month, amount) in made.items():
        net = max(Decimal(0), amount - refunded[purchase_id])
        spent[user][month] += net if counts.get(purchase_id) else Decimal(0)
    return [[months[month] for month in range(min(months), _LAST + 1)] for _, months in sorted(spent.items())]


def _of_user(history: History) -> list[Outcome]:
    return [o for known in range(_LEAST, len(history) - _AHEAD + 1, _STEP) for o in _at(history, known)]


def _at(history: History, known: int) -> Iterator[Outcome]:
    found = forecast(history[:known], "2000-01", _AHEAD, METHODS)
    assert not isinstance(found, TooLittleHistory)
    past = [float(total) for total in history[:known]]
    simple, plain, scale = seasonal_naive(past, _AHEAD), mean(past, _AHEAD), _scale(past)
    for number, month in enumerate(found.items):
        came = history[known + number]
        ours, naive = float(abs(Decimal(month.expected) - came)), abs(simple[number] - float(came))
        scaled, naive_scaled = (ours / scale, naive / scale) if scale else (None, None)
        inside = Decimal(month.low) <= came <= Decimal(month.high)
        yield Outcome(known, number + 1, ours, naive, abs(plain[number] - float(came)), scaled, naive_scaled, inside)


def _scale(past: list[float]) -> float | None:
    differences = [abs(now - before) for now, before in zip(past[12:], past, strict=False)]
    return fmean(differences) if len(differences) > 1 else None


def _mean_of(outcomes: list[Outcome], name: str) -> float:
    return fmean(getattr(outcome, name) for outcome in outcomes)


def _ratio(what: str, one: float, other: float, limit: float | None = None) -> Row:
    figures = (f"{one:.2f} TFP", f"{other:.2f} TFP", f"{one / other:.3f}")
    return Row(what, *figures) if limit is None else Row(what, *figures, f"< {limit:g}", one / other < limit)


def _covered(what: str, outcomes: list[Outcome], low: float | None = None, high: float | None = None) -> Row:
    share = 100 * fmean(outcome.inside for outcome in outcomes)
    figures = (f"{share:.1f} %", "", f"{len(outcomes):,}")
    if low is None or high is None:
        return Row(what, *figures)
    return Row(what, *figures, f"{low:g} to {high:g} %", low <= share <= high)
