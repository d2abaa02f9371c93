"""What the dashboard answers about spending to come, what is out of the ordinary, budgets, and how long money lasts.

Money is a decimal in a string, in TFP unless a `currency` beside it says otherwise; months are those of the user's time
zone, such as 2025-06.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from shared.contracts.types import Currency, Price

ForecastMethod = Literal["mean", "seasonal_naive", "ses", "damped_trend", "theta", "combination"]
AlertKind = Literal["budget_reached", "budget_expected"]


class ForecastQuery(BaseModel):
    """How many months to forecast, beginning with the running one."""

    months: Annotated[int, Field(ge=1, le=12)] = 3


class ForecastMonth(BaseModel):
    """What is expected to be spent in a month; four times out of five it is from `low` to `high`."""

    month: str
    expected: str
    low: str
    high: str


class ForecastError(BaseModel):
    """How far off forecasts of one to three months ahead were in the past: in money, and as a MASE.

    The MASE is null where every month was like the one before it: there is no error to compare with.
    """

    mae: str
    mase: float | None


class Baseline(BaseModel):
    """The better of the two simplest forecasts: the mean of all months, or the same month of last year."""

    method: Literal["mean", "seasonal_naive"]
    error: ForecastError


class Forecast(BaseModel):
    """What is expected, from `history_months` closed months, and how good such forecasts were."""

    currency: str
    history_months: int
    method: ForecastMethod
    error: ForecastError
    baseline: Baseline
    items: list[ForecastMonth]


class Driver(BaseModel):
    """What makes a difference: how much more (or, negative, less) than usual it took, and the events that say so.

    For a purchase, `amount` is all that it cost and `id` is its id; for a provider, `id` is its id.
    """

    kind: Literal["provider", "type", "purchase"]
    id: str
    name: str
    amount: str
    event_ids: list[str]


class Anomaly(BaseModel):
    """A month, or what went to one provider in a month, that is far out of the user's own pattern.

    `usual` is the median of the months before, `score` the modified z-score. `running`: the month is not over yet.
    """

    id: str
    month: str
    running: bool
    provider_id: str | None
    provider_name: str | None
    direction: Literal["above", "below"]
    spent: str
    usual: str
    difference: str
    score: float
    summary: str
    drivers: list[Driver]


def _positive(amount: Price) -> Price:
    if amount <= 0:
        raise ValueError("should be more than 0")
    return amount


class BudgetBody(BaseModel):
    """What the user wants to spend in a month at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    monthly_limit: Annotated[Price, AfterValidator(_positive)]
    currency: Currency = "TFP"


class BudgetThreshold(BaseModel):
    """A part of the budget: `reached`, `expected` to be before the month ends, or `clear`."""

    percent: int
    state: Literal["reached", "expected", "clear"]


class Alert(BaseModel):
    """Something to tell the user once: what has the same `id` has been told already."""

    id: str
    kind: AlertKind
    month: str
    threshold: int
    message: str


class ToldAlert(Alert):
    """An alert that the user was told of, and when (UTC)."""

    raised_at: datetime


class Budget(BaseModel):
    """How far this month's budget is used. `used_percent` may exceed 100.

    `expected` is what the month will have come to when it ends; null where it is too early to tell.
    """

    month: str
    monthly_limit: str
    currency: str
    spent: str
    used_percent: float
    left: str
    expected: str | None
    thresholds: list[BudgetThreshold]
    alerts: list[Alert]


class DeploymentBurn(BaseModel):
    """What a deployment takes a day, a month being 30.44 days."""

    deployment_id: str
    product_name: str | None
    per_day: str
    monthly_cost: str


class Runway(BaseModel):
    """How long the wallet lasts if nothing comes in and spending goes on as it was; `basis` says how that was measured.

    `runs_out_on` is in the user's time zone; it and `days_left` are null where the wallet lasts for five years or more.
    """

    balance: str
    currency: str
    as_of: datetime
    window_days: int
    burn_per_day: str
    days_left: int | None
    runs_out_on: date | None
    basis: str
    deployments: list[DeploymentBurn]
