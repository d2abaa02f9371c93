"""What users do, buy and run in the marketplace (topic `marketplace.events`)."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import UserPayload
from shared.contracts.types import (
    BillingCycle,
    Count,
    Currency,
    DeploymentStatus,
    Id,
    Label,
    Measure,
    Name,
    Percent,
    Price,
    ProductType,
    PurchaseStatus,
    Quantity,
    Rating,
    Text,
    Url,
    UtcTime,
)


class _Part(BaseModel):
    """A part of a payload: as strict as the payload itself."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)


class ServicePeriod(_Part):
    """The whole of what a purchase grants and what was used of it; totals are absolute, never increments."""

    start_date: UtcTime
    end_date: UtcTime | None = None
    auto_renewal: bool
    hours_used: Measure
    sessions_completed: Count
    next_billing_date: UtcTime | None = None


class ResourceAllocation(_Part):
    """What a deployment may use: cores, gigabytes, gigabytes, megabits per second."""

    cpu_cores: Measure
    memory_gb: Measure
    storage_gb: Measure
    bandwidth_mbps: Measure


class MarketplaceBrowsed(UserPayload):
    """A search or a look at a category; `results` is how many products were shown."""

    event_type: ClassVar[str] = "marketplace.browsed.v1"
    query: Text | None = None
    category: Label | None = None
    results: Count | None = None
    session_id: Id | None = None


class ProductViewed(UserPayload):
    """A product's page was opened."""

    event_type: ClassVar[str] = "product.viewed.v1"
    product_id: Id
    product_name: Name | None = None
    product_type: ProductType | None = None
    session_id: Id | None = None


class _CartItem(UserPayload):
    product_id: Id
    product_name: Name | None = None
    quantity: Quantity
    price: Price | None = None
    currency: Currency | None = None
    session_id: Id | None = None


class CartItemAdded(_CartItem):
    """A product was put into the cart; `price` is for one."""

    event_type: ClassVar[str] = "cart.item_added.v1"


class CartItemRemoved(_CartItem):
    """A product was taken out of the cart; `price` is for one."""

    event_type: ClassVar[str] = "cart.item_removed.v1"


class PurchaseDetails(_Part):
    """What was bought, of whom, for how much.

    Without a `purchase_date` it is the time of the event that says so, without a `status` it is pending; where the
    purchase answers a command, `command_id` names it.
    """

    purchase_id: Id
    transaction_id: Id | None = None
    product_id: Id
    product_name: Name
    product_type: ProductType
    provider_id: Id
    provider_name: Name
    amount: Price
    currency: Currency
    purchase_date: UtcTime | None = None
    status: PurchaseStatus | None = None
    billing_cycle: BillingCycle | None = None
    service_period: ServicePeriod | None = None
    command_id: Id | None = None


class PurchaseCreated(UserPayload, PurchaseDetails):
    """A purchase was made."""

    event_type: ClassVar[str] = "purchase.created.v1"


class PurchaseStatusChanged(UserPayload):
    """A purchase moved to `status`; where that answers a command, `command_id` names it."""

    event_type: ClassVar[str] = "purchase.status_changed.v1"
    purchase_id: Id
    status: PurchaseStatus
    reason: Text | None = None
    command_id: Id | None = None


class PurchaseServicePeriodChanged(UserPayload):
    """The whole service period of a purchase as it now is."""

    event_type: ClassVar[str] = "purchase.service_period_changed.v1"
    purchase_id: Id
    service_period: ServicePeriod


class PurchaseRated(UserPayload):
    """A purchase was rated, 1 to 5 in halves; also written by the purchases service."""

    event_type: ClassVar[str] = "purchase.rated.v1"
    purchase_id: Id
    rating: Rating
    review: Text | None = None


class DeploymentCreated(UserPayload):
    """Something bought was deployed; `monthly_cost` is in the purchase's currency."""

    event_type: ClassVar[str] = "deployment.created.v1"
    deployment_id: Id
    purchase_id: Id
    kind: Literal["service", "app"]
    region: Label
    node_id: Id | None = None
    resources_allocated: ResourceAllocation
    deployment_url: Url | None = None
    monthly_cost: Price | None = None


class DeploymentStatusChanged(UserPayload):
    """A deployment moved to `status`; where that answers a command, `command_id` names it."""

    event_type: ClassVar[str] = "deployment.status_changed.v1"
    deployment_id: Id
    status: DeploymentStatus
    reason: Text | None = None
    command_id: Id | None = None


class DeploymentHealthReported(UserPayload):
    """One health check: milliseconds, and per cent of what is allocated."""

    event_type: ClassVar[str] = "deployment.health_reported.v1"
    deployment_id: Id
    healthy: bool
    latency_ms: Measure | None = None
    cpu_percent: Percent | None = None
    memory_percent: Percent | None = None


class DeploymentScaled(UserPayload):
    """A deployment's resources as they now are; where that answers a command, `command_id` names it."""

    event_type: ClassVar[str] = "deployment.scaled.v1"
    deployment_id: Id
    resources_allocated: ResourceAllocation
    command_id: Id | None = None


class DeploymentCredentialsIssued(UserPayload):
    """The access credentials as a compact JWE for the purchases service's key; never in the clear."""

    event_type: ClassVar[str] = "deployment.credentials_issued.v1"
    deployment_id: Id
    credentials_jwe: Text


class CommandRefused(UserPayload):
    """The marketplace will not do what a command asks for; `reason` is for the user to read."""

    event_type: ClassVar[str] = "command.refused.v1"
    command_id: Id
    reason: Text


class _Ticket(UserPayload):
    ticket_id: Id
    purchase_id: Id | None = None
    subject: Name | None = None


class SupportTicketOpened(_Ticket):
    """The user asked for support."""

    event_type: ClassVar[str] = "support.ticket_opened.v1"


class SupportTicketClosed(_Ticket):
    """A support request was settled."""

    event_type: ClassVar[str] = "support.ticket_closed.v1"
