"""What the overview shows of a user: each service answers the members that are its own.

Money is a decimal in a string, amounts of several currencies are by currency; times are in UTC; months are those of
the user's own clock.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from shared.contracts.analytics_recommend import CatalogProduct, Evidence
from shared.contracts.analytics_views import SpendingRecommendation
from shared.contracts.profiles import Layout, Theme
from shared.contracts.purchase_views import Deployment, Wallet
from shared.contracts.types import Section
from shared.contracts.views import UserActivity


class OverviewUser(BaseModel):
    """Who is looking, and how they want to see it. `last_login` is the login before the latest one, if there was one.

    `has_chosen` says whether they ever chose any of their preferences.
    """

    user_id: str
    user_email: str
    display_name: str
    avatar_url: str | None
    country: str | None
    timezone: str
    created_at: datetime
    last_login: datetime | None
    preferred_currency: str
    language: str
    theme: Theme
    dashboard_layout: Layout
    items_per_page: int
    push_notifications: bool
    activity_tracking: bool
    has_chosen: bool


class OverviewStats(BaseModel):
    """What runs, and what was spent on purchases that are active or completed, in this `month` and in the one before.

    `wallet_change_this_month` is the sum of the wallet's transactions.
    """

    active_services: int
    month: str
    spent_this_month: dict[str, str]
    spent_last_month: dict[str, str]
    wallet_change_this_month: dict[str, str]


class TopCategory(BaseModel):
    """The product type that most was spent on, ever."""

    category: str
    total_spent: str
    percentage_of_total: float


class BiggestChange(BaseModel):
    """The product type whose spending differs most between this month and the last."""

    category: str
    this_month: str
    last_month: str


class SuggestedProduct(BaseModel):
    """A product that the user might want, and the strongest reason for it; `evidence` is what that rests on."""

    product: CatalogProduct
    reason: str
    confidence: float
    evidence: Evidence | None = None


class OverviewInsights(BaseModel):
    """What it comes to, in TFP. `potential_savings` are those of all ideas in a year; `ideas` are the best of them."""

    currency: str
    month: str
    spent_this_month: str
    spent_last_month: str
    average_monthly_spending: str
    top_category: TopCategory | None
    biggest_change: BiggestChange | None
    potential_savings: str
    ideas: Annotated[list[SpendingRecommendation], Field(max_length=3)]
    recommended_products: Annotated[list[SuggestedProduct], Field(max_length=3)]
    unread_notifications: int


class SectionState(BaseModel):
    """How good what is shown of a section is, and as of when it is true.

    `stale` is what was last known of a part that does not answer; of an `unavailable` one nothing is known.
    """

    as_of: datetime | None
    state: Literal["fresh", "stale", "unavailable"]


class Overview(BaseModel):
    """Everything at a glance. What is unavailable is null, or an empty list; `sections` says which that is."""

    user: OverviewUser | None
    stats: OverviewStats | None
    recent_activities: Annotated[list[UserActivity], Field(max_length=5)]
    active_deployments: Annotated[list[Deployment], Field(max_length=12)]
    insights: OverviewInsights | None
    wallet: Wallet | None
    sections: dict[Section, SectionState]
