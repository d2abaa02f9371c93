"""Which payloads each service uses; its reader ignores the contract's others.

A service builds its reader from this, and so can whoever wants to know what a service would make of a record.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from shared.contracts import catalog, dashboard, identity, legacy, marketplace, privacy, profile, purchases, wallet
from shared.contracts.envelope import Payload
from shared.contracts.reading import Reader

_WHO_IS_GONE: Final = (identity.UserErased, identity.UserRegistered)
_THINGS: Final = (  # what shared.folds.facts reads
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
    wallet.WalletTransactionPosted,
    wallet.WalletPoolPositionChanged,
    profile.ProfileUpdated,
    profile.PreferencesUpdated,
)
_SEEN: Final = (
    identity.UserLoggedIn,
    identity.UserLoggedOut,
    marketplace.MarketplaceBrowsed,
    marketplace.ProductViewed,
    marketplace.CartItemAdded,
    marketplace.CartItemRemoved,
    dashboard.ActivityReported,
    purchases.CredentialsRevealed,
    profile.DataExported,
)

USES: Final[Mapping[str, frozenset[type[Payload]]]] = {
    "activity": frozenset(
        (
            *_WHO_IS_GONE,
            *_SEEN,
            marketplace.PurchaseCreated,
            marketplace.PurchaseRated,
            marketplace.DeploymentCreated,
            marketplace.SupportTicketOpened,
            wallet.WalletTransactionPosted,
            profile.ProfileUpdated,
            profile.PreferencesUpdated,
            profile.DataImported,
            legacy.LegacyActivityFound,
            legacy.LegacyPreferencesFound,
        )
    ),
    "purchases": frozenset((*_WHO_IS_GONE, *_THINGS)),
    "profile": frozenset((*_WHO_IS_GONE, legacy.LegacyPreferencesFound, privacy.ErasureCompleted)),
    "analytics": frozenset((*_WHO_IS_GONE, *_THINGS, *_SEEN, catalog.ProductListed, catalog.ProductRetired)),
}


@cache
def reader_of(service: str) -> Reader:
    """The reader of `service`. Raises KeyError if there is no such service."""
    return Reader(USES[service])
