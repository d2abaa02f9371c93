"""Why a figure is what it is: how it is worked out, and the purchases, deployments and minutes that it is made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.analytics.domain.months import OWN_CURRENCY, month_of
from services.analytics.domain.things import COUNTED, Deployment, Purchase
from services.analytics.domain.usage import DeploymentFigures
from shared.folds.purchase import money

Record = dict[str, Any]  # JSON
_MOST: Final = 500

_SPENT: Final = "The sum of the amounts of the purchases that are active or completed, less the refunds that name them."
_COUNT: Final = "The number of purchases that are active or completed."
_FORMULAS: Final[Mapping[str, str]] = {
    "total_spent": _SPENT,
    "total_purchases": _COUNT,
    "purchase_count": _COUNT,
    "other_currencies": "What was spent in another currency, apart, because no rate is published.",
    "average_monthly_spending": "The total spent divided by the months since the first purchase, this one included.",
    "average_per_purchase": "The month's spending divided by its purchases.",
    "percentage_of_total": "The spending on these purchases as a share of the total.",
    "last_purchase": "The latest of these purchases.",
    "average_rating": "The mean of the ratings that you gave these purchases.",
    "satisfaction_score": "(6 + the sum of your ratings) / (2 + their number), on a scale from 0 (1 star) to 100 (5).",
    "categories": _SPENT,
    "providers": _SPENT,
    "total_deployments": "All deployments that there ever were.",
    "active_deployments": "The deployments of purchases that are active.",
    "average_uptime": "The mean uptime of the last 30 days of the deployments that were expected to be up then.",
    "total_resource_hours": "The hours in which the deployments were running or being scaled, added up.",
    "monthly_costs": "What the active deployments cost a month, added up.",
    "cost_efficiency_score": "The share of the monthly costs that pays for what is in use: load times uptime, by cost.",
    "most_active_hours": "The hours of your day with the most active minutes in the last 90 days.",
    "most_active_days": "The days of your week with the most active minutes in the last 90 days.",
    "peak_usage_times": "The hours of your week with the most active minutes in the last 90 days.",
    "session_frequency": "The sessions of the last 90 days, per week since the first of them.",
    "average_session_duration": "The mean time between the first and the last thing done in a session.",
}
_DEPLOYED: Final = frozenset(
    {"total_deployments", "active_deployments", "average_uptime", "total_resource_hours", "monthly_costs"}
    | {"cost_efficiency_score"}
)
_RATED: Final = frozenset({"average_rating", "satisfaction_score"})


class UnknownFigureError(Exception):
    """There is no such figure."""


@dataclass(frozen=True, slots=True)
class Background:
    """Everything that a user's figures are made of; `minutes` are active ones, each with the id of an event in it."""

    purchases: Sequence[Purchase]
    deployments: Sequence[tuple[Deployment, DeploymentFigures]]
    minutes: Sequence[tuple[datetime, str]]
    zone: ZoneInfo


def explanation(figure: str, usage: Mapping[str, Any], behind: Background) -> Record:
    """`Explanation` of a figure of `UsageStatistics`. Raises UnknownFigureError."""
    steps = figure.split("/")
    value = _value(usage, steps)
    name = next((step for step in reversed(steps) if step in _FORMULAS), None)
    if name is None:
        raise UnknownFigureError
    facts = list(_facts(steps, name, behind))
    return {
        "figure": figure,
        "value": value,
        "formula": _FORMULAS[name],
        "facts": facts[:_MOST],
        "total_facts": len(facts),
    }


def _value(usage: Any, steps: Sequence[str]) -> Any:  # Any: JSON
    for step in steps:
        usage = _member(usage, step)
    return usage


def _member(part: Any, step: str) -> Any:  # Any: JSON
    if isinstance(part, dict) and step in part:
        return part[step]
    if isinstance(part, list):
        for each in part:
            if isinstance(each, dict) and step in (each.get("month"), each.get("category"), each.get("provider_id")):
                return each
    raise UnknownFigureError


def _facts(steps: Sequence[str], name: str, behind: Background) -> Iterable[Record]:
    if name in _DEPLOYED:
        shown = [d for d in behind.deployments if d[1].active or name in ("total_deployments", "total_resource_hours")]
        return (_deployment(name, *each) for each in shown)
    if steps[0] == "activity_patterns":
        return (_minute(at, event) for at, event in behind.minutes)
    if steps[0] == "other_currencies":
        currency = steps[1] if len(steps) > 1 else None
        foreign = (p for p in behind.purchases if p.status in COUNTED and p.currency != OWN_CURRENCY)
        return (_purchase(p) for p in foreign if currency in (None, p.currency))
    matches = _matching(steps, behind.zone)
    own = (p for p in behind.purchases if p.status in COUNTED and p.currency == OWN_CURRENCY)
    rated_only = name in _RATED
    return (_purchase(p) for p in own if matches(p) and (p.rating is not None or not rated_only))


def _matching(steps: Sequence[str], zone: ZoneInfo) -> Callable[[Purchase], bool]:
    tests: list[Callable[[Purchase], bool]] = []
    for where, which in pairwise(steps):
        if where == "spending_trends":
            tests.append(lambda p, which=which: month_of(p.at, zone) == which)  # type: ignore[misc]
        elif where in ("favorite_categories", "categories"):
            tests.append(lambda p, which=which: p.product_type == which)  # type: ignore[misc]
        elif where in ("preferred_providers", "providers"):
            tests.append(lambda p, which=which: p.provider_id == which)  # type: ignore[misc]
    return lambda purchase: all(test(purchase) for test in tests)


def _purchase(p: Purchase) -> Record:
    return {
        "kind": "purchase",
        "id": p.id,
        "label": p.product_name,
        "amount": money(p.spent),
        "value": p.rating,
        "at": _text(p.at),
        "event_ids": list(p.events),
    }


def _deployment(name: str, deployment: Deployment, figures: DeploymentFigures) -> Record:
    shares = {
        "average_uptime": figures.uptime,
        "total_resource_hours": round(figures.hours_run, 1),
        "cost_efficiency_score": figures.uptime,
    }
    cost = figures.monthly_cost
    return {
        "kind": "deployment",
        "id": deployment.id,
        "label": deployment.region,
        "amount": None if cost is None else money(cost),
        "value": shares.get(name),
        "at": _text(deployment.created),
        "event_ids": list(deployment.events),
    }


def _minute(at: datetime, event: str) -> Record:
    return {
        "kind": "activity",
        "id": event,
        "label": "an active minute",
        "amount": None,
        "value": 1.0,
        "at": _text(at),
        "event_ids": [event],
    }


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
