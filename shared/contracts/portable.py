"""The file that holds everything about one user, and its parts: what `GET /export` gives and `POST /import` takes back.

An item is what the API shows of a thing. Where that is not enough to take it back exactly, its `facts` are there too:
which event said what of it, and when. Importing merges facts, so that it fills in what is missing and changes nothing
that is known. Times are RFC 3339 in UTC, money is a decimal in a string.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from shared.contracts import times
from shared.contracts.analytics_forecast import BudgetBody
from shared.contracts.portable_facts import (
    At,
    DeploymentFacts,
    Hex,
    PoolFacts,
    Portable,
    PurchaseFacts,
    TransactionFacts,
)
from shared.contracts.profiles import UserPreferences, UserProfile
from shared.contracts.purchase_views import CommandState, Deployment, PoolPosition, PurchaseDetail, Transaction, Wallet
from shared.contracts.topics import Service
from shared.contracts.types import (
    Count,
    Email,
    Id,
    Label,
    Measure,
    Percent,
    Price,
    UtcTime,
)
from shared.contracts.views import UserActivity

FORMAT: Final = "mycelium-export"
VERSION: Final = 1
SCHEMA_PATH: Final = "/api/v1/export.schema.json"
MOST_ITEMS: Final = 500  # in one call to a service

PARTS: Final[Mapping[Service, tuple[str, ...]]] = {
    "profile": ("profile", "preferences", "sessions"),
    "activity": ("activities",),
    "purchases": ("purchases", "deployments", "health", "wallet", "transactions", "pools", "commands"),
    "analytics": ("budget",),
}
TAKEN_TOO: Final[Mapping[Service, frozenset[str]]] = {
    "analytics": frozenset({"purchases", "deployments", "health", "transactions"})
}  # what a service takes back besides its own parts, because its figures are made of it
EXPORT_ONLY: Final = frozenset({"sessions", "wallet", "commands"})
LEFT_OUT: Final = (
    "access credentials of deployments: reveal them while they are there; they are never written to a file",
    "the password",
    "what was said of purchases and deployments that were not told of yet",
    "which budget alerts were shown, and which ideas to spend less were dismissed",
)

T = TypeVar("T")
_MOST_CHECKS = 96
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_Description = Annotated[str, StringConstraints(max_length=20_000)]


def _storable(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    waiting: list[JsonValue] = [value]
    while waiting:
        match waiting.pop():
            case dict() as members:
                if any("\x00" in name for name in members):
                    raise ValueError("should have no member with NUL in its name")
                waiting += members.values()
            case list() as items:
                waiting += items
            case int() as number if not _SMALLEST <= number <= _LARGEST:
                raise ValueError("should have whole numbers of at most 64 bits")
    return value


class PortableActivity(UserActivity):
    """An activity as the timeline shows it."""

    id: Hex
    user_email: Email
    description: _Description
    timestamp: UtcTime
    metadata: Annotated[dict[str, JsonValue], AfterValidator(_storable)]
    related_entity_id: Id | None
    related_entity_type: Label | None
    session_id: Id | None


class PortablePurchase(PurchaseDetail):
    """A purchase. Its deployments are a part of their own, so `deployment_info` is null."""

    id: Id
    facts: PurchaseFacts


class PortableDeployment(Deployment):
    """A deployment as it was when the file was made."""

    deployment_id: Id
    facts: DeploymentFacts


class PortableTransaction(Transaction):
    """A line of the ledger."""

    transaction_id: Id
    facts: TransactionFacts


class PortablePool(PoolPosition):
    """A position in a pool."""

    pool_id: Id
    facts: PoolFacts


class PortableCheck(Portable):
    """The worst check of a quarter of an hour: milliseconds, and per cent of what is allocated."""

    at: At
    healthy: bool
    latency_ms: Measure | None = None
    cpu_percent: Percent | None = None
    memory_percent: Percent | None = None


class HealthDay(Portable):
    """The checks of one deployment on one day (UTC), oldest first."""

    deployment_id: Id
    day: date
    checks: Annotated[list[PortableCheck], Field(max_length=_MOST_CHECKS)]

    @model_validator(mode="after")
    def _is_of_one_day(self) -> Self:
        if any(times.as_time(check.at).date() != self.day for check in self.checks):
            raise ValueError("every check should be of this day in UTC")
        return self


class PortableProfile(UserProfile):
    """The profile. `user_id` is that of the account which the file was made of."""

    user_email: Email


_TWO_PRICES = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}


class PortablePreferences(UserPreferences):
    """The preferences."""

    price_range_filter: Annotated[
        tuple[Price, Price] | None, WithJsonSchema({"anyOf": [_TWO_PRICES, {"type": "null"}]})
    ] = None


class PortableBudget(BudgetBody):
    """What the user wants to spend in a month at most."""


class PortableSession(BaseModel):
    """Where the user was signed in."""

    id: str
    user_agent: str | None
    opened_at: datetime
    last_seen_at: datetime
    expires_at: datetime


class Parts(BaseModel):
    """Everything, by what it is about."""

    profile: Annotated[list[PortableProfile], Field(max_length=1)]
    preferences: Annotated[list[PortablePreferences], Field(max_length=1)]
    sessions: list[PortableSession]
    activities: list[PortableActivity]
    purchases: list[PortablePurchase]
    deployments: list[PortableDeployment]
    health: list[HealthDay]
    wallet: Annotated[list[Wallet], Field(max_length=1)]
    transactions: list[PortableTransaction]
    pools: list[PortablePool]
    commands: list[CommandState]
    budget: Annotated[list[PortableBudget], Field(max_length=1)] = []


class Manifest(BaseModel):
    """How many items each part has, what is not in the file, and the proof that nobody changed it."""

    counts: dict[str, Count]
    left_out: list[str]
    signature: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class ExportFile(BaseModel):
    """Everything about one user. A file without its `manifest` was cut off."""

    format: Literal["mycelium-export"]
    version: Literal[1]
    schema_: str = Field(alias="schema")
    user_email: Email
    exported_at: UtcTime
    parts: Parts
    manifest: Manifest


P = TypeVar("P")


class PortedItem(BaseModel, Generic[P, T]):
    """An item on its way from the gateway to the service that it belongs to."""

    part: P
    item: T


ActivityItem = PortedItem[Literal["activities"], PortableActivity]
PurchaseItem = PortedItem[Literal["purchases"], PortablePurchase]
DeploymentItem = PortedItem[Literal["deployments"], PortableDeployment]
HealthItem = PortedItem[Literal["health"], HealthDay]
TransactionItem = PortedItem[Literal["transactions"], PortableTransaction]
PoolItem = PortedItem[Literal["pools"], PortablePool]
ProfileItem = PortedItem[Literal["profile"], PortableProfile]
PreferencesItem = PortedItem[Literal["preferences"], PortablePreferences]
BudgetItem = PortedItem[Literal["budget"], PortableBudget]

_IDS: Final[Mapping[str, tuple[str, ...]]] = {
    "activities": ("id",),
    "purchases": ("id",),
    "deployments": ("deployment_id",),
    "health": ("deployment_id", "day"),
    "transactions": ("transaction_id",),
    "pools": ("pool_id",),
}


def name_of(item: PortedItem[Any, Any]) -> tuple[object, ...]:
    """What tells an item apart from all others of a file (Any: it may be of any part)."""
    return (item.part, *(getattr(item.item, name) for name in _IDS.get(item.part, ())))
