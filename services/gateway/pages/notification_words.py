"""What notifications say in the user's language, and where they lead."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from babel.dates import format_date

from services.gateway.pages.show import Show
from services.gateway.pages.things import Place, address_of
from services.gateway.pages.view import HOME
from services.gateway.pages.words import N_
from shared.contracts.notification_views import NotificationCode

_REASON: Final = N_("The reason given: %(reason)s")
WORDS: Final[Mapping[NotificationCode, tuple[str, str]]] = {
    "deployment_error": (N_("%(product)s has failed"), N_("It ran in %(region)s. The reason given: %(reason)s")),
    "deployment_unhealthy": (
        N_("%(product)s does not answer"),
        N_("It is running in %(region)s, but three health checks in a row have failed."),
    ),
    "request_refused": (N_("The marketplace refused a request of yours"), _REASON),
    "purchase_suspended": (N_("%(product)s is suspended"), _REASON),
    "billing_uncovered": (
        N_("Your balance does not cover %(product)s"),
        N_(
            "%(amount)s are due on %(due_on)s, and your wallet has %(balance)s for all that is due until then."
            " Top it up, or the service may be suspended."
        ),
    ),
    "service_ending": (N_("%(product)s ends on %(ends_on)s"), N_("It does not renew by itself.")),
    "runway_short": (
        N_("Your balance runs out around %(out_on)s"),
        N_("That is if spending goes on as it was, at %(burn)s a day, and nothing comes in."),
    ),
    "refund": (N_("You got %(amount)s back"), N_("The refund for %(product)s is in your wallet.")),
    "new_sign_in": (
        N_("New sign-in: %(where)s"),
        N_(
            "Nobody signed in to your account from there before. If it was not you, change your password: that ends"
            " all other sessions."
        ),
    ),
    "credentials_revealed": (
        N_("Access credentials were shown"),
        N_(
            "Somebody who gave your password looked at the credentials of a deployment. If it was not you, change your "
            "password."
        ),
    ),
    "data_exported": (
        N_("A copy of your data was taken"),
        N_("The file holds all %(items)s things that are kept about you. If it was not you, change your password."),
    ),
    "password_changed": (
        N_("Your password was changed"),
        N_("All other sessions were ended. If it was not you, ask the operators for help at once."),
    ),
    "spending_unusual": (
        N_("Unusual spending in %(month)s"),
        N_("%(spent)s, which is %(difference)s more than usual."),
    ),
    "provider_spending_unusual": (
        N_("Unusual spending on %(provider)s in %(month)s"),
        N_("%(spent)s, which is %(difference)s more than usual."),
    ),
    "budget_reached": (
        N_("%(threshold)s of your budget for %(month)s is used"),
        N_("Look at what it went to, and what is still to come."),
    ),
    "budget_expected": (
        N_("Your budget for %(month)s may not be enough"),
        N_("If spending goes on as it does, it is used up before the month is over."),
    ),
}
_PLACES: Final[Mapping[NotificationCode, str]] = {
    "new_sign_in": "account",
    "data_exported": "account",
    "password_changed": "account",
    "request_refused": "purchases",
}
_AMOUNTS: Final = ("amount", "balance", "burn", "spent", "difference")
_DAYS: Final = ("due_on", "ends_on", "out_on")
_ENTITIES: Final[Mapping[str, Place]] = {"deployment": "deployments", "purchase": "purchases"}


def texts(show: Show, notification: Mapping[str, Any]) -> tuple[str, str]:  # Any: JSON
    """The title and the body in the user's language; the service's own English for a code or params unknown here."""
    try:
        title, body = WORDS[notification["code"]]
        values = _values(show, notification["params"])
        return show.gettext(title) % values, show.gettext(body) % values
    except (KeyError, ValueError, InvalidOperation):
        return notification["title"], notification["body"]


def place_of(notification: Mapping[str, Any]) -> str:  # Any: JSON
    """The page of what it is about."""
    about, place = notification["related_entity_id"], _ENTITIES.get(notification["related_entity_type"] or "")
    if about and place:
        return address_of(place, about)
    return f"{HOME}/{_PLACES.get(notification['code'], notification['section'])}"


def _values(show: Show, params: Mapping[str, str]) -> dict[str, str]:
    """The params as the user reads them. Raises ValueError, KeyError or InvalidOperation for one that is none."""
    currency = params.get("currency", "")
    shown: Mapping[str, Callable[[str], str]] = {
        **dict.fromkeys(_AMOUNTS, lambda value: show.money_text(Decimal(value), currency)),
        **dict.fromkeys(_DAYS, lambda value: _day(show, value)),
        "month": show.month,
        "threshold": lambda value: show.percent(float(value)),
        "items": lambda value: show.number(int(value)),
    }
    values = {name: shown[name](value) if name in shown else value for name, value in params.items()}
    if "country" in params:
        places = (params["browser"], params["country"] and show.country(params["country"]))
        values["where"] = ", ".join(filter(None, places))
    return values


def _day(show: Show, day: str) -> str:
    return str(format_date(date.fromisoformat(day), "long", locale=show.locale))
