"""Every code of a notification, once: what kind it is, where it comes from, how serious it is, and its English text.

Texts are filled with the notification's params, all of which are strings; dates are days such as 2026-01-31, and money
is a decimal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from shared.contracts.notification_views import NotificationCode, NotificationKind, Severity
from shared.contracts.types import Section

Origin = Literal["event", "history", "state"]


@dataclass(frozen=True, slots=True)
class About:
    """What all notifications of a code have in common; see services.analytics.domain.settling for `origin`.

    `resolves`: it may come to need nobody's attention any more by itself.
    """

    kind: NotificationKind
    origin: Origin
    severity: Severity
    section: Section
    title: str
    body: str
    resolves: bool = False


ABOUT: Final[Mapping[NotificationCode, About]] = {
    "deployment_error": About(
        "deployment",
        "history",
        "critical",
        "deployments",
        "{product} has failed",
        "The deployment in {region} is in error. The reason given: {reason}",
        resolves=True,
    ),
    "deployment_unhealthy": About(
        "deployment",
        "history",
        "warning",
        "deployments",
        "{product} does not answer",
        "The deployment in {region} is running, but three health checks in a row have failed.",
        resolves=True,
    ),
    "request_refused": About(
        "billing",
        "event",
        "warning",
        "purchases",
        "The marketplace refused a request of yours",
        "{reason}",
    ),
    "purchase_suspended": About(
        "billing",
        "state",
        "critical",
        "purchases",
        "{product} is suspended",
        "The reason given: {reason}",
        resolves=True,
    ),
    "billing_uncovered": About(
        "billing",
        "state",
        "warning",
        "wallet",
        "Your balance does not cover {product}",
        "{amount} {currency} are due on {due_on}, and the wallet has {balance} {currency} for all that is due until"
        " then. Top it up, or the service may be suspended.",
        resolves=True,
    ),
    "service_ending": About(
        "billing",
        "state",
        "info",
        "purchases",
        "{product} ends on {ends_on}",
        "It does not renew by itself.",
        resolves=True,
    ),
    "runway_short": About(
        "billing",
        "state",
        "warning",
        "wallet",
        "Your balance runs out around {out_on}",
        "That is if spending goes on as it was and nothing comes in: {burn} {currency} a day.",
        resolves=True,
    ),
    "refund": About(
        "billing",
        "history",
        "info",
        "wallet",
        "You got {amount} {currency} back",
        "The refund for {product} is in your wallet.",
    ),
    "new_sign_in": About(
        "security",
        "history",
        "warning",
        "profile",
        "New sign-in: {where}",
        "Nobody signed in to your account from there before. If it was not you, change your password: that ends all"
        " other sessions.",
    ),
    "credentials_revealed": About(
        "security",
        "event",
        "info",
        "deployments",
        "Access credentials were shown",
        "Somebody who gave your password looked at those of a deployment. If it was not you, change your password.",
    ),
    "data_exported": About(
        "security",
        "event",
        "warning",
        "profile",
        "A copy of your data was taken",
        "The file holds all {items} things that are kept about you. If it was not you, change your password.",
    ),
    "password_changed": About(
        "security",
        "event",
        "warning",
        "profile",
        "Your password was changed",
        "All other sessions were ended. If it was not you, ask the operators for help at once.",
    ),
    "spending_unusual": About(
        "anomaly",
        "state",
        "warning",
        "analytics",
        "Unusual spending in {month}",
        "{spent} {currency}, which is {difference} {currency} more than usual.",
        resolves=True,
    ),
    "provider_spending_unusual": About(
        "anomaly",
        "state",
        "warning",
        "analytics",
        "Unusual spending on {provider} in {month}",
        "{spent} {currency}, which is {difference} {currency} more than usual.",
        resolves=True,
    ),
    "budget_reached": About(
        "budget",
        "history",
        "warning",
        "analytics",
        "{threshold} % of your budget for {month} is used",
        "{message}",
    ),
    "budget_expected": About(
        "budget",
        "history",
        "info",
        "analytics",
        "Your budget for {month} may not be enough",
        "{message}",
    ),
}


def title_of(code: NotificationCode, params: Mapping[str, str]) -> str:
    """The English title."""
    return ABOUT[code].title.format_map(params)


def body_of(code: NotificationCode, params: Mapping[str, str]) -> str:
    """The English text below it."""
    return ABOUT[code].body.format_map(params)
