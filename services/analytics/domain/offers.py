"""A product as the API shows it."""

from services.analytics.domain.things import Product
from shared.contracts.analytics_recommend import CatalogProduct
from shared.contracts.types import ProductType

TYPE_NAMES: dict[ProductType, str] = {
    "service": "services",
    "application": "applications",
    "compute_slice": "compute slices",
    "storage": "storage",
    "network": "network products",
}


def shown(product: Product) -> CatalogProduct:
    """The product with its money as text."""
    return CatalogProduct(
        id=product.id,
        name=product.name,
        description=product.description,
        product_type=product.product_type,
        category=product.category,
        provider_id=product.provider_id,
        provider_name=product.provider_name,
        price=f"{product.price:f}",
        currency=product.currency,
        billing_cycle=product.billing_cycle,
        annual_price=None if product.annual_price is None else f"{product.annual_price:f}",
        tags=list(product.tags),
        rating=product.rating,
    )
