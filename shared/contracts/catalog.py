"""What the marketplace offers (topic `marketplace.catalog`, compacted, keyed by product)."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.envelope import Payload
from shared.contracts.types import BillingCycle, Currency, Id, Label, Name, Price, ProductType, Text, UtcTime


class _Product(Payload):
    product_id: Id

    @property
    def key(self) -> str:
        return self.product_id


class ProductListed(_Product):
    """A product as it is offered now; the latest one replaces the ones before. `price` is for one `billing_cycle`."""

    event_type: ClassVar[str] = "product.listed.v1"
    name: Name
    description: Text | None = None
    product_type: ProductType
    category: Label | None = None
    provider_id: Id
    provider_name: Name
    price: Price
    currency: Currency
    billing_cycle: BillingCycle | None = None
    annual_price: Price | None = None
    tags: Annotated[list[Label], Field(max_length=100)] = []
    rating: Annotated[float, Field(ge=0, le=5)] | None = None
    listed_at: UtcTime | None = None


class ProductRetired(_Product):
    """A product is no longer offered."""

    event_type: ClassVar[str] = "product.retired.v1"
