"""The usage statistics: folded from the months, the deployments and the patterns. Each definition stands here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from services.analytics.domain.months import OWN_CURRENCY, between, together
from services.analytics.domain.patterns import Patterns
from services.analytics.domain.things import Load, MonthTotals, Share
from shared.folds.purchase import money

Record = dict[str, Any]  # JSON: money is a string
_CENT: Final = Decimal("0.01")
_NEUTRAL, _PRIOR = 3.0, 2.0


@dataclass(frozen=True, slots=True)
class DeploymentFigures:
    """What is known of one deployment: hours run until now, uptime of the last 30 days, its cost and load.

    `monthly_cost` is in TFP: None also where it is paid in another currency.
    """

    active: bool
    hours_run: float
    uptime: float | None
    monthly_cost: Decimal | None
    loads: Sequence[Load] = ()


def usage_of(
    user: str,
    zone: str,
    months: Mapping[str, MonthTotals],
    deployments: Sequence[DeploymentFigures],
    pattern: Patterns,
    now: datetime,
    this_month: str,
) -> Record:
    """`UsageStatistics` as the API gives them. `months` may leave out the empty ones; `this_month` is the last."""
    trends = [spending_of(months.get(month) or MonthTotals(month)) for month in every_month(months, this_month)]
    spent = sum((m.spent for m in months.values()), Decimal(0))
    return {
        "user_email": user,
        "currency": OWN_CURRENCY,
        "timezone": zone,
        "total_purchases": sum(m.count for m in months.values()),
        "total_spent": money(spent),
        "other_currencies": {c: money(a) for c, a in sorted(_others(months.values()).items())},
        "average_monthly_spending": money((spent / len(trends)).quantize(_CENT, ROUND_HALF_EVEN)) if trends else "0",
        "favorite_categories": _categories(months.values(), spent),
        "preferred_providers": _providers(months.values()),
        "spending_trends": trends,
        "deployment_stats": _deployments(deployments),
        "activity_patterns": {
            "most_active_hours": list(pattern.hours),
            "most_active_days": list(pattern.days),
            "session_frequency": pattern.sessions_a_week,
            "average_session_duration": pattern.minutes_a_session,
            "peak_usage_times": list(pattern.peaks),
        },
        "last_calculated": now.isoformat().replace("+00:00", "Z"),
    }


def every_month(months: Mapping[str, MonthTotals], this_month: str) -> list[str]:
    """All months from the first with a purchase that counts to `this_month`, the empty ones included."""
    bought = [month for month, totals in months.items() if totals.count or totals.others]
    return list(between(min(bought), max(this_month, *bought))) if bought else []


def spending_of(month: MonthTotals) -> Record:
    """`MonthlySpending` as the API gives it."""
    average = (month.spent / month.count).quantize(_CENT, ROUND_HALF_EVEN) if month.count else Decimal(0)
    return {
        "month": month.month,
        "total_spent": money(month.spent),
        "purchase_count": month.count,
        "categories": {name: money(share.spent) for name, share in sorted(month.by_type.items())},
        "providers": {name: money(share.spent) for name, share in sorted(month.by_provider.items())},
        "average_per_purchase": money(average),
    }


def satisfaction(rating_sum: float, rated: int) -> float | None:
    """How content the user is with a provider, 0 to 100: the Bayesian average of the ratings given, on that scale.

    (2 * 3 + sum) / (2 + number), as if two neutral ratings had been given before, so that a single rating does not
    decide alone; 1 star is 0 and 5 are 100. None where nothing was rated.
    """
    if not rated:
        return None
    average = (_PRIOR * _NEUTRAL + rating_sum) / (_PRIOR + rated)
    return round((average - 1) / 4 * 100, 1)


def cost_efficiency(deployments: Iterable[DeploymentFigures]) -> float | None:
    """The share of the monthly costs that pays for resources in use, 0 to 100.

    A deployment's use is the greater of its mean CPU and mean memory load over the last 30 days, times its uptime; the
    mean over the active deployments is weighted by what each costs: the FinOps Foundation's KPI "resource utilization
    rate", by cost. None where no active deployment has a cost and a measured load.
    """
    paid = used = 0.0
    for each in deployments:
        load = mean_load(each.loads)
        if each.active and each.monthly_cost and load is not None:
            cost = float(each.monthly_cost)
            paid += cost
            used += cost * load / 100 * (100.0 if each.uptime is None else each.uptime) / 100
    return round(100 * used / paid, 1) if paid else None


def mean_load(loads: Iterable[Load]) -> float | None:
    """The greater of mean CPU and mean memory load in percent, each day weighted by its checks; None if unmeasured."""
    measured = list(loads)
    means = [
        _weighted((load.cpu_percent, load.checks) for load in measured),
        _weighted((load.memory_percent, load.checks) for load in measured),
    ]
    return max((mean for mean in means if mean is not None), default=None)


def _weighted(values: Iterable[tuple[float | None, int]]) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    weight = sum(w for _, w in known)
    return sum(v * w for v, w in known) / weight if weight else None


def hours_run(stays: Iterable[tuple[str, datetime, datetime | None]], now: datetime) -> float:
    """Hours in which it was running or being scaled, until `now`: (status, start, end) each."""
    spans = ((end or now) - start for status, start, end in stays if status in ("running", "scaling"))
    return sum(spans, timedelta()) / timedelta(hours=1)


def _categories(months: Iterable[MonthTotals], spent: Decimal) -> list[Record]:
    shares = _added(month.by_type for month in months)
    return [
        {
            "category": name,
            "purchase_count": share.count,
            "total_spent": money(share.spent),
            "percentage_of_total": round(float(share.spent / spent * 100), 1) if spent else 0.0,
            "last_purchase": _text(share.last),
            "average_rating": _average_rating(share),
        }
        for name, share in _most_spent(shares)
    ]


def _providers(months: Iterable[MonthTotals]) -> list[Record]:
    ordered = sorted(months, key=lambda month: month.month)
    names = {id: name for month in ordered for id, name in month.provider_names.items()}  # noqa: A001
    return [
        {
            "provider_id": id,
            "provider_name": names[id],
            "purchase_count": share.count,
            "total_spent": money(share.spent),
            "average_rating": _average_rating(share),
            "last_purchase": _text(share.last),
            "satisfaction_score": satisfaction(share.rating_sum, share.rated),
        }
        for id, share in _most_spent(_added(month.by_provider for month in ordered))  # noqa: A001
    ]


def _deployments(deployments: Sequence[DeploymentFigures]) -> Record:
    uptimes = [each.uptime for each in deployments if each.uptime is not None]
    costs = [each.monthly_cost for each in deployments if each.active and each.monthly_cost is not None]
    return {
        "total_deployments": len(deployments),
        "active_deployments": sum(each.active for each in deployments),
        "average_uptime": round(sum(uptimes) / len(uptimes), 2) if uptimes else None,
        "total_resource_hours": round(sum(each.hours_run for each in deployments), 1),
        "monthly_costs": money(sum(costs, Decimal(0))),
        "cost_efficiency_score": cost_efficiency(deployments),
    }


def _added(parts: Iterable[Mapping[str, Share]]) -> dict[str, Share]:
    added: dict[str, Share] = {}
    for part in parts:
        for name, share in part.items():
            added[name] = together(added[name], share) if name in added else share
    return added


def _others(months: Iterable[MonthTotals]) -> dict[str, Decimal]:
    added: dict[str, Decimal] = {}
    for month in months:
        for currency, amount in month.others.items():
            added[currency] = added.get(currency, Decimal(0)) + amount
    return added


def _most_spent(shares: Mapping[str, Share]) -> list[tuple[str, Share]]:
    return sorted(shares.items(), key=lambda item: (-item[1].spent, -item[1].count, item[0]))


def _average_rating(share: Share) -> float | None:
    return round(share.rating_sum / share.rated, 2) if share.rated else None


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
