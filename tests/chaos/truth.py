"""What is true of a user, told by the simulator's ledger: the events in the order of their times, the latest believed.

It shares nothing with the services' folds: what the contract says in words is said here once more.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.marketplace import (
    CartItemAdded,
    CartItemRemoved,
    DeploymentCreated,
    DeploymentStatusChanged,
    MarketplaceBrowsed,
    ProductViewed,
    PurchaseCreated,
    PurchaseDetails,
    PurchaseRated,
    PurchaseStatusChanged,
    SupportTicketOpened,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted

_ACTIVITY_OF: Final = {
    UserLoggedIn: "login",
    UserLoggedOut: "logout",
    MarketplaceBrowsed: "marketplace_browse",
    ProductViewed: "product_view",
    CartItemAdded: "cart_add",
    CartItemRemoved: "cart_remove",
    PurchaseRated: "service_rating",
    SupportTicketOpened: "support_request",
}
_SPENT: Final = ("active", "completed")
Activity = tuple[str, datetime]  # its type and its time


@dataclass
class Truth:
    """One user. Money is in TFP, which is all that the simulator uses."""

    is_registered: bool = False
    name: str | None = None
    country: str | None = None
    zone: str = "UTC"
    purchases: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))  # Any: its fields
    deployments: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    ledger: dict[str, tuple[int, str, Decimal]] = field(default_factory=dict)
    pools: dict[str, Decimal] = field(default_factory=dict)
    refunds: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    balance: Decimal = Decimal(0)
    bought_at: dict[str, datetime] = field(default_factory=dict)
    happened: Counter[Activity] = field(default_factory=Counter)

    def hear(self, event: AnyEvent) -> None:
        """Takes the next event of the user in the order of (time, id)."""
        if activity := _ACTIVITY_OF.get(type(event.data)):
            self.happened[activity, event.time] += 1
        match event.data:
            case UserRegistered() as who:
                self.is_registered = True
                self.name, self.country, self.zone = who.display_name, who.country, who.timezone or "UTC"
            case PurchaseCreated() as bought:
                self._bought(bought, bought.transaction_id, event)
            case PurchaseStatusChanged() as moved:
                self.purchases[moved.purchase_id]["status"] = moved.status
            case PurchaseRated() as rated:
                self.purchases[rated.purchase_id]["rating"] = rated.rating
            case DeploymentCreated() as made:
                self.happened[f"{made.kind}_deploy", event.time] += 1
                self.deployments[made.deployment_id] |= {"purchase_id": made.purchase_id, "region": made.region}
                self.deployments[made.deployment_id].setdefault("status", "deploying")
            case DeploymentStatusChanged() as ran:
                self.deployments[ran.deployment_id]["status"] = ran.status
            case WalletTransactionPosted() as posted:
                self._posted(posted, event)
            case WalletPoolPositionChanged() as pool:
                self.pools[pool.pool_id] = pool.current_value

    def _posted(self, posted: WalletTransactionPosted, event: AnyEvent) -> None:
        self.ledger[posted.transaction_id] = (posted.sequence, posted.kind, posted.amount)
        self.balance += posted.amount
        if posted.kind == "refund" and posted.related_entity_id:
            self.refunds[posted.related_entity_id] += posted.amount
        if posted.purchase:
            self._bought(posted.purchase, posted.transaction_id, event)
        elif posted.kind != "purchase":
            known = "pool_investment" if posted.kind == "pool_investment" else "wallet_transaction"
            self.happened[known, event.time] += 1

    def _bought(self, bought: PurchaseDetails, transaction_id: str | None, event: AnyEvent) -> None:
        known = self.purchases[bought.purchase_id]
        known |= {"amount": bought.amount, "product_id": bought.product_id, "product_name": bought.product_name}
        known |= {"product_type": bought.product_type, "provider_id": bought.provider_id}
        known["transaction_id"] = transaction_id or known.get("transaction_id")
        known["status"] = bought.status or known.get("status", "pending")
        known["at"] = bought.purchase_date or event.time
        self.bought_at[bought.purchase_id] = event.time

    @property
    def activities(self) -> Counter[Activity]:
        """What the timeline has: a purchase is in it once, however often it was told of."""
        return self.happened + Counter(("purchase", at) for at in self.bought_at.values())

    @property
    def known_purchases(self) -> dict[str, dict[str, Any]]:
        """Those that were made; what is only spoken of is not shown."""
        return {id: known for id, known in self.purchases.items() if "amount" in known}  # noqa: A001

    @property
    def known_deployments(self) -> dict[str, dict[str, Any]]:
        """Those that were made."""
        return {id: known for id, known in self.deployments.items() if "region" in known}  # noqa: A001

    def spent_by(self, name: str) -> dict[str, Decimal]:
        """What was spent, less refunds, by `product_type`, `provider_id`, or `month` (in the user's time zone)."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for id, known in self.spending.items():  # noqa: A001
            month = f"{known['at'].astimezone(ZoneInfo(self.zone)):%Y-%m}"
            spent = max(Decimal(0), known["amount"] - self.refunds.get(id, Decimal(0)))
            sums[month if name == "month" else known[name]] += spent
        return dict(sums)

    @property
    def spending(self) -> dict[str, dict[str, Any]]:
        """The purchases that count as spent."""
        return {id: known for id, known in self.known_purchases.items() if known["status"] in _SPENT}  # noqa: A001
