"""What ideas to spend less, and reasons to try a product, say in the user's language."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from services.gateway.pages.show import Show
from services.gateway.pages.words import N_
from shared.contracts.analytics_recommend import EvidenceKind
from shared.contracts.analytics_views import IdeaKind, IdeaReason
from shared.contracts.types import ProductType

Json = Any  # what the analytics service answers
IDEAS: Final[Mapping[IdeaKind, tuple[str, str]]] = {
    "annual_billing": (
        N_("Pay %(product)s by the year"),
        N_("You have had %(product)s since %(month)s. Paid by the year it would cost less."),
    ),
    "idle_deployment": (
        N_("Stop the idle deployment of %(product)s"),
        N_("The deployment in %(region)s does next to nothing and costs %(cost)s a month."),
    ),
    "oversized_deployment": (
        N_("Scale the deployment of %(product)s down"),
        N_("Half of the %(cores)s cores and %(memory)s GB would do."),
    ),
    "duplicate_product": (
        N_("Keep one of %(kept)s and %(spare)s"),
        N_("Both are of the category %(category)s. You use %(kept)s more."),
    ),
    "cheaper_offer": (
        N_("Change %(product)s for %(offer)s"),
        N_("%(offer)s of %(provider)s is of the category %(category)s as well, rated as well, and costs less."),
    ),
    "unused_renewal": (N_("Let %(product)s end"), N_("It renews on %(renews_at)s and you hardly use it.")),
}
IDEA_REASONS: Final[Mapping[IdeaReason, str]] = {
    "annual_price": N_("The annual price is %(annual_price)s; twelve months cost %(twelve_months)s."),
    "usual_discount": N_(
        "No annual price is listed; %(usual_discount)s is what annual billing usually saves, so this is an estimate."
    ),
    "renews_monthly": N_("It renews every month."),
    "mean_load": N_("Its mean load was %(load)s in %(checks)s health reports on %(days)s days."),
    "counts_as_idle": N_("Below %(idle_below)s a deployment counts as idle."),
    "half_costs_half": N_("The saving supposes that half of the resources cost half as much."),
    "used_less": N_("Hours used: %(kept)s %(kept_hours)s, %(spare)s %(spare_hours)s."),
    "costs_less": N_("%(price)s a month against %(offer_price)s."),
    "ratings": N_("Rated %(offer_rating)s against %(rating)s."),
    "not_both_rated": N_("Not both of them are rated."),
    "same_name": N_("It is called the same."),
    "same_category": N_("Look whether it does what you need: only the category is the same."),
    "hours_used": N_("Hours used since %(since)s: %(hours)s."),
}
PRODUCT_REASONS: Final[Mapping[EvidenceKind, str]] = {
    "bought_together": N_("Bought together with %(product)s by %(count)s others"),
    "looked_at": N_("You looked at it on %(count)s days"),
    "rated_provider": N_("You rated %(provider)s %(rating)s"),
    "provider": N_("You looked at products of %(provider)s %(count)s times, more than most do"),
    "category": N_("You looked at products in %(category)s %(count)s times, more than most do"),
    "preferred_provider": N_("%(provider)s is one of your preferred providers"),
    "default_category": N_("%(category)s is your default category"),
    "popular": N_("Popular among buyers of %(things)s: %(count)s of them have it"),
    "well_rated": N_("Rated %(rating)s of 5 on the marketplace"),
}
_THINGS: Final[Mapping[ProductType, str]] = {
    "service": N_("services"),
    "application": N_("applications"),
    "compute_slice": N_("compute slices"),
    "storage": N_("storage"),
    "network": N_("network products"),
}
_MONEY: Final = ("annual_price", "twelve_months", "cost", "price", "offer_price")
_SHARES: Final = ("usual_discount", "load", "idle_below")
_NUMBERS: Final = ("cores", "memory", "checks", "days", "kept_hours", "spare_hours", "hours", "rating", "offer_rating")
_UNSAID: Final = (KeyError, ValueError, InvalidOperation)


class Idea(NamedTuple):
    """An idea to spend less, as the user reads it."""

    title: str
    description: str
    reasons: list[str]


def idea_texts(show: Show, idea: Json) -> Idea:
    """A `SpendingRecommendation` in the user's language; in the service's English where it has no codes known here."""
    try:
        values = _values(show, idea["params"])
        title, description = (show.gettext(text) % values for text in IDEAS[idea["type_"]])
        reasons = [show.gettext(IDEA_REASONS[code]) % values for code in idea["reason_codes"]]
    except _UNSAID:
        return Idea(idea["title"], idea["description"], idea["reasons"])
    return Idea(title, description, reasons)


def reason_text(show: Show, reason: str, evidence: Json | None) -> str:
    """A reason to try a product in the user's language; `reason`, which is English, where the evidence does not say."""
    said = evidence or {}
    try:
        text, count = PRODUCT_REASONS[said["kind"]], show.number(said["count"] or 0)
        told = show.gettext(text) % {**_values(show, said["params"]), "count": count}
    except _UNSAID:
        return reason
    return told


def _values(show: Show, params: Mapping[str, str]) -> dict[str, str]:
    """The params as the user reads them. Raises ValueError, KeyError or InvalidOperation for one that is none."""
    shown: Mapping[str, Callable[[str], str]] = {
        **dict.fromkeys(_MONEY, lambda value: show.money_text(Decimal(value), params["currency"])),
        **dict.fromkeys(_SHARES, lambda value: show.percent(float(value))),
        **dict.fromkeys(_NUMBERS, lambda value: show.number(float(value), 2)),
        "since": show.short_date,
        "renews_at": show.short_date,
        "category": show.word,
    }
    values = {name: shown[name](value) if name in shown else value for name, value in params.items()}
    if "since" in params:
        values["month"] = show.month(f"{show.local(params['since']):%Y-%m}")
    if product_type := params.get("product_type"):
        values["things"] = show.gettext(_THINGS[product_type])  # type: ignore[index]
    return values
