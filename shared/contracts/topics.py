"""Every topic, declared once: who writes it, who reads it, by what key, what is in it, and how long it is kept.

The topics about users have the same number of partitions, so that with the range assignor one process holds all of a
user's records. Nothing depends on that for being right; it only keeps the work on one user in one place.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal, get_args

from shared.contracts import (
    catalog,
    dashboard,
    identity,
    legacy,
    marketplace,
    operations,
    privacy,
    profile,
    purchases,
    wallet,
)
from shared.contracts.envelope import MAX_EVENT_BYTES, Payload

PARTITIONS = 6
_RECORD_OVERHEAD = 65_536
_HOSTILE_RECORD_BYTES = 16 * MAX_EVENT_BYTES  # far more than an event may have: what is too large is kept, not lost
_DEAD_LETTER_BYTES = _HOSTILE_RECORD_BYTES + _RECORD_OVERHEAD  # the record and the headers that say why

Service = Literal["activity", "purchases", "profile", "analytics"]
SERVICES: Final[tuple[str, ...]] = get_args(Service)


@dataclass(frozen=True)
class Topic:
    """A topic. `retention` None means compacted: the latest record of each key is kept for ever."""

    name: str
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    key: Literal["user", "product", "erasure", "dead letter", "as received"]
    payloads: tuple[type[Payload], ...]
    partitions: int = PARTITIONS
    retention: timedelta | None = timedelta(days=365)
    max_bytes: int = _HOSTILE_RECORD_BYTES

    @property
    def config(self) -> dict[str, str]:
        """The settings that the broker is given when the topic is made."""
        kept = (
            {"cleanup.policy": "compact"}
            if self.retention is None
            else {"cleanup.policy": "delete", "retention.ms": str(int(self.retention.total_seconds() * 1000))}
        )
        return kept | {"max.message.bytes": str(self.max_bytes)}


IDENTITY = Topic(
    "identity.events",
    producers=("identity provider", "profile"),
    consumers=("activity", "purchases", "profile", "analytics"),
    key="user",
    payloads=(identity.UserRegistered, identity.UserLoggedIn, identity.UserLoggedOut, identity.UserErased),
)
MARKETPLACE = Topic(
    "marketplace.events",
    producers=("marketplace",),
    consumers=("activity", "purchases", "analytics"),
    key="user",
    payloads=(
        marketplace.MarketplaceBrowsed,
        marketplace.ProductViewed,
        marketplace.CartItemAdded,
        marketplace.CartItemRemoved,
        marketplace.PurchaseCreated,
        marketplace.PurchaseStatusChanged,
        marketplace.PurchaseServicePeriodChanged,
        marketplace.PurchaseRated,
        marketplace.DeploymentCreated,
        marketplace.DeploymentStatusChanged,
        marketplace.DeploymentHealthReported,
        marketplace.DeploymentScaled,
        marketplace.DeploymentCredentialsIssued,
        marketplace.SupportTicketOpened,
        marketplace.SupportTicketClosed,
        marketplace.CommandRefused,
    ),
)
CATALOG = Topic(
    "marketplace.catalog",
    producers=("marketplace",),
    consumers=("analytics",),
    key="product",
    payloads=(catalog.ProductListed, catalog.ProductRetired),
    retention=None,
)
WALLET = Topic(
    "wallet.events",
    producers=("wallet",),
    consumers=("activity", "purchases", "analytics"),
    key="user",
    payloads=(wallet.WalletTransactionPosted, wallet.WalletPoolPositionChanged),
)
PROFILE = Topic(
    "profile.events",
    producers=("profile",),
    consumers=("activity", "purchases", "analytics"),
    key="user",
    payloads=(profile.ProfileUpdated, profile.PreferencesUpdated, profile.DataExported, profile.DataImported),
)
PURCHASES = Topic(
    "purchases.events",
    producers=("purchases",),
    consumers=("activity", "purchases", "analytics"),
    key="user",
    payloads=(marketplace.PurchaseRated, purchases.CredentialsRevealed),
)
COMMANDS = Topic(
    "marketplace.commands",
    producers=("purchases",),
    consumers=("marketplace",),
    key="user",
    payloads=(purchases.PurchaseRequested, purchases.PurchaseCancelRequested, purchases.DeploymentCommandRequested),
    retention=timedelta(days=7),
)
GATEWAY = Topic(
    "gateway.events",
    producers=("gateway",),
    consumers=("activity", "analytics"),
    key="user",
    payloads=(dashboard.ActivityReported,),
)
LEGACY = Topic(
    "legacy.events",
    producers=("import-legacy",),
    consumers=("activity", "profile"),
    key="user",
    payloads=(legacy.LegacyPreferencesFound, legacy.LegacyActivityFound),
    retention=timedelta(days=7),
)
RECEIPTS = Topic(
    "erasure.receipts",
    producers=SERVICES,
    consumers=("profile",),
    key="erasure",
    payloads=(privacy.ErasureCompleted,),
    retention=timedelta(days=90),
)
UPDATES = Topic(
    "dashboard.updates",
    producers=SERVICES,
    consumers=("gateway",),
    key="user",
    payloads=(dashboard.SectionChanged,),
    retention=timedelta(hours=1),
)
AUDIT = Topic(
    "operations.audit",
    producers=("operators",),
    consumers=("operators",),
    key="dead letter",
    payloads=(operations.DeadLetterHandled,),
    partitions=1,  # little is on it, and its order is then the order in which it was done
)

EVENT_TOPICS = (
    IDENTITY,
    MARKETPLACE,
    CATALOG,
    WALLET,
    PROFILE,
    PURCHASES,
    COMMANDS,
    GATEWAY,
    LEGACY,
    RECEIPTS,
    UPDATES,
    AUDIT,
)


def dead_letters(service: str) -> Topic:
    """Where `service` puts the records that it cannot use, byte for byte as they came."""
    return Topic(
        f"{service}.dead-letters",
        producers=(service,),
        consumers=("operators",),
        key="as received",
        payloads=(),
        retention=timedelta(days=90),
        max_bytes=_DEAD_LETTER_BYTES,
    )


TOPICS = (*EVENT_TOPICS, *(dead_letters(service) for service in SERVICES))
PAYLOADS: dict[str, type[Payload]] = {p.event_type: p for topic in EVENT_TOPICS for p in topic.payloads}
TOPICS_OF: dict[str, tuple[str, ...]] = {
    event_type: tuple(topic.name for topic in EVENT_TOPICS if payload in topic.payloads)
    for event_type, payload in PAYLOADS.items()
}
