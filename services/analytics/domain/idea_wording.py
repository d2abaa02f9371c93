"""What an idea to spend less says in English: its title, its description, and each of its reasons.

Texts are filled with the idea's params, all of which are strings: money is a decimal in `currency`, and times are in
RFC 3339.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from shared.contracts.analytics_views import IdeaKind, IdeaReason

_TIMES: Final = ("since", "renews_at")
_WORDS: Final[Mapping[IdeaKind, tuple[str, str]]] = {
    "annual_billing": (
        "Pay {product} by the year",
        "You have had {product} since {since:%B %Y}. Paid by the year it would cost less.",
    ),
    "idle_deployment": (
        "Stop the idle deployment of {product}",
        "The deployment in {region} does next to nothing and costs {cost} {currency} a month.",
    ),
    "oversized_deployment": (
        "Scale the deployment of {product} down",
        "Half of the {cores} cores and {memory} GB would do.",
    ),
    "duplicate_product": (
        "Keep one of {kept} and {spare}",
        "Both are {category}. You use {kept} more.",
    ),
    "cheaper_offer": (
        "Change {product} for {offer}",
        "{offer} of {provider} is {category} as well, rated as well, and costs less.",
    ),
    "unused_renewal": (
        "Let {product} end",
        "It renews on {renews_at:%d %B} and you hardly use it.",
    ),
}
_REASONS: Final[Mapping[IdeaReason, str]] = {
    "annual_price": "The annual price is {annual_price} {currency}; twelve months cost {twelve_months} {currency}.",
    "usual_discount": (
        "No annual price is listed; {usual_discount} % is what annual billing usually saves, so this is an estimate."
    ),
    "renews_monthly": "It renews every month.",
    "mean_load": "Its mean load was {load} % in {checks} health reports on {days} days.",
    "counts_as_idle": "Below {idle_below} % a deployment counts as idle.",
    "half_costs_half": "The saving supposes that half of the resources cost half as much.",
    "used_less": "{kept}: {kept_hours} hours used; {spare}: {spare_hours}.",
    "costs_less": "{price} {currency} a month against {offer_price} {currency}.",
    "ratings": "Rated {offer_rating} against {rating}.",
    "not_both_rated": "Not both of them are rated.",
    "same_name": "It is called the same.",
    "same_category": "Look whether it does what you need: only the category is the same.",
    "hours_used": "{hours} hours used since {since:%d %B %Y}.",
}


def texts(kind: IdeaKind, reasons: Sequence[IdeaReason], params: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """The title, the description, and the reasons."""
    values = {name: datetime.fromisoformat(value) if name in _TIMES else value for name, value in params.items()}
    title, description = _WORDS[kind]
    said = [_REASONS[code].format_map(values) for code in reasons]
    return title.format_map(values), description.format_map(values), said
