"""What the statistics are made of: a user's purchases, deployments and days, and the products on offer.

Money is Decimal in the marketplace's own currency (TFP) unless a currency stands beside it. Times are aware and in UTC.
`events` are the ids of the events that say so, for whoever asks why a number is what it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from shared.contracts.types import BillingCycle, DeploymentStatus, ProductType, PurchaseStatus

COUNTED: frozenset[PurchaseStatus] = frozenset({"active", "completed"})


@dataclass(frozen=True, slots=True)
class Period:
    """A purchase's service period; `hours_used` and `sessions_completed` are totals."""

    start: datetime
    end: datetime | None
    auto_renewal: bool
    hours_used: float
    sessions_completed: int
    next_billing: datetime | None


@dataclass(frozen=True, slots=True)
class Purchase:
    """A purchase as it now is. `refunded` is the sum of the refunds that name it, 0 or more; `rating` 1 to 5."""

    id: str
    product_id: str
    product_name: str
    product_type: ProductType
    provider_id: str
    provider_name: str
    amount: Decimal
    currency: str
    at: datetime
    status: PurchaseStatus
    billing_cycle: BillingCycle | None = None
    refunded: Decimal = Decimal(0)
    rating: float | None = None
    period: Period | None = None
    tickets: int = 0
    events: tuple[str, ...] = ()

    @property
    def spent(self) -> Decimal:
        """What it cost in the end: nothing unless it is active or completed, and never less than nothing."""
        return max(Decimal(0), self.amount - self.refunded) if self.status in COUNTED else Decimal(0)


@dataclass(frozen=True, slots=True)
class Stay:
    """A deployment's stay in one status; `end` None: it is still in it."""

    status: DeploymentStatus
    start: datetime
    end: datetime | None
    event: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """The health checks of one UTC day of a deployment: how many, how many healthy, mean CPU and memory (0 to 100)."""

    day: datetime
    checks: int
    healthy: int
    cpu_percent: float | None
    memory_percent: float | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment as it now is. Resources in cores, GB, GB, Mbit/s; `loads` are those of the last 30 days or fewer."""

    id: str
    purchase_id: str
    kind: str
    region: str
    status: DeploymentStatus
    created: datetime
    cpu_cores: float
    memory_gb: float
    storage_gb: float
    bandwidth_mbps: float
    monthly_cost: Decimal | None
    stays: tuple[Stay, ...] = ()
    loads: tuple[Load, ...] = ()
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it is offered now; `price` is for one `billing_cycle`. `retired`: no longer on offer."""

    id: str
    name: str
    description: str
    product_type: ProductType
    category: str | None
    provider_id: str
    provider_name: str
    price: Decimal
    currency: str
    billing_cycle: BillingCycle | None
    annual_price: Decimal | None
    tags: tuple[str, ...] = ()
    rating: float | None = None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Taste:
    """What of a user's preferences counts for recommendations. Providers by id; prices inclusive."""

    blocked: frozenset[str] = frozenset()
    preferred: frozenset[str] = frozenset()
    lowest: Decimal | None = None
    highest: Decimal | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True)
class MonthTotals:
    """A month of a user's spending, in the user's time zone: `month` is such as 2025-06.

    `spent` and `count` by product type and by provider id (names apart); `ratings` are (sum, number) of the purchases
    that were made in the month; `last` the latest purchase. `others` is what was spent in other currencies.
    """

    month: str
    spent: Decimal = Decimal(0)
    count: int = 0
    by_type: Mapping[str, "Share"] = field(default_factory=dict)
    by_provider: Mapping[str, "Share"] = field(default_factory=dict)
    provider_names: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Share:
    """One product type's or provider's part of a month."""

    spent: Decimal
    count: int
    last: datetime
    rating_sum: float = 0.0
    rated: int = 0
    tickets: int = 0
