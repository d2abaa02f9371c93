"""Which events say that a user was there: the minute, the session, and the product that was looked at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.analytics.domain.months import credible
from shared.contracts import dashboard, identity, marketplace, profile, purchases
from shared.contracts.envelope import Event, Payload, UserPayload

_LOW_REPORTS: Final = frozenset({"marketplace_browse", "product_view"})
PRESENT: Final[tuple[type[UserPayload], ...]] = (
    identity.UserLoggedIn,
    identity.UserLoggedOut,
    marketplace.MarketplaceBrowsed,
    marketplace.ProductViewed,
    marketplace.CartItemAdded,
    marketplace.CartItemRemoved,
    marketplace.PurchaseRated,
    marketplace.SupportTicketOpened,
    profile.ProfileUpdated,
    profile.PreferencesUpdated,
    purchases.CredentialsRevealed,
    dashboard.ActivityReported,
)


@dataclass(frozen=True, slots=True)
class Presence:
    """The user did something at `time` (UTC). `low`: of low impact, kept only with consent. `viewed` is a product."""

    user: str
    time: datetime
    event: str
    low: bool
    session: str | None
    viewed: str | None

    @property
    def minute(self) -> datetime:
        """The minute that it was in."""
        return self.time.replace(second=0, microsecond=0)


def presence_of(event: Event[Payload]) -> Presence | None:
    """The presence that an event tells of, if it tells of one.

    What happens by itself, such as a renewal, does not, nor does what says a time that cannot be.
    """
    data = event.data
    if not isinstance(data, PRESENT) or credible(event.time) != event.time:
        return None
    session: str | None = getattr(data, "session_id", None)
    return Presence(data.user_email, event.time, event.id, _is_low(data), session, _viewed(data))


def _is_low(data: UserPayload) -> bool:
    if isinstance(data, dashboard.ActivityReported):
        return data.activity_type in _LOW_REPORTS
    return isinstance(data, marketplace.MarketplaceBrowsed | marketplace.ProductViewed)


def _viewed(data: UserPayload) -> str | None:
    if isinstance(data, marketplace.ProductViewed):
        return data.product_id
    if isinstance(data, dashboard.ActivityReported) and data.activity_type == "product_view":
        return data.related_entity_id
    return None
