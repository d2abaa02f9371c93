"""The catalogue in memory, so that a recommendation or a search costs no query: read once, then what is new."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from services.analytics.catalogue import Catalogue
from services.analytics.domain.ideas import offers_by_category
from services.analytics.domain.things import Product

_OVERLAP: Final = timedelta(seconds=10)  # what two processes store at one time becomes visible in either order


class Shelf:
    """Every product by its id, and what is on offer by product type and category."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._read_to: datetime | None = None
        self.products: Mapping[str, Product] = {}
        self.offers: Mapping[tuple[str, str | None], Sequence[Product]] = {}

    async def refresh(self) -> None:
        """Reads what was stored since the last time. Raises PyMongoError."""
        since = self._read_to and self._read_to - _OVERLAP
        found, read_to = await self._catalogue.products(since)
        self._read_to = max(read_to, self._read_to) if read_to and self._read_to else read_to or self._read_to
        anew = {product.id: product for product in found}
        if any(self.products.get(id) != product for id, product in anew.items()):  # noqa: A001
            self.products = {**self.products, **anew}
            self.offers = offers_by_category(self.products.values())
