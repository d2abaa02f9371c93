"""From an event to the activity that it tells of."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from shared.contracts import dashboard, identity, legacy, marketplace, profile, purchases, wallet
from shared.contracts.envelope import Event, Payload
from shared.contracts.views import ActivityType, Impact
from shared.folds.facts import digest

Metadata = Mapping[str, Any]  # any JSON

IMPACT: Final[Mapping[ActivityType, Impact]] = {
    "marketplace_browse": "low",
    "product_view": "low",
    "login": "medium",
    "logout": "medium",
    "cart_add": "medium",
    "cart_remove": "medium",
    "profile_update": "medium",
    "preferences_update": "medium",
    "service_rating": "medium",
    "support_request": "medium",
    "purchase": "high",
    "service_deploy": "high",
    "app_deploy": "high",
    "wallet_transaction": "high",
    "pool_investment": "high",
    "credentials_reveal": "high",
    "data_export": "high",
    "data_import": "high",
}


class Activity(NamedTuple):
    """One thing that a user did, as the timeline shows it. `time` is in UTC.

    `id` is made from what identifies the thing, so that every telling of it has the same one. Where two events tell of
    the same thing, the later (`time`, then `event`, its rank) wins. `impact` is how much it matters; `low` is what the
    user can forbid us to keep.
    """

    id: str
    user: str
    type: ActivityType
    impact: Impact
    description: str
    time: datetime
    event: str
    metadata: Metadata
    entity_id: str | None = None
    entity_type: str | None = None
    session_id: str | None = None

    @property
    def told_twice(self) -> bool:
        """Whether more than one event may tell of it: a purchase comes by itself and inside a wallet transaction."""
        return self.type == "purchase"


def newest_tellings(activities: Iterable[Activity]) -> list[Activity]:
    """One activity for each id: of several tellings the one that wins."""
    newest: dict[str, Activity] = {}
    for activity in activities:
        known = newest.get(activity.id)
        if known is None or (known.time, known.event) < (activity.time, activity.event):
            newest[activity.id] = activity
    return list(newest.values())


def activity_of(event: Event[Payload]) -> Activity | None:
    """The activity that `event` tells of, as the contract's "Every type's activity" says; None if it tells of none."""
    tell = _TELLERS.get(type(event.data))
    return tell(event, event.data) if tell else None


def _activity(
    event: Event[Payload],
    type: ActivityType,
    description: str,
    *,
    entity: tuple[str | None, str | None] = (None, None),
    session_id: str | None = None,
    thing: tuple[str, ...] = (),
    metadata: Metadata = MappingProxyType({}),
) -> Activity:
    """`thing` identifies what several events may tell of; without it, the event itself is what happened."""
    user = event.data.key
    return Activity(
        id=digest(user, *(thing or ("event", event.source, event.id))),
        user=user,
        type=type,
        impact=IMPACT[type],
        description=description,
        time=event.time,
        event=event.rank,
        metadata={name: value for name, value in metadata.items() if value is not None},
        entity_id=entity[0],
        entity_type=entity[1],
        session_id=session_id,
    )


def _login(event: Event[Payload], data: identity.UserLoggedIn) -> Activity:
    return _activity(event, "login", "Signed in", session_id=data.session_id, metadata={"ip_country": data.ip_country})


def _logout(event: Event[Payload], data: identity.UserLoggedOut) -> Activity:
    return _activity(
        event, "logout", "Signed out", session_id=data.session_id, metadata={"ip_country": data.ip_country}
    )


def _browse(event: Event[Payload], data: marketplace.MarketplaceBrowsed) -> Activity:
    where = f" in {data.category}" if data.category else ""
    what = f"Searched for “{data.query}”{where}" if data.query else f"Browsed the marketplace{where}"
    return _activity(
        event,
        "marketplace_browse",
        what,
        session_id=data.session_id,
        metadata={
            "query": data.query,
            "category": data.category,
            "results": data.results,
        },
    )


def _view(event: Event[Payload], data: marketplace.ProductViewed) -> Activity:
    return _activity(
        event,
        "product_view",
        f"Viewed {data.product_name or data.product_id}",
        entity=(data.product_id, "product"),
        session_id=data.session_id,
        metadata={
            "product_name": data.product_name,
            "product_type": data.product_type,
        },
    )


def _cart_add(event: Event[Payload], data: marketplace.CartItemAdded) -> Activity:
    return _cart(event, data, "cart_add", "Put {} into the cart")


def _cart_remove(event: Event[Payload], data: marketplace.CartItemRemoved) -> Activity:
    return _cart(event, data, "cart_remove", "Took {} out of the cart")


def _cart(
    event: Event[Payload],
    data: marketplace.CartItemAdded | marketplace.CartItemRemoved,
    type: ActivityType,
    sentence: str,
) -> Activity:
    name = data.product_name or data.product_id
    return _activity(
        event,
        type,
        sentence.format(name if data.quantity == 1 else f"{data.quantity} x {name}"),
        entity=(data.product_id, "product"),
        session_id=data.session_id,
        metadata={
            "product_name": data.product_name,
            "quantity": data.quantity,
            "price": _text(data.price),
            "currency": data.currency,
        },
    )


def _purchase(event: Event[Payload], data: marketplace.PurchaseCreated) -> Activity:
    return _bought(event, data, data.transaction_id)


def _bought(event: Event[Payload], bought: marketplace.PurchaseDetails, transaction_id: str | None) -> Activity:
    return _activity(
        event,
        "purchase",
        f"Bought {bought.product_name} from {bought.provider_name} for {_money(bought.amount, bought.currency)}",
        entity=(bought.purchase_id, "purchase"),
        thing=("purchase", bought.purchase_id),
        metadata={
            "product_id": bought.product_id,
            "product_name": bought.product_name,
            "product_type": bought.product_type,
            "provider_id": bought.provider_id,
            "provider_name": bought.provider_name,
            "amount": _text(bought.amount),
            "currency": bought.currency,
            "billing_cycle": bought.billing_cycle,
            "transaction_id": transaction_id,
        },
    )


def _deployment(event: Event[Payload], data: marketplace.DeploymentCreated) -> Activity:
    return _activity(
        event,
        "service_deploy" if data.kind == "service" else "app_deploy",
        f"Deployed {'a service' if data.kind == 'service' else 'an app'} in {data.region}",
        entity=(data.deployment_id, data.kind),
        metadata={
            "purchase_id": data.purchase_id,
            "region": data.region,
            "node_id": data.node_id,
            "monthly_cost": _text(data.monthly_cost),
        },
    )


def _rating(event: Event[Payload], data: marketplace.PurchaseRated) -> Activity:
    return _activity(
        event,
        "service_rating",
        f"Rated a purchase {data.rating:g} of 5",
        entity=(data.purchase_id, "purchase"),
        metadata={
            "rating": data.rating,
            "review": data.review,
        },
    )


def _revealed(event: Event[Payload], data: purchases.CredentialsRevealed) -> Activity:
    return _activity(
        event, "credentials_reveal", "Looked at a deployment's credentials", entity=(data.deployment_id, "deployment")
    )


def _ticket(event: Event[Payload], data: marketplace.SupportTicketOpened) -> Activity:
    return _activity(
        event,
        "support_request",
        f"Asked for support: {data.subject}" if data.subject else "Asked for support",
        entity=(data.ticket_id, "support_ticket"),
        metadata={"purchase_id": data.purchase_id, "subject": data.subject},
    )


_TRANSACTIONS: Final[Mapping[wallet.TransactionKind, str]] = {
    "top_up": "Topped up the wallet with",
    "withdrawal": "Withdrew",
    "transfer_in": "Received",
    "transfer_out": "Sent",
    "refund": "Was refunded",
    "pool_investment": "Invested",
    "pool_return": "Got back from a pool",
    "reward": "Was rewarded with",
    "fee": "Paid a fee of",
}


def _transaction(event: Event[Payload], data: wallet.WalletTransactionPosted) -> Activity | None:
    """A purchase's transaction is the purchase's activity; without the purchase in it, the purchase tells of itself."""
    if data.kind == "purchase":
        return _bought(event, data.purchase, data.transaction_id) if data.purchase else None
    return _activity(
        event,
        "pool_investment" if data.kind == "pool_investment" else "wallet_transaction",
        f"{_TRANSACTIONS[data.kind]} {_money(abs(data.amount), data.currency)}",
        entity=(data.transaction_id, "transaction"),
        metadata={
            "kind": data.kind,
            "amount": _text(data.amount),
            "currency": data.currency,
            "balance_after": _text(data.balance_after),
            "note": data.description,
            "related_entity_id": data.related_entity_id,
            "related_entity_type": data.related_entity_type,
        },
    )


def _profile(event: Event[Payload], data: profile.ProfileUpdated) -> Activity:
    return _activity(
        event, "profile_update", _updated("profile", data.changed), metadata={"changed": data.changed or None}
    )


def _preferences(event: Event[Payload], data: profile.PreferencesUpdated) -> Activity:
    return _activity(
        event, "preferences_update", _updated("preferences", data.changed), metadata={"changed": data.changed or None}
    )


def _exported(event: Event[Payload], data: profile.DataExported) -> Activity:
    return _activity(event, "data_export", "Took a copy of everything", metadata={"items": data.items})


def _imported(event: Event[Payload], data: profile.DataImported) -> Activity:
    return _activity(
        event, "data_import", "Put a copy of everything back", metadata={"items": data.items, "added": data.added}
    )


_REPORTED: Final[Mapping[str, str]] = {
    "marketplace_browse": "Browsed the marketplace",
    "product_view": "Viewed a product",
    "cart_add": "Put a product into the cart",
    "cart_remove": "Took a product out of the cart",
}


def _reported(event: Event[Payload], data: dashboard.ActivityReported) -> Activity:
    return _activity(
        event,
        data.activity_type,
        data.description or _REPORTED[data.activity_type],
        entity=(data.related_entity_id, data.related_entity_type),
        session_id=data.session_id,
        metadata=data.metadata,
    )


def _found(event: Event[Payload], data: legacy.LegacyActivityFound) -> Activity:
    return _activity(
        event,
        data.activity_type,
        data.description or data.activity_type.replace("_", " ").capitalize(),
        entity=(data.related_entity_id, data.related_entity_type),
        session_id=data.session_id,
        metadata=data.metadata,
    )


def _updated(what: str, changed: list[str]) -> str:
    return f"Updated the {what}: {', '.join(changed)}" if changed else f"Updated the {what}"


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _money(amount: Decimal, currency: str) -> str:
    return f"{amount:f} {currency}"


_TELLERS: Final[Mapping[type[Payload], Callable[[Event[Payload], Any], Activity | None]]] = {
    identity.UserLoggedIn: _login,
    identity.UserLoggedOut: _logout,
    marketplace.MarketplaceBrowsed: _browse,
    marketplace.ProductViewed: _view,
    marketplace.CartItemAdded: _cart_add,
    marketplace.CartItemRemoved: _cart_remove,
    marketplace.PurchaseCreated: _purchase,
    marketplace.DeploymentCreated: _deployment,
    marketplace.PurchaseRated: _rating,
    marketplace.SupportTicketOpened: _ticket,
    purchases.CredentialsRevealed: _revealed,
    wallet.WalletTransactionPosted: _transaction,
    profile.ProfileUpdated: _profile,
    profile.PreferencesUpdated: _preferences,
    profile.DataExported: _exported,
    profile.DataImported: _imported,
    dashboard.ActivityReported: _reported,
    legacy.LegacyActivityFound: _found,
}
USED_PAYLOADS: Final[tuple[type[Payload], ...]] = (*_TELLERS, legacy.LegacyPreferencesFound)
