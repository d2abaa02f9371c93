"""Facts: what one event says about one field of one thing. A thing's state is the set of what was said about it.

A field holds what was said last: the later `time` wins, then the greater event id, then the greater source. A
collection (`history`, `tickets`, `checks`) holds one such field for each of its members. Merging is therefore
commutative, associative and idempotent: any order, any duplicates and any batches give the same state.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal

from shared.contracts import identity, marketplace, profile, wallet
from shared.contracts.envelope import Event, Payload
from shared.contracts.times import microseconds

Kind = Literal["purchase", "deployment", "health", "transaction", "pool", "command", "settings"]
Value = Any  # what a field holds: strings, numbers, Decimals, and mappings of them
Stamp = tuple[int, int, str]  # weight, microseconds since 1970, the event's rank

CREDENTIALS: Final = "credentials"
SETTINGS: Final = "settings"  # the id of the one thing of that kind that a user has
CHECK_SLOT: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Fact:
    """`field` of the thing `kind`/`id` of `user` is `value`, says the event of this stamp.

    With `member`, the field is a collection and the fact is about that member of it.
    """

    kind: Kind
    user: str
    id: str
    field: str
    value: Value
    stamp: Stamp
    member: str | None = None

    @property
    def key(self) -> str:
        """Names the thing among all things of its kind; holds nothing of the user."""
        return key_of(self.user, self.id)


def key_of(user: str, id: str) -> str:
    """The key of a user's thing: 32 hexadecimal digits."""
    return digest(user, id)


def digest(*parts: str) -> str:
    """32 hexadecimal digits that stand for the parts."""
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def facts_of(event: Event[Payload]) -> list[Fact]:
    """Everything that `event` says about purchases, deployments, the wallet, and how the user wants them."""
    say = _SAYINGS.get(type(event.data))
    return list(say(_About(event), event.data)) if say else []


class _About:
    """Makes the facts of one event."""

    def __init__(self, event: Event[Payload]) -> None:
        self.event = event
        self._user = event.data.key
        self._at = microseconds(event.time)
        self._rank = event.rank

    def say(self, kind: Kind, id: str, field: str, value: Value, *, member: str | None = None, weight: int = 0) -> Fact:
        return Fact(kind, self._user, id, field, value, (weight, self._at, self._rank), member)

    def said(self, kind: Kind, id: str, fields: Mapping[str, Value]) -> Iterator[Fact]:
        """A fact for each field that the event gives; what it leaves out it says nothing about."""
        return (self.say(kind, id, field, value) for field, value in fields.items() if value is not None)

    def move(self, kind: Kind, id: str, status: str, reason: str | None = None, command_id: str | None = None) -> Fact:
        """One move in the history; each event is a member of its own."""
        move = {"status": status, "reason": reason, "command_id": command_id}
        return self.say(kind, id, "history", move, member=digest(self.event.source, self.event.id))


def _created(about: _About, data: marketplace.PurchaseCreated) -> Iterator[Fact]:
    return _bought(about, data, data.transaction_id)


def _bought(about: _About, bought: marketplace.PurchaseDetails, transaction_id: str | None) -> Iterator[Fact]:
    id = bought.purchase_id  # noqa: A001
    yield about.say("purchase", id, "details", _details(bought))
    yield about.say("purchase", id, "told_at", microseconds(about.event.time))
    yield from about.said(
        "purchase",
        id,
        {
            "transaction_id": transaction_id,
            "purchase_date": bought.purchase_date and microseconds(bought.purchase_date),
            "billing_cycle": bought.billing_cycle,
            "period": bought.service_period and _period(bought.service_period),
            "command_id": bought.command_id,
        },
    )
    if bought.status is not None:
        yield about.move("purchase", id, bought.status)


def _details(bought: marketplace.PurchaseDetails) -> Value:
    return {
        "product_id": bought.product_id,
        "product_name": bought.product_name,
        "product_type": bought.product_type,
        "provider_id": bought.provider_id,
        "provider_name": bought.provider_name,
        "amount": bought.amount,
        "currency": bought.currency,
    }


def _period(period: marketplace.ServicePeriod) -> Value:
    return {
        "start_date": microseconds(period.start_date),
        "end_date": period.end_date and microseconds(period.end_date),
        "auto_renewal": period.auto_renewal,
        "hours_used": period.hours_used,
        "sessions_completed": period.sessions_completed,
        "next_billing_date": period.next_billing_date and microseconds(period.next_billing_date),
    }


def _purchase_status(about: _About, data: marketplace.PurchaseStatusChanged) -> Iterator[Fact]:
    yield about.move("purchase", data.purchase_id, data.status, data.reason, data.command_id)


def _service_period(about: _About, data: marketplace.PurchaseServicePeriodChanged) -> Iterator[Fact]:
    yield about.say("purchase", data.purchase_id, "period", _period(data.service_period))


def _rated(about: _About, data: marketplace.PurchaseRated) -> Iterator[Fact]:
    yield about.say("purchase", data.purchase_id, "rating", {"rating": data.rating, "review": data.review})


def _ticket(about: _About, data: marketplace.SupportTicketOpened | marketplace.SupportTicketClosed) -> Iterator[Fact]:
    if data.purchase_id is not None:
        yield about.say("purchase", data.purchase_id, "tickets", data.ticket_id, member=digest(data.ticket_id))


def _deployed(about: _About, data: marketplace.DeploymentCreated) -> Iterator[Fact]:
    id = data.deployment_id  # noqa: A001
    yield about.say(
        "deployment", id, "details", {"purchase_id": data.purchase_id, "kind": data.kind, "region": data.region}
    )
    yield about.say("deployment", id, "told_at", microseconds(about.event.time))
    yield about.say("deployment", id, "resources", _resources(data.resources_allocated))
    yield from about.said(
        "deployment",
        id,
        {"node_id": data.node_id, "deployment_url": data.deployment_url, "monthly_cost": data.monthly_cost},
    )


def _resources(resources: marketplace.ResourceAllocation) -> Value:
    return resources.model_dump()


def _deployment_status(about: _About, data: marketplace.DeploymentStatusChanged) -> Iterator[Fact]:
    yield about.move("deployment", data.deployment_id, data.status, data.reason, data.command_id)


def _scaled(about: _About, data: marketplace.DeploymentScaled) -> Iterator[Fact]:
    yield about.say("deployment", data.deployment_id, "resources", _resources(data.resources_allocated))
    yield about.say("deployment", data.deployment_id, "scaled", data.command_id)


def _credentials(about: _About, data: marketplace.DeploymentCredentialsIssued) -> Iterator[Fact]:
    """The value is encrypted for this service; the consumer seals it for its user before it is stored."""
    yield about.say("deployment", data.deployment_id, CREDENTIALS, data.credentials_jwe)


def _refused(about: _About, data: marketplace.CommandRefused) -> Iterator[Fact]:
    yield about.say("command", data.command_id, "refused", data.reason)


def _health(about: _About, data: marketplace.DeploymentHealthReported) -> Iterator[Fact]:
    """Of the checks in one quarter of an hour the worst is kept, and of equally bad ones the latest."""
    check = {
        "at": microseconds(about.event.time),
        "healthy": data.healthy,
        "latency_ms": data.latency_ms,
        "cpu_percent": data.cpu_percent,
        "memory_percent": data.memory_percent,
    }
    day = about.event.time.date()
    slot = (about.event.time - datetime.combine(day, datetime.min.time(), UTC)) // CHECK_SLOT
    weight = 0 if data.healthy else 1
    yield about.say("health", f"{data.deployment_id}/{day}", "checks", check, member=f"{slot:02}", weight=weight)
    yield about.say("deployment", data.deployment_id, "last_check", check["at"])


def _transaction(about: _About, data: wallet.WalletTransactionPosted) -> Iterator[Fact]:
    line = {
        "sequence": data.sequence,
        "kind": data.kind,
        "amount": data.amount,
        "currency": data.currency,
        "balance_after": data.balance_after,
    }
    yield about.say("transaction", data.transaction_id, "line", line)
    related = {
        "related_entity_id": data.related_entity_id,
        "related_entity_type": data.related_entity_type,
        "description": data.description,
    }
    yield from about.said("transaction", data.transaction_id, related)
    if data.kind == "purchase" and data.purchase is not None:
        yield from _bought(about, data.purchase, data.transaction_id)


def _pool(about: _About, data: wallet.WalletPoolPositionChanged) -> Iterator[Fact]:
    position = data.model_dump(exclude={"user_email", "pool_id"})
    yield about.say("pool", data.pool_id, "position", position)


def _time_zone(about: _About, data: identity.UserRegistered | profile.ProfileUpdated) -> Iterator[Fact]:
    yield from about.said("settings", SETTINGS, {"timezone": data.timezone})


def _preferred(about: _About, data: profile.PreferencesUpdated) -> Iterator[Fact]:
    carried = data.model_dump(exclude={"user_email", "changed", "activity_tracking", "auto_renewal_default"})
    yield from about.said("settings", SETTINGS, {**carried, "auto_renewal": data.auto_renewal_default})


_SAYINGS: Final[Mapping[type[Payload], Callable[[_About, Any], Iterator[Fact]]]] = {
    marketplace.PurchaseCreated: _created,
    marketplace.PurchaseStatusChanged: _purchase_status,
    marketplace.PurchaseServicePeriodChanged: _service_period,
    marketplace.PurchaseRated: _rated,
    marketplace.SupportTicketOpened: _ticket,
    marketplace.SupportTicketClosed: _ticket,
    marketplace.DeploymentCreated: _deployed,
    marketplace.DeploymentStatusChanged: _deployment_status,
    marketplace.DeploymentScaled: _scaled,
    marketplace.DeploymentHealthReported: _health,
    marketplace.DeploymentCredentialsIssued: _credentials,
    marketplace.CommandRefused: _refused,
    wallet.WalletTransactionPosted: _transaction,
    wallet.WalletPoolPositionChanged: _pool,
    identity.UserRegistered: _time_zone,
    profile.ProfileUpdated: _time_zone,
    profile.PreferencesUpdated: _preferred,
}
USED_PAYLOADS: Final = tuple(_SAYINGS)
