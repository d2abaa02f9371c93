"""What was said of a user's things, as a file holds it: each value with the event that said it, and when.

Times are RFC 3339 in UTC in a file, and whole microseconds since 1970 where they are stored.
"""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from shared.contracts import times
from shared.contracts.marketplace import ResourceAllocation
from shared.contracts.types import (
    BillingCycle,
    Count,
    Currency,
    DeploymentStatus,
    Id,
    Label,
    Measure,
    Money,
    Name,
    Percent,
    Price,
    ProductType,
    PurchaseStatus,
    Rating,
    Sequence,
    Text,
    Url,
    utc_time,
)
from shared.contracts.wallet import TransactionKind

T = TypeVar("T")
_MOST_MEMBERS = 200
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
_Rank = Annotated[str, StringConstraints(max_length=1_300)]


def _microseconds(value: object, info: ValidationInfo) -> int:
    """A store's whole microseconds are taken from Python only; a file has texts."""
    if info.mode == "python" and isinstance(value, int):
        return value
    return times.microseconds(utc_time(value))


At = Annotated[
    int,
    BeforeValidator(_microseconds),
    PlainSerializer(times.rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]


class Portable(BaseModel):
    """What is read from a file once and stays as it is."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Stamped(Portable, Generic[T]):
    """A value, and when which event said so: the event's id and source, a line break in between."""

    at: At
    event: _Rank
    value: T


class Member(Stamped[T], Generic[T]):
    """A value that is one of several of its kind; `id` tells them apart."""

    id: Hex


class Bought(Portable):
    """What was bought, of whom, for how much."""

    product_id: Id
    product_name: Name
    product_type: ProductType
    provider_id: Id
    provider_name: Name
    amount: Price
    currency: Currency


class Period(Portable):
    """What a purchase grants and what was used of it."""

    start_date: At
    end_date: At | None = None
    auto_renewal: bool
    hours_used: Measure
    sessions_completed: Count
    next_billing_date: At | None = None


class Rated(Portable):
    """What the user thought of it."""

    rating: Rating
    review: Text | None = None


class PurchaseMove(Portable):
    """A step in a purchase's history, and the command that it answers."""

    status: PurchaseStatus
    reason: Text | None = None
    command_id: Id | None = None


class DeploymentMove(Portable):
    """A step in a deployment's history, and the command that it answers."""

    status: DeploymentStatus
    reason: Text | None = None
    command_id: Id | None = None


class Deployed(Portable):
    """What was deployed, for which purchase, and where."""

    purchase_id: Id
    kind: Literal["service", "app"]
    region: Label


class Line(Portable):
    """A line of the ledger."""

    sequence: Sequence
    kind: TransactionKind
    amount: Money
    currency: Currency
    balance_after: Money


class Position(Portable):
    """A position in a pool."""

    pool_name: Name
    invested: Price
    current_value: Price
    currency: Currency
    share_percent: Percent | None = None
    apy_percent: float | None = None
    status: Literal["open", "closed"]


class PurchaseFacts(Portable):
    """What was said of a purchase."""

    details: Stamped[Bought]
    told_at: Stamped[At]
    transaction_id: Stamped[Id] | None = None
    purchase_date: Stamped[At] | None = None
    billing_cycle: Stamped[BillingCycle] | None = None
    period: Stamped[Period] | None = None
    command_id: Stamped[Id] | None = None
    rating: Stamped[Rated] | None = None
    history: Annotated[list[Member[PurchaseMove]], Field(max_length=_MOST_MEMBERS)] = []
    tickets: Annotated[list[Member[Id]], Field(max_length=_MOST_MEMBERS)] = []


class DeploymentFacts(Portable):
    """What was said of a deployment."""

    details: Stamped[Deployed]
    told_at: Stamped[At]
    resources: Stamped[ResourceAllocation] | None = None
    node_id: Stamped[Id] | None = None
    deployment_url: Stamped[Url] | None = None
    monthly_cost: Stamped[Price] | None = None
    last_check: Stamped[At] | None = None
    scaled: Stamped[Id | None] | None = None
    history: Annotated[list[Member[DeploymentMove]], Field(max_length=_MOST_MEMBERS)] = []


class TransactionFacts(Portable):
    """What was said of a transaction."""

    line: Stamped[Line]
    related_entity_id: Stamped[Id] | None = None
    related_entity_type: Stamped[Label] | None = None
    description: Stamped[Text] | None = None


class PoolFacts(Portable):
    """What was said of a pool position."""

    position: Stamped[Position]
