"""How long the money in the wallet lasts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from services.analytics.domain.things import Deployment, Purchase
from shared.contracts.analytics_forecast import DeploymentBurn, Runway

DAYS_A_MONTH: Final = Decimal("30.44")  # 365.25 / 12, rounded
_DAYS_A_YEAR: Final = Decimal("365.25")
_LONG, _SHORT, _LEAST = 90, 30, 7
_YEAR: Final = timedelta(days=365)
_FAR_OFF: Final = 5 * _DAYS_A_YEAR
_CENT: Final = Decimal("0.01")
_ENDED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Outgoings:
    """What goes out of a wallet with that currency, as of a time: a day, over which days, and for which deployments."""

    currency: str
    as_of: datetime
    window_days: int
    per_day: Decimal
    deployments: Sequence[DeploymentBurn]


def outgoings(
    currency: str, purchases: Sequence[Purchase], deployments: Sequence[Deployment], now: datetime
) -> Outgoings:
    """What goes out of the wallet at `now` (aware); see `burn_per_day`.

    `purchases` are the user's of the last year at least, `deployments` all of them. What is paid in another currency
    than the wallet's does not count.
    """
    own = [p for p in purchases if p.currency == currency and p.at <= now]
    foreign = {p.id for p in purchases if p.currency != currency}
    deployments = [d for d in deployments if d.purchase_id not in foreign]
    window = _window(own, now)
    return Outgoings(currency, now, window, burn_per_day(own, deployments, now, window), _each(own, deployments))


def runway(balance: Decimal, out: Outgoings, now: datetime, zone: ZoneInfo) -> Runway:
    """How long `balance` lasts from `now` (aware) on, if nothing comes in and so much goes out.

    The date is that of the user's `zone`; an empty wallet has run out today.
    """
    days = _days_left(balance, out.per_day)
    return Runway(
        balance=_money(balance),
        currency=out.currency,
        as_of=out.as_of,
        window_days=out.window_days,
        burn_per_day=_money(out.per_day),
        days_left=days,
        runs_out_on=None if days is None else _date_in(days, now, zone),
        basis=_basis(out.window_days),
        deployments=list(out.deployments),
    )


def burn_per_day(
    purchases: Iterable[Purchase], deployments: Iterable[Deployment], now: datetime, window_days: int
) -> Decimal:
    """What goes out of the wallet a day, net of refunds. It is the sum of:

    - what the purchases of the last `window_days` came to, divided by these days;
    - for annual subscriptions bought within the last year, a 365.25th of their price, whenever in the year it was paid;
    - for each deployment that runs on a subscription that renews, its monthly cost / 30.44. All purchases of the same
      product are left out above: they are what pays for it, and would count twice.
    """
    purchases = list(purchases)
    lasting = [d for d in deployments if d.status != _ENDED and d.monthly_cost is not None]
    renewing = {p.id: p.product_id for p in purchases if p.period and p.period.auto_renewal}
    steady = [d for d in lasting if d.purchase_id in renewing]
    covered = {renewing[d.purchase_id] for d in steady}
    others = [p for p in purchases if p.product_id not in covered]
    annual = sum((p.spent for p in others if p.billing_cycle == "annual" and p.at > now - _YEAR), Decimal(0))
    since = now - timedelta(days=window_days)
    recent = sum((p.spent for p in others if p.billing_cycle != "annual" and p.at > since), Decimal(0))
    running = sum((d.monthly_cost for d in steady if d.monthly_cost), Decimal(0))
    return recent / window_days + annual / _DAYS_A_YEAR + running / DAYS_A_MONTH


def _window(purchases: Iterable[Purchase], now: datetime) -> int:
    """90 days where there are as many since the first purchase of the last year (or none), else 30, else as many as
    there are, 7 at least.
    """
    known = (now - min((p.at for p in purchases if p.at > now - _YEAR), default=now - _YEAR)).days
    return _LONG if known >= _LONG else _SHORT if known >= _SHORT else max(_LEAST, known)


def _basis(window: int) -> str:
    why = {
        _LONG: "90 days, so that a monthly bill counts three times and one busy week for little",
        _SHORT: "30 days, because the first purchase in a year was less than 90 days ago",
    }.get(window, f"{window} days, because the first purchase in a year was less than 30 days ago")
    return (
        f"What purchases took, net of refunds, over the last {why}; "
        "annual subscriptions and running deployments by what they cost a day."
    )


def _days_left(balance: Decimal, burn: Decimal) -> int | None:
    if balance <= 0:
        return 0
    return None if balance >= burn * _FAR_OFF else int(balance / burn)


def _date_in(days: int, now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date() + timedelta(days=days)


def _each(purchases: Iterable[Purchase], deployments: Iterable[Deployment]) -> list[DeploymentBurn]:
    """What each deployment that is not stopped takes, the most expensive first."""
    names = {p.id: p.product_name for p in purchases}
    taking = [(d.monthly_cost, d) for d in deployments if d.status != _ENDED and d.monthly_cost is not None]
    return [
        DeploymentBurn(
            deployment_id=d.id,
            product_name=names.get(d.purchase_id),
            per_day=_money(cost / DAYS_A_MONTH),
            monthly_cost=_money(cost),
        )
        for cost, d in sorted(taking, key=lambda taken: (-taken[0], taken[1].id))
    ]


def _money(amount: Decimal) -> str:
    return str(amount.quantize(_CENT))
