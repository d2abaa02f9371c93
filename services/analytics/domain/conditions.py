"""How things stand, where that needs attention: what is due and not covered, what ends, and what stands out.

Each notice is of `now`, when it was found; whoever knows it already keeps the time at which it first was.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from services.analytics.domain.months import OWN_CURRENCY, bounds
from services.analytics.domain.notices import WINDOW, Notice, notice
from services.analytics.domain.things import Purchase
from shared.contracts.analytics_forecast import Anomaly, Runway, ToldAlert
from shared.contracts.notification_views import Severity

DUE_WITHIN: Final = timedelta(days=3)
ENDS_WITHIN: Final = timedelta(days=7)
SHORT_DAYS: Final = 14


def uncovered(
    user: str, active: Iterable[Purchase], balance: Decimal, currency: str, now: datetime, zone: ZoneInfo
) -> Iterator[Notice]:
    """What renews within three days and is not covered, once all that is due before it is paid from the `balance`."""
    due = sorted(
        (purchase.period.next_billing, purchase.id, purchase)
        for purchase in active
        if purchase.period
        and purchase.period.auto_renewal
        and purchase.period.next_billing
        and purchase.currency == currency
        and now <= purchase.period.next_billing <= now + DUE_WITHIN
    )
    left = balance
    for at, id, purchase in due:  # noqa: A001
        left -= purchase.amount
        if left < 0:
            said = {
                "product": purchase.product_name,
                "amount": _money(purchase.amount),
                "currency": currency,
                "due_on": _day(at, zone),
                "balance": _money(balance),
            }
            yield notice(user, "billing_uncovered", (id, at.isoformat()), now, said, ("purchase", id))


def ending(user: str, active: Iterable[Purchase], now: datetime, zone: ZoneInfo) -> Iterator[Notice]:
    """What ends within seven days and does not renew; not what was bought for no longer than that."""
    for purchase in active:
        period = purchase.period
        if not period or not period.end or period.auto_renewal or period.end - period.start <= ENDS_WITHIN:
            continue
        if now <= period.end <= now + ENDS_WITHIN:
            said = {"product": purchase.product_name, "ends_on": _day(period.end, zone)}
            name = (purchase.id, period.end.isoformat())
            yield notice(user, "service_ending", name, now, said, ("purchase", purchase.id))


def running_out(user: str, found: Runway, now: datetime) -> Iterator[Notice]:
    """That the wallet lasts for less than two weeks; once a month at most. A wallet that nothing leaves lasts."""
    if found.days_left is not None and found.days_left < SHORT_DAYS and Decimal(found.burn_per_day) > 0:
        out_on = found.runs_out_on or now.date()
        said = {"out_on": str(out_on), "burn": found.burn_per_day, "currency": found.currency}
        yield notice(user, "runway_short", (f"{now:%Y-%m}",), now, said)


def unusual(user: str, found: Iterable[Anomaly], now: datetime, zone: ZoneInfo) -> Iterator[Notice]:
    """The months above the usual, as long as they run and for a week after them."""
    for anomaly in found:
        ended = bounds(anomaly.month, zone)[1]
        if anomaly.direction == "above" and now < ended + WINDOW:
            said = {
                "month": anomaly.month,
                "spent": anomaly.spent,
                "difference": anomaly.difference,
                "currency": OWN_CURRENCY,
            }
            if anomaly.provider_id is None:
                yield notice(user, "spending_unusual", (anomaly.id,), now, said)
            else:
                said["provider"] = anomaly.provider_name or anomaly.provider_id
                yield notice(user, "provider_spending_unusual", (anomaly.id,), now, said)


def of_budget(user: str, told: Iterable[ToldAlert]) -> Iterator[Notice]:
    """An alert is a notification, too; it is of the time at which it was raised."""
    for alert in told:
        said = {"threshold": str(alert.threshold), "month": alert.month, "message": alert.message}
        over = alert.kind == "budget_reached" and alert.threshold >= 100
        severity: Severity | None = "critical" if over else None
        yield notice(user, alert.kind, (alert.id,), alert.raised_at, said, severity=severity)


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d}"


def _money(amount: Decimal) -> str:
    return f"{amount:f}"
