"""Why a figure is what it is: how it is worked out, and the purchases, deployments and minutes that it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal

from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.things import Deployment, Purchase
from services.analytics.domain.usage import DeploymentFigures
from shared.folds.purchase import money

Record = dict[str, Any]  # JSON
MOST: Final = 500

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
class Choice:
    """The purchases that a figure is made of: those that count, in the marketplace's currency unless it is said.

    `foreign`: those in the others; `currency`: only those in this one. `rated`: only those that the user rated.
    """

    month: str | None = None
    product_type: str | None = None
    provider_id: str | None = None
    foreign: bool = False
    currency: str | None = None
    rated: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """A figure at a path of `UsageStatistics`: its value, how it is called there, and what it is made of."""

    figure: str
    value: Any  # JSON
    name: str
    made_of: Literal["purchases", "deployments", "minutes"]
    choice: Choice = Choice()


def question(figure: str, usage: Mapping[str, Any]) -> Question:
    """What is asked for. Raises UnknownFigureError."""
    steps = figure.split("/")
    value = _value(usage, steps)
    name = next((step for step in reversed(steps) if step in _FORMULAS), None)
    if name is None:
        raise UnknownFigureError
    if name in _DEPLOYED:
        return Question(figure, value, name, "deployments")
    if steps[0] == "activity_patterns":
        return Question(figure, value, name, "minutes")
    return Question(figure, value, name, "purchases", _choice(steps, name))


def explanation(asked: Question, facts: Iterable[Record], total: int, not_counted: int) -> Record:
    """`Explanation` of a figure, by the first MOST of the `total` facts that it is made of."""
    return {
        "figure": asked.figure,
        "value": asked.value,
        "formula": _FORMULAS[asked.name],
        "facts": list(facts),
        "total_facts": total,
        "not_counted": not_counted,
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


def _choice(steps: Sequence[str], name: str) -> Choice:
    if steps[0] == "other_currencies":
        return Choice(foreign=True, currency=steps[1] if len(steps) > 1 else None)
    which = dict(pairwise(steps))
    return Choice(
        month=which.get("spending_trends"),
        product_type=which.get("favorite_categories") or which.get("categories"),
        provider_id=which.get("preferred_providers") or which.get("providers"),
        rated=name in _RATED,
    )


def deployments_of(
    asked: Question, every: Iterable[tuple[Deployment, DeploymentFigures]]
) -> list[tuple[Deployment, DeploymentFigures]]:
    """Those of the user's deployments that the figure is made of."""
    with_the_rest = asked.name in ("total_deployments", "total_resource_hours")
    return [each for each in every if each[1].active or with_the_rest]


def purchase_fact(p: Purchase) -> Record:
    """A purchase as a fact of a figure."""
    return {
        "kind": "purchase",
        "id": p.id,
        "label": p.product_name,
        "amount": money(p.spent),
        "currency": p.currency,
        "value": p.rating,
        "at": _text(p.at),
        "event_ids": list(p.events),
    }


def deployment_fact(asked: Question, deployment: Deployment, figures: DeploymentFigures) -> Record:
    """A deployment as a fact of a figure."""
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
        "currency": None if cost is None else OWN_CURRENCY,
        "value": shares.get(asked.name),
        "at": _text(deployment.created),
        "event_ids": list(deployment.events),
    }


def minute_fact(at: datetime, event: str) -> Record:
    """An active minute, with an event in it, as a fact of a figure."""
    return {
        "kind": "activity",
        "id": event,
        "label": "an active minute",
        "amount": None,
        "currency": None,
        "value": 1.0,
        "at": _text(at),
        "event_ids": [event],
    }


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
