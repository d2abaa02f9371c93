"""Products for the tests of recommendations and of the search."""

from decimal import Decimal

from services.analytics.domain.things import Product
from shared.contracts.types import ProductType


def product(
    id: str,
    *,
    name: str | None = None,
    description: str = "",
    product_type: ProductType = "service",
    category: str | None = "databases",
    provider: str = "acme",
    price: str = "10.00",
    currency: str = "TFP",
    tags: tuple[str, ...] = (),
    rating: float | None = None,
    retired: bool = False,
) -> Product:
    """A product by the month, of a provider of that id, whose name is the id in title case."""
    return Product(
        id=id,
        name=name or id.replace("-", " ").title(),
        description=description,
        product_type=product_type,
        category=category,
        provider_id=provider,
        provider_name=provider.replace("-", " ").title(),
        price=Decimal(price),
        currency=currency,
        billing_cycle="monthly",
        annual_price=None,
        tags=tags,
        rating=rating,
        retired=retired,
    )
