"""What is true of a user, told by the simulator's ledger: the events in the order of their times, the latest believed.

It shares nothing with the services' folds: what the contract says in words is said here once more.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.marketplace import (
    CartItemAdded,
    CartItemRemoved,
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    MarketplaceBrowsed,
    ProductViewed,
    PurchaseCreated,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    SupportTicketClosed,
    SupportTicketOpened,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.chaos.bought import Bought
from tests.chaos.deployed import Deployed

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
_LOW: Final = ("marketplace_browse", "product_view")
Activity = tuple[str, datetime]  # its type and its time


@dataclass
class Catalogue:
    """What the marketplace offers, by the product's id."""

    products: dict[str, ProductListed] = field(default_factory=dict)

    def hear(self, event: AnyEvent) -> None:
        """Takes the next event of a product in the order of (time, id)."""
        match event.data:
            case ProductListed() as listed:
                self.products[listed.product_id] = listed
            case ProductRetired() as retired:
                self.products.pop(retired.product_id, None)


@dataclass
class Truth:
    """One user. Money is in TFP, which is all that the simulator uses."""

    is_registered: bool = False
    name: str | None = None
    country: str | None = None
    zone: str = "UTC"
    language: str | None = None
    purchases: dict[str, Bought] = field(default_factory=lambda: defaultdict(Bought))
    deployments: dict[str, Deployed] = field(default_factory=lambda: defaultdict(Deployed))
    ledger: dict[str, dict[str, Any]] = field(default_factory=dict)  # Any: a line's fields
    pools: dict[str, dict[str, Any]] = field(default_factory=dict)  # Any: a position's fields
    refunds: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    balance: Decimal = Decimal(0)
    happened: Counter[Activity] = field(default_factory=Counter)
    minutes: set[tuple[datetime, bool]] = field(
        default_factory=set
    )  # in which they did something, of low impact or not

    def hear(self, event: AnyEvent) -> None:
        """Takes the next event of the user in the order of (time, id)."""
        if activity := _ACTIVITY_OF.get(type(event.data)):
            self.happened[activity, event.time] += 1
            self.minutes.add((event.time.replace(second=0, microsecond=0), activity in _LOW))
        match event.data:
            case UserRegistered() as who:
                self.is_registered = True
                self.name, self.country, self.zone = who.display_name, who.country, who.timezone or "UTC"
                self.language = who.language
            case PurchaseCreated() as bought:
                self.purchases[bought.purchase_id].told(event, bought, bought.transaction_id)
            case PurchaseStatusChanged() | PurchaseServicePeriodChanged() | PurchaseRated() as about:
                self.purchases[about.purchase_id].hear(event)
            case SupportTicketOpened() | SupportTicketClosed() as ticket:
                if ticket.purchase_id:
                    self.purchases[ticket.purchase_id].hear(event)
            case DeploymentCreated() as made:
                self.happened[f"{made.kind}_deploy", event.time] += 1
                self.deployments[made.deployment_id].hear(event)
            case DeploymentStatusChanged() | DeploymentScaled() | DeploymentHealthReported() as ran:
                self.deployments[ran.deployment_id].hear(event)
            case WalletTransactionPosted() as posted:
                self._posted(posted, event)
            case WalletPoolPositionChanged() as pool:
                self.pools[pool.pool_id] = pool.model_dump(exclude={"user_email"}) | {"as_of": event.time}

    def _posted(self, posted: WalletTransactionPosted, event: AnyEvent) -> None:
        line = posted.model_dump(exclude={"user_email", "purchase"}) | {"timestamp": event.time}
        self.ledger[posted.transaction_id] = line
        self.balance += posted.amount
        if posted.kind == "refund" and posted.related_entity_id:
            self.refunds[posted.related_entity_id] += posted.amount
        if posted.purchase:
            self.purchases[posted.purchase.purchase_id].told(event, posted.purchase, posted.transaction_id)
        elif posted.kind != "purchase":
            known = "pool_investment" if posted.kind == "pool_investment" else "wallet_transaction"
            self.happened[known, event.time] += 1

    @property
    def activities(self) -> Counter[Activity]:
        """What the timeline has: a purchase is in it once, however often it was told of."""
        told = [bought.told_at for bought in self.known_purchases.values()]
        return self.happened + Counter(("purchase", at) for at in told if at)

    @property
    def known_purchases(self) -> dict[str, Bought]:
        """Those that were made; what is only spoken of is not shown."""
        return {id: bought for id, bought in self.purchases.items() if bought.details}  # noqa: A001

    @property
    def known_deployments(self) -> dict[str, Deployed]:
        """Those that were made."""
        return {id: deployed for id, deployed in self.deployments.items() if deployed.created}  # noqa: A001

    @property
    def active_deployments(self) -> list[Deployed]:
        """Those of purchases that are active."""
        active = {id for id, bought in self.known_purchases.items() if bought.status == "active"}  # noqa: A001
        return [d for d in self.known_deployments.values() if d.created and d.created.purchase_id in active]

    @property
    def spending(self) -> dict[str, Bought]:
        """The purchases that count as spent."""
        return {id: bought for id, bought in self.known_purchases.items() if bought.is_spent}  # noqa: A001

    def spent_on(self, id: str) -> Decimal:
        """What a purchase cost, less refunds."""
        return max(Decimal(0), self.purchases[id].amount - self.refunds.get(id, Decimal(0)))

    def spent_by(self, name: str) -> dict[str, Decimal]:
        """What was spent by `product_type`, `provider_id`, or `month` (in the user's time zone)."""
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for id, bought in self.spending.items():  # noqa: A001
            month = f"{bought.at.astimezone(ZoneInfo(self.zone)):%Y-%m}"
            sums[month if name == "month" else bought.details[name]] += self.spent_on(id)
        return dict(sums)

    def rated_by(self, name: str) -> dict[str, float | None]:
        """The mean of the ratings of what counts as spent, by `product_type` or `provider_id`; None without any."""
        given: dict[str, list[float]] = defaultdict(list)
        for bought in self.spending.values():
            given[bought.details[name]] += [bought.rating] if bought.rating else []
        return {each: round(sum(ratings) / len(ratings), 2) if ratings else None for each, ratings in given.items()}

    def average_uptime(self, now: datetime) -> float | None:
        """The mean of the uptimes of those that should have been up."""
        uptimes = [up for each in self.known_deployments.values() if (up := each.uptime(now)) is not None]
        return sum(uptimes) / len(uptimes) if uptimes else None

    def hours_run(self, now: datetime) -> float:
        """Of all deployments until `now`."""
        return sum(each.hours_run(now) for each in self.known_deployments.values())

    def cost_efficiency(self, now: datetime) -> float | None:
        """Per cent of the active ones' monthly costs that pays for load while up, of those whose load is known."""
        paid = used = 0.0
        for each in self.active_deployments:
            load, up = each.load(now), each.uptime(now)
            if each.cost and load is not None:
                paid += float(each.cost)
                used += float(each.cost) * load / 100 * (1 if up is None else up / 100)
        return 100 * used / paid if paid else None
