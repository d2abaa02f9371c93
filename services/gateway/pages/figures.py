"""The figures of the usage statistics: what each is called, and how its value is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal

from babel.dates import get_day_names
from markupsafe import Markup

from services.gateway.pages.show import Show
from services.gateway.pages.words import N_

Kind = Literal["money", "count", "percent", "score", "stars", "hours", "minutes", "a_week", "clock", "day", "time"]
_DASH: Final = "\N{EN DASH}"
_ENGLISH_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Figure:
    """`label` is a text of the catalogues; `formula` says how it is worked out, in the service's own words."""

    label: str
    kind: Kind
    formula: str


_SPENT: Final = N_(
    "The sum of the amounts of the purchases that are active or completed, less the refunds that name them."
)
_COUNT: Final = N_("The number of purchases that are active or completed.")
FIGURES: Final[Mapping[str, Figure]] = {
    "total_spent": Figure(N_("Total spent"), "money", _SPENT),
    "total_purchases": Figure(N_("Purchases"), "count", _COUNT),
    "purchase_count": Figure(N_("Purchases"), "count", _COUNT),
    "other_currencies": Figure(
        N_("Other currencies"),
        "money",
        N_("What was spent in another currency, apart, because no rate is published."),
    ),
    "average_monthly_spending": Figure(
        N_("Average a month"),
        "money",
        N_("The total spent divided by the months since the first purchase, this one included."),
    ),
    "average_per_purchase": Figure(
        N_("Average a purchase"), "money", N_("The month's spending divided by its purchases.")
    ),
    "percentage_of_total": Figure(
        N_("Share of the total"), "percent", N_("The spending on these purchases as a share of the total.")
    ),
    "last_purchase": Figure(N_("Last purchase"), "time", N_("The latest of these purchases.")),
    "average_rating": Figure(
        N_("Average rating"), "stars", N_("The mean of the ratings that you gave these purchases.")
    ),
    "satisfaction_score": Figure(
        N_("Satisfaction"),
        "score",
        N_("(6 + the sum of your ratings) / (2 + their number), on a scale from 0 (1 star) to 100 (5)."),
    ),
    "categories": Figure(N_("Product type"), "money", _SPENT),
    "providers": Figure(N_("Provider"), "money", _SPENT),
    "total_deployments": Figure(N_("Deployments ever"), "count", N_("All deployments that there ever were.")),
    "active_deployments": Figure(
        N_("Active deployments"), "count", N_("The deployments of purchases that are active.")
    ),
    "average_uptime": Figure(
        N_("Average uptime"),
        "percent",
        N_("The mean uptime of the last 30 days of the deployments that were expected to be up then."),
    ),
    "total_resource_hours": Figure(
        N_("Hours run"), "hours", N_("The hours in which the deployments were running or being scaled, added up.")
    ),
    "monthly_costs": Figure(N_("Cost a month"), "money", N_("What the active deployments cost a month, added up.")),
    "cost_efficiency_score": Figure(
        N_("Cost efficiency"),
        "score",
        N_("The share of the monthly costs that pays for what is in use: load times uptime, by cost."),
    ),
    "most_active_hours": Figure(
        N_("Busiest hours"), "clock", N_("The hours of your day with the most active minutes in the last 90 days.")
    ),
    "most_active_days": Figure(
        N_("Busiest days"), "day", N_("The days of your week with the most active minutes in the last 90 days.")
    ),
    "peak_usage_times": Figure(
        N_("Peak times"), "day", N_("The hours of your week with the most active minutes in the last 90 days.")
    ),
    "session_frequency": Figure(
        N_("Sessions a week"), "a_week", N_("The sessions of the last 90 days, per week since the first of them.")
    ),
    "average_session_duration": Figure(
        N_("Length of a session"),
        "minutes",
        N_("The mean time between the first and the last thing done in a session."),
    ),
}


def named(figure: str) -> Figure | None:
    """The figure at a path into the statistics, such as `spending_trends/2026-01/total_spent`."""
    return next((FIGURES[step] for step in reversed(figure.split("/")) if step in FIGURES), None)


def shown(show: Show, kind: Kind, value: Any, currency: str) -> str | Markup:  # Any: JSON
    """The value as the user reads it; a dash where there is none."""
    if value is None or value in ([], {}):
        return _DASH
    if isinstance(value, dict):
        return show.monies(value) if kind == "money" else _DASH
    if isinstance(value, list):
        return Markup(", ").join(shown(show, kind, each, currency) for each in value)
    return _one(show, kind, value, currency)


def _one(show: Show, kind: Kind, value: Any, currency: str) -> str | Markup:  # Any: JSON
    match kind:
        case "money":
            return show.money(Decimal(value), currency)
        case "percent":
            return show.percent(value, 2)
        case "score":
            return _with_unit(show.number(value, 1), show.gettext("of 100"))
        case "stars":
            return _with_unit(show.number(value, 2), show.gettext("of 5"))
        case "hours":
            return _with_unit(show.number(value, 1), show.gettext("h"))
        case "minutes":
            return show.duration(value * 60)
        case "clock":
            return hour_of(value)
        case "day":
            return day_of(show, value)
        case "time":
            return show.time(value)
        case "count" | "a_week":
            return show.number(value, 1)


def _with_unit(number: str, unit: str) -> Markup:
    return Markup('<span class="number">{}&nbsp;<small>{}</small></span>').format(number, unit)


def hour_of(hour: int) -> str:
    """An hour of the day, 0 to 23, as from when to when."""
    return f"{hour:02}:00\N{EN DASH}{(hour + 1) % 24:02}:00"


def day_of(show: Show, text: str) -> str:
    """An English weekday, or one with hours behind it, in the user's language."""
    day, _, rest = text.partition(" ")
    if day not in _ENGLISH_DAYS:
        return text
    name = str(get_day_names("wide", locale=show.locale)[_ENGLISH_DAYS.index(day)])
    return f"{name} {rest.replace('-', _DASH)}" if rest else name
