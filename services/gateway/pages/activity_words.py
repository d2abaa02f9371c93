"""What the timeline says in the user's language.

An activity's description is the activity service's own English sentence, or somebody else's words: a client's, or those
of the marketplace's old files. It is its own where one of its sentences, filled with what the activity holds, is the
description; that sentence is then said in the user's language. Any other text stays as it is.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeGuard

from services.gateway.pages import preferences, profile
from services.gateway.pages.show import Show
from services.gateway.pages.words import N_, WORDS
from shared.contracts.views import ActivityType

Json = Any  # a `UserActivity`, or what is in its metadata
Told = tuple[str, str]  # as the activity service writes it, and as the user reads it


SENTENCES: Final[Mapping[ActivityType, tuple[str, ...]]] = {
    "login": (N_("Signed in"),),
    "logout": (N_("Signed out"),),
    "marketplace_browse": (
        N_("Browsed the marketplace"),
        N_("Browsed the marketplace in %(category)s"),
        N_("Searched for “%(query)s”"),
        N_("Searched for “%(query)s” in %(category)s"),
    ),
    "product_view": (N_("Viewed %(product)s"), N_("Viewed a product")),
    "cart_add": (N_("Put %(item)s into the cart"), N_("Put a product into the cart")),
    "cart_remove": (N_("Took %(item)s out of the cart"), N_("Took a product out of the cart")),
    "purchase": (N_("Bought %(product)s from %(provider)s for %(amount)s"),),
    "service_deploy": (N_("Deployed a service in %(region)s"),),
    "app_deploy": (N_("Deployed an app in %(region)s"),),
    "profile_update": (N_("Updated the profile"), N_("Updated the profile: %(changed)s")),
    "preferences_update": (N_("Updated the preferences"), N_("Updated the preferences: %(changed)s")),
    "wallet_transaction": (
        N_("Topped up the wallet with %(amount)s"),
        N_("Withdrew %(amount)s"),
        N_("Received %(amount)s"),
        N_("Sent %(amount)s"),
        N_("Was refunded %(amount)s"),
        N_("Got back from a pool %(amount)s"),
        N_("Was rewarded with %(amount)s"),
        N_("Paid a fee of %(amount)s"),
    ),
    "pool_investment": (N_("Invested %(amount)s"),),
    "service_rating": (N_("Rated a purchase %(rating)s of 5"),),
    "support_request": (N_("Asked for support"), N_("Asked for support: %(subject)s")),
    "credentials_reveal": (N_("Looked at a deployment's credentials"),),
    "data_export": (N_("Took a copy of everything"),),
    "data_import": (N_("Put a copy of everything back"),),
}
_NAMES: Final = {
    "query": N_("Query"),
    "category": N_("Category"),
    "results": N_("Results"),
    "product_name": N_("Product"),
    "product_type": N_("Product type"),
    "product_id": N_("Product number"),
    "provider_name": N_("Provider"),
    "provider_id": N_("Provider number"),
    "quantity": N_("Quantity"),
    "price": N_("Price"),
    "amount": N_("Amount"),
    "currency": N_("Currency"),
    "billing_cycle": N_("Billing"),
    "balance_after": N_("Balance after it"),
    "monthly_cost": N_("Monthly cost"),
    "kind": N_("Kind"),
    "note": N_("Note"),
    "transaction_id": N_("Transaction"),
    "purchase_id": N_("Purchase"),
    "related_entity_id": N_("Concerns"),
    "related_entity_type": N_("Kind of thing"),
    "region": N_("Region"),
    "node_id": N_("Node"),
    "rating": N_("Rating"),
    "review": N_("Review"),
    "subject": N_("Subject"),
    "ip_country": N_("Country"),
    "changed": N_("Changed"),
    "items": N_("Items"),
    "added": N_("Added"),
}
_FIELDS: Final = {**profile.LABELS, **preferences.LABELS}
_WORDED: Final = ("product_type", "billing_cycle", "kind", "related_entity_type")
_MONEY: Final = ("price", "amount", "balance_after", "monthly_cost")
_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,8})?")
_MOST_STARS: Final = 5
_GREATEST: Final = 10**15


def described(show: Show, activity: Json) -> str:
    """What the user did, in their language where the activity service said it."""
    said, kind = str(activity["description"]), activity["activity_type"]
    told = _told(show, activity)
    own = {name: english for name, (english, _) in told.items()}
    for sentence in SENTENCES.get(kind, ()):
        if _filled(sentence, own) == said:
            return show.gettext(sentence) % {name: shown for name, (_, shown) in told.items()}
    return show.word(kind) if said == kind.replace("_", " ").capitalize() else said


def details(show: Show, activity: Json) -> list[tuple[str, str]]:
    """What else the event said, each with its name."""
    held = activity["metadata"]
    return [
        (show.gettext(_NAMES[name]) if name in _NAMES else name.replace("_", " "), _shown(show, held, name))
        for name in held
        if name != "currency" or not any(_is_amount(held.get(each)) for each in _MONEY)
    ]


def _filled(sentence: str, values: Mapping[str, str]) -> str | None:
    try:
        return sentence % values
    except KeyError:
        return None


def _told(show: Show, activity: Json) -> dict[str, Told]:
    """What may fill a sentence."""
    held = activity["metadata"]
    product = held.get("product_name") or activity["related_entity_id"]
    texts = {"product": product, "provider": held.get("provider_name")}
    texts |= {name: held.get(name) for name in ("query", "region", "subject")}
    told = {name: (value, value) for name, value in texts.items() if isinstance(value, str)}
    if "product" in told and isinstance(number := held.get("quantity"), int):
        several = f"{number} x {product}", f"{show.number(number)} \N{MULTIPLICATION SIGN} {product}"
        told["item"] = several if number != 1 else told["product"]
    return told | dict(_values(show, held))


def _values(show: Show, held: Mapping[str, Json]) -> Iterator[tuple[str, Told]]:
    if isinstance(category := held.get("category"), str):
        yield "category", (category, show.word(category))
    if _is_amount(amount := held.get("amount")) and isinstance(currency := held.get("currency"), str):
        amount = amount.removeprefix("-")
        yield "amount", (f"{amount} {currency}", show.money_text(amount, currency))
    if isinstance(rating := held.get("rating"), int | float) and 0 <= rating <= _MOST_STARS:
        yield "rating", (f"{rating:g}", show.number(rating, 1))
    if isinstance(changed := held.get("changed"), list):
        yield "changed", (", ".join(map(str, changed)), _fields(show, changed))


def _shown(show: Show, held: Mapping[str, Json], name: str) -> str:
    value = held[name]
    if name in _MONEY and _is_amount(value):
        return show.money_text(value, str(held.get("currency") or "")).strip()
    if name in _WORDED and isinstance(value, str) and value in WORDS:
        return show.word(value)
    if name == "ip_country" and isinstance(value, str):
        return show.country(value)
    if name == "changed" and isinstance(value, list):
        return _fields(show, value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _GREATEST:
        return show.number(value, 2)
    return "\N{EN DASH}" if value is None else str(value)


def _fields(show: Show, changed: list[Json]) -> str:
    return ", ".join(show.gettext(_FIELDS[name]) if name in _FIELDS else name for name in map(str, changed))


def _is_amount(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and bool(_DECIMAL.fullmatch(value))
