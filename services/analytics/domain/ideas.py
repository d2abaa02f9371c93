"""An idea to spend less, and what ideas are made of: what a user has, and what is on offer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.things import Deployment, Product, Purchase
from services.analytics.domain.usage import DeploymentFigures
from shared.contracts.analytics_views import IdeaKind, IdeaReason

Effort = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Command:
    """A request to the gateway that would do it."""

    method: str
    path: str
    body: Mapping[str, Any]  # JSON


@dataclass(frozen=True, slots=True)
class Saving:
    """An idea about the purchase `subject`; `evidence` are ids of purchases, deployments and products.

    What it says, and its `reasons`, are filled with `params`: services.analytics.domain.idea_wording.
    """

    kind: IdeaKind
    subject: str
    params: Mapping[str, str]
    per_year: Decimal
    confidence: float
    effort: Effort
    reasons: Sequence[IdeaReason]
    evidence: Sequence[str]
    command: Command | None = None

    @property
    def id(self) -> str:
        """The same for the same idea about the same things, however often it is worked out."""
        parts = "\x1f".join((self.kind, *self.evidence))
        return blake2b(parts.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a user has, what is on offer, and which providers the user does not want."""

    purchases: Sequence[Purchase]
    deployments: Sequence[tuple[Deployment, DeploymentFigures]]
    products: Mapping[str, Product]
    now: datetime
    blocked: frozenset[str] = frozenset()
    offers: Mapping[tuple[str, str | None], Sequence[Product]] = field(default_factory=dict)

    @property
    def running_costs(self) -> list[Purchase]:
        """The purchases that are active and paid again and again, in the marketplace's currency."""
        active = (p for p in self.purchases if p.status == "active" and p.currency == OWN_CURRENCY)
        return [p for p in active if p.billing_cycle in ("monthly", "annual")]

    def category(self, purchase: Purchase) -> str | None:
        """The category that the catalogue gives its product."""
        product = self.products.get(purchase.product_id)
        return product.category if product else None


def offers_by_category(products: Iterable[Product]) -> dict[tuple[str, str | None], list[Product]]:
    """What is on offer, by product type and category."""
    found: dict[tuple[str, str | None], list[Product]] = {}
    for product in products:
        if not product.retired:
            found.setdefault((product.product_type, product.category), []).append(product)
    return found
