"""What the dashboard answers about products to try, where the user stands among others, and what is on offer.

Money is a decimal in a string with its currency beside it; times are in UTC.
"""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.types import BillingCycle, Id, Label, Price, ProductType
from shared.contracts.views import Cursor, Limit, Search

EvidenceKind = Literal[
    "bought_together",
    "looked_at",
    "rated_provider",
    "provider",
    "category",
    "preferred_provider",
    "default_category",
    "popular",
    "well_rated",
]


class CatalogProduct(BaseModel):
    """A product on offer. `price` is for one `billing_cycle`; `rating` is the marketplace's, 0 to 5."""

    id: str
    name: str
    description: str
    product_type: ProductType
    category: str | None
    provider_id: str
    provider_name: str
    price: str
    currency: str
    billing_cycle: BillingCycle | None
    annual_price: str | None
    tags: list[str]
    rating: float | None


class CatalogQuery(BaseModel):
    """Which products. Prices are inclusive, in the marketplace's own currency, for one billing cycle."""

    model_config = ConfigDict(frozen=True)

    q: Search | None = Field(None, description="Words, or their beginnings; case and accents do not matter.")
    type: ProductType | None = None
    category: Label | None = Field(None, description="A category's or a product type's own name.")
    provider: Id | None = Field(None, description="The provider's id.")
    min_price: Price | None = None
    max_price: Price | None = None
    limit: Limit = 50
    cursor: Cursor | None = None

    @model_validator(mode="after")
    def _prices_are_in_order(self) -> Self:
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ValueError("min_price should not be above max_price")
        return self


class CatalogPage(BaseModel):
    """Products, the best match first, without `q` by name; `next_cursor` leads on and is null on the last page.

    `corrected` is what was searched for instead where a word of `q` was not found.
    """

    items: list[CatalogProduct]
    next_cursor: str | None
    corrected: str | None


class RecommendationsQuery(BaseModel):
    """How many products."""

    limit: Annotated[int, Field(ge=1, le=50)] = 10


class Evidence(BaseModel):
    """What a reason rests on: the user's own products, or the product itself, and how many times or people.

    `count` of people is of 5 or more others, and null where there are fewer or nothing was counted. `kind` and `count`
    say what the reason says, with `params`.
    """

    kind: EvidenceKind
    product_ids: list[str]
    count: int | None
    params: dict[str, str] = {}


class ProductRecommendation(BaseModel):
    """A product that the user never bought, with why, the strongest reason first; `evidence` is in the same order.

    `score` is the chance, by the model, that this is the next new product that the user buys, of all that may be
    recommended. `confidence` is how much of that is due to what is known of this user: 1 less the chance by popularity
    alone over the chance for the user; 0 is what anybody would be told, and nothing is near 1 without much behind it.
    """

    product: CatalogProduct
    score: Annotated[float, Field(ge=0, le=1)]
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasons: list[str]
    evidence: list[Evidence]


class ProductRecommendations(BaseModel):
    """The best first. `model_from` is when the behaviour of others was last learnt from, null before the first time."""

    items: list[ProductRecommendation]
    model_from: datetime | None


Measure = Literal["monthly_spending", "uptime", "ratings_given"]
BenchmarkCode = Literal[
    "compared", "nothing_bought", "nothing_running", "nothing_rated", "too_few_others", "group_changing"
]


class Benchmark(BaseModel):
    """Where the user stands in one measure.

    `value` is TFP a month over the last three closed months, percent, or 1 to 5. `percentile` is the share of the
    others with less, in steps of 5; where it is null, `text` says why. `others` is rounded down to tens (20, 30, …).
    `text` is English; `code` says the same.
    """

    measure: Measure
    value: str | None
    percentile: Annotated[int, Field(ge=0, le=100, multiple_of=5)] | None
    others: int | None
    as_of: datetime | None
    text: str
    code: BenchmarkCode


class Benchmarks(BaseModel):
    """The user among those who spend most on the same product type; `cohort` is null without a purchase in a year."""

    cohort: ProductType | None
    measures: list[Benchmark]
