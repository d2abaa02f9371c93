"""What a user has set themselves for a month, how far it is used, and when to say so."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from services.analytics.domain.months import OWN_CURRENCY, bounds, month_of
from services.analytics.domain.things import MonthTotals
from shared.contracts.analytics_forecast import Alert, AlertKind, Budget, BudgetBody, BudgetThreshold

THRESHOLDS: Final = (50, 80, 100)
_TOO_EARLY: Final = Decimal("0.1")  # of the month: before that, its own pace says nothing
_CENT: Final = Decimal("0.01")


def used(month: MonthTotals, currency: str) -> Decimal:
    """What was spent in that currency in the month."""
    return month.spent if currency == OWN_CURRENCY else month.others.get(currency, Decimal(0))


def budget(
    user: str, limit: BudgetBody, spent: Decimal, now: datetime, zone: ZoneInfo, forecast: Decimal | None = None
) -> Budget:
    """Where the user's budget stands at `now` (aware), the month being that of `zone`.

    `spent` is what this month came to so far, `forecast` what was expected of it before it began, where that is known;
    both are in the budget's currency.
    """
    month = month_of(now, zone)
    expected = by_the_end(spent, elapsed(now, zone), forecast)
    thresholds = [_threshold(percent, limit.monthly_limit, spent, expected) for percent in THRESHOLDS]
    return Budget(
        month=month,
        monthly_limit=_money(limit.monthly_limit),
        currency=limit.currency,
        spent=_money(spent),
        used_percent=round(float(100 * spent / limit.monthly_limit), 1),
        left=_money(max(Decimal(0), limit.monthly_limit - spent)),
        expected=None if expected is None else _money(expected),
        thresholds=thresholds,
        alerts=list(_alerts(user, month, limit, spent, expected, thresholds)),
    )


def elapsed(now: datetime, zone: ZoneInfo) -> Decimal:
    """The share of the month in `zone` that is over at `now`: 0 to 1."""
    start, end = bounds(month_of(now, zone), zone)
    return Decimal((now - start).total_seconds()) / Decimal((end - start).total_seconds())


def by_the_end(spent: Decimal, elapsed: Decimal, forecast: Decimal | None) -> Decimal | None:
    """What a month will have come to, when that share of it is over and that was spent.

    Pro rata the month would come to `spent / elapsed`. For what is left of it (1 - elapsed), that pace counts by the
    share that is over and the forecast by the rest:

        spent + (1 - elapsed) * (elapsed * spent / elapsed + (1 - elapsed) * forecast)

    so that it is the forecast when the month begins and what was spent when it ends. Without a forecast it is pro rata,
    and None in the first tenth of the month.
    """
    left = 1 - elapsed
    if forecast is not None:
        return spent + left * (spent + left * forecast)
    return None if elapsed < _TOO_EARLY else spent / elapsed


def alert_id(user: str, month: str, threshold: int, kind: AlertKind) -> str:
    """The same for the same user, month, threshold and kind; it does not tell who the user is."""
    return blake2b("\n".join((user, month, str(threshold), kind)).encode(), digest_size=12).hexdigest()


def _threshold(percent: int, limit: Decimal, spent: Decimal, expected: Decimal | None) -> BudgetThreshold:
    at = limit * percent / 100
    if spent >= at:
        return BudgetThreshold(percent=percent, state="reached")
    return BudgetThreshold(percent=percent, state="clear" if expected is None or expected < at else "expected")


def _alerts(
    user: str,
    month: str,
    limit: BudgetBody,
    spent: Decimal,
    expected: Decimal | None,
    thresholds: Sequence[BudgetThreshold],
) -> Iterator[Alert]:
    """One for each threshold that is reached, and one for the highest that will be: that says the lower ones too."""
    of_limit = f"of your {_money(limit.monthly_limit)} {limit.currency} for {month}"
    for threshold in thresholds:
        if threshold.state == "reached":
            what = f"You have spent {_money(spent)} {limit.currency}: {threshold.percent} % {of_limit} is reached."
            yield _alert(user, month, threshold.percent, "budget_reached", what)
    coming = [threshold.percent for threshold in thresholds if threshold.state == "expected"]
    if coming and expected is not None:
        what = f"At this pace the month comes to {_money(expected)} {limit.currency}: over {coming[-1]} % {of_limit}."
        yield _alert(user, month, coming[-1], "budget_expected", what)


def _alert(user: str, month: str, threshold: int, kind: AlertKind, message: str) -> Alert:
    found = alert_id(user, month, threshold, kind)
    return Alert(id=found, kind=kind, month=month, threshold=threshold, message=message)


def _money(amount: Decimal) -> str:
    return str(amount.quantize(_CENT))
