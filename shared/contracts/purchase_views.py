"""What the dashboard answers about purchases, deployments and the wallet, and what it is asked and told about them.

Money is a decimal in a string with its `currency` beside it; times are in UTC.
"""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.marketplace import ResourceAllocation, ServicePeriod
from shared.contracts.types import (
    BillingCycle,
    DeploymentStatus,
    Id,
    ProductType,
    PurchaseStatus,
    Quantity,
    Rating,
    Text,
)
from shared.contracts.views import Cursor, DateRange, Limit, Search
from shared.contracts.wallet import TransactionKind


class PurchaseQuery(DateRange):
    """Which purchases; `q` is text that the product's or the provider's name has, `from` and `to` are inclusive."""

    status: PurchaseStatus | None = None
    type: ProductType | None = None
    provider: Id | None = Field(None, description="The provider's id.")
    q: Search | None = Field(None, description="Words of the product's or the provider's name, or their beginnings.")
    limit: Limit = 50
    cursor: Cursor | None = None


class DeploymentQuery(BaseModel):
    """Which deployments."""

    model_config = ConfigDict(frozen=True)

    status: DeploymentStatus | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class TransactionQuery(DateRange):
    """Which lines of the ledger; `from` and `to` are inclusive."""

    kind: TransactionKind | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RatingBody(_Body):
    """1 to 5 in halves."""

    rating: Rating
    review: Text | None = None


class PurchaseBody(_Body):
    """What to buy."""

    product_id: Id
    quantity: Quantity = 1


class CancelBody(_Body):
    """Why, if the user says so."""

    reason: Text | None = None


class DeploymentCommandBody(_Body):
    """What to do with a deployment; `resources` goes with `scale` and with nothing else."""

    action: Literal["start", "stop", "restart", "scale"]
    resources: ResourceAllocation | None = None


class StatusMove(BaseModel):
    """One step in a purchase's history; `legal` is false for one that a purchase cannot make."""

    status: PurchaseStatus
    at: datetime
    reason: str | None
    legal: bool


class DeploymentInfo(BaseModel):
    """A deployment. `uptime_percentage` is that of the last 30 days, null if it was not to be up in them."""

    deployment_id: str
    purchase_id: str
    kind: Literal["service", "app"]
    status: DeploymentStatus
    status_reason: str | None
    region: str
    node_id: str | None
    resources_allocated: ResourceAllocation
    uptime_percentage: float | None
    last_health_check: datetime | None
    deployment_url: str | None
    monthly_cost: str | None
    created_at: datetime


class Deployment(DeploymentInfo):
    """A deployment with what its purchase says of it."""

    product_name: str | None
    provider_name: str | None
    currency: str | None


class DeploymentPage(BaseModel):
    """Deployments, newest first."""

    items: list[Deployment]
    next_cursor: str | None


class PurchaseRecord(BaseModel):
    """A purchase."""

    id: str
    transaction_id: str | None
    product_id: str
    product_name: str
    product_type: ProductType
    provider_id: str
    provider_name: str
    amount: str
    currency: str
    purchase_date: datetime
    status: PurchaseStatus
    billing_cycle: BillingCycle | None
    deployment_info: DeploymentInfo | None
    service_period: ServicePeriod | None
    rating: float | None
    review: str | None
    support_tickets: list[str]


class PurchaseDetail(PurchaseRecord):
    """A purchase with every move that it made, oldest first."""

    status_history: list[StatusMove]


class PurchasePage(BaseModel):
    """Purchases, newest first."""

    items: list[PurchaseRecord]
    next_cursor: str | None


class StatusInterval(BaseModel):
    """A status of a deployment from `start` to `end` (null: until now)."""

    status: DeploymentStatus
    start: datetime
    end: datetime | None
    reason: str | None


class HealthCheck(BaseModel):
    """The worst check of a quarter of an hour: milliseconds, and per cent of what is allocated."""

    at: datetime
    healthy: bool
    latency_ms: float | None
    cpu_percent: float | None
    memory_percent: float | None


class DeploymentHealth(BaseModel):
    """A deployment's health between `from` and `to`: the checks and intervals, oldest first, and the uptime they make.

    The uptime is the share of the time in which the deployment was expected to be up (running, scaling or in error, not
    deploying, stopped or in maintenance) that it was up: not in error, and not between a failed check and the next one.
    """

    from_: datetime = Field(alias="from")
    to: datetime
    uptime_percentage: float | None
    expected_seconds: float
    up_seconds: float
    intervals: list[StatusInterval]
    checks: list[HealthCheck]


class CommandAccepted(BaseModel):
    """The command was taken down; follow it at the `Location`."""

    command_id: str


class CommandState(BaseModel):
    """What became of a command. `reason` says why it failed."""

    command_id: str
    action: Literal["buy", "cancel", "start", "stop", "restart", "scale"]
    state: Literal["pending", "succeeded", "failed"]
    reason: str | None
    requested_at: datetime
    product_id: str | None = None
    purchase_id: str | None = None
    deployment_id: str | None = None


class SequenceGap(BaseModel):
    """Transactions that are missing in the ledger, by their sequence numbers."""

    first: int
    last: int


class Wallet(BaseModel):
    """The balance after the transaction of the highest sequence, and what is wrong with the ledger if anything is."""

    balance: str
    currency: str
    as_of: datetime | None
    transactions: int
    sequence_gaps: list[SequenceGap]
    difference: str | None = Field(description="The balance less the sum of the ledger; null when there is none.")
    change_this_month: dict[str, str]


class Transaction(BaseModel):
    """One line of the ledger; `amount` is signed."""

    transaction_id: str
    sequence: int
    kind: TransactionKind
    amount: str
    currency: str
    balance_after: str
    timestamp: datetime
    related_entity_id: str | None
    related_entity_type: str | None
    description: str | None


class TransactionPage(BaseModel):
    """Lines of the ledger, newest first."""

    items: list[Transaction]
    next_cursor: str | None


class PoolPosition(BaseModel):
    """A position in an investment pool."""

    pool_id: str
    pool_name: str
    invested: str
    current_value: str
    currency: str
    share_percent: float | None
    apy_percent: float | None
    status: Literal["open", "closed"]
    as_of: datetime


class PoolPage(BaseModel):
    """All positions, by the name of the pool; `next_cursor` is null."""

    items: list[PoolPosition]
