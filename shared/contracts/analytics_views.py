"""What the dashboard answers about spending and usage. Money is a decimal in a string, in TFP unless said.

Months, hours and weekdays are those of the user's time zone. What counts as spent: purchases that are active or
completed, less the refunds that name them.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class CategoryUsage(BaseModel):
    """One product type: its share of the spending, and the mean of the ratings given, null where none was."""

    category: str
    purchase_count: int
    total_spent: str
    percentage_of_total: float
    last_purchase: datetime
    average_rating: float | None


class ProviderUsage(BaseModel):
    """One provider. `satisfaction_score` is 0 to 100: see `services.analytics.domain.usage.satisfaction`."""

    provider_id: str
    provider_name: str
    purchase_count: int
    total_spent: str
    average_rating: float | None
    last_purchase: datetime
    satisfaction_score: float | None


class MonthlySpending(BaseModel):
    """A month, such as 2025-06; an empty one is all zeros. `categories` are product types, `providers` ids."""

    month: str
    total_spent: str
    purchase_count: int
    categories: dict[str, str]
    providers: dict[str, str]
    average_per_purchase: str


class DeploymentStatistics(BaseModel):
    """All deployments. `average_uptime` is over the last 30 days, in percent; `total_resource_hours` are hours run."""

    total_deployments: int
    active_deployments: int
    average_uptime: float | None
    total_resource_hours: float
    monthly_costs: str
    cost_efficiency_score: float | None


class ActivityPatterns(BaseModel):
    """The last 90 days. Hours are 0 to 23, busiest first; sessions a week; minutes a session."""

    most_active_hours: list[int]
    most_active_days: list[str]
    session_frequency: float
    average_session_duration: int
    peak_usage_times: list[str]


class UsageStatistics(BaseModel):
    """Everything about how the user uses the marketplace. `other_currencies` is what is not in TFP, by currency."""

    user_email: str
    currency: str
    timezone: str
    total_purchases: int
    total_spent: str
    other_currencies: dict[str, str]
    average_monthly_spending: str
    favorite_categories: list[CategoryUsage]
    preferred_providers: list[ProviderUsage]
    spending_trends: list[MonthlySpending]
    deployment_stats: DeploymentStatistics
    activity_patterns: ActivityPatterns
    last_calculated: datetime


class SpendingList(BaseModel):
    """Months, the latest first."""

    items: list[MonthlySpending]
    next_cursor: None = None


class Months(BaseModel):
    """How many months back, this one included."""

    months: Annotated[int, Field(ge=1, le=120)] = 12


class ExplainQuery(BaseModel):
    """Which figure: a path into `UsageStatistics`, such as `total_spent` or `spending_trends/2025-06/total_spent`."""

    figure: Annotated[str, Field(min_length=1, max_length=200)]


class Fact(BaseModel):
    """One thing behind a figure, what it adds to it (an `amount` in its `currency`), and the events that say so."""

    kind: Literal["purchase", "deployment", "activity"]
    id: str
    label: str
    amount: str | None = None
    currency: str | None = None
    value: float | None = None
    at: datetime | None = None
    event_ids: list[str]


class Explanation(BaseModel):
    """Why a figure is what it is: its value, how it is worked out, and what it is made of, at most 500 things.

    `not_counted`: how many more purchases it would be made of, were they active or completed; they may be pending.
    """

    figure: str
    value: Any
    formula: str
    facts: list[Fact]
    total_facts: int
    not_counted: int = 0


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError("should be a date such as 2026-01-31") from None


Day = Annotated[date, BeforeValidator(_day), Field(ge=date(1970, 1, 1), le=date(9999, 1, 1))]


class ReportQuery(BaseModel):
    """Which purchases (by default this year's), and in which form. Both days are included."""

    model_config = ConfigDict(populate_by_name=True, frozen=True)

    from_: Day | None = Field(None, alias="from")
    to: Day | None = None
    format: Literal["csv", "html", "json"] = "json"


class ReportLine(BaseModel):
    """One purchase of the range."""

    date: date
    purchase_id: str
    product_name: str
    product_type: str
    provider_name: str
    status: str
    amount: str
    refunded: str
    spent: str
    currency: str


class Report(BaseModel):
    """What was bought in a range, oldest first, with the totals by month, product type and provider."""

    from_: date = Field(alias="from")
    to: date
    timezone: str
    total_spent: str
    lines: list[ReportLine]
    months: dict[str, str]
    categories: dict[str, str]
    providers: dict[str, str]


class SavingCommand(BaseModel):
    """A request to this API that would do it."""

    method: Literal["POST"]
    path: str
    body: dict[str, Any]  # Any: JSON


IdeaKind = Literal[
    "annual_billing", "idle_deployment", "oversized_deployment", "duplicate_product", "cheaper_offer", "unused_renewal"
]
IdeaReason = Literal[
    "annual_price",
    "usual_discount",
    "renews_monthly",
    "mean_load",
    "counts_as_idle",
    "half_costs_half",
    "used_less",
    "costs_less",
    "ratings",
    "not_both_rated",
    "same_name",
    "same_category",
    "hours_used",
]


class SpendingRecommendation(BaseModel):
    """An idea to spend less: `potential_savings` per year, how sure it is (0 to 1), and what it takes.

    `title`, `description` and `reasons` are English; `type_` and `reason_codes`, in the order of the reasons, say the
    same with `params`.
    """

    id: str
    type_: IdeaKind
    title: str
    description: str
    potential_savings: str
    currency: str
    confidence: float
    effort: Literal["low", "medium", "high"]
    reasons: list[str]
    evidence: list[str]
    command: SavingCommand | None
    reason_codes: list[IdeaReason] = []
    params: dict[str, str] = {}


class SpendingRecommendations(BaseModel):
    """The ideas, the one that saves most first; there is one for each purchase at most, so they may be added up."""

    items: list[SpendingRecommendation]
    total_savings: str
    currency: str
    next_cursor: None = None
