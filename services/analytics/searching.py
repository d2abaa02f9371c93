"""The catalogue's index, in the one thread that may use it, kept in step with the shelf."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from services.analytics.domain.offers import shown
from services.analytics.domain.search import CatalogueIndex
from services.analytics.domain.things import Product
from services.analytics.shelf import Shelf
from shared.contracts.analytics_recommend import CatalogPage, CatalogProduct, CatalogQuery


class Search:
    """Finds products on offer."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, "search")
        self._index: CatalogueIndex | None = None
        self._products: Mapping[str, Product] = {}

    async def refresh(self) -> None:
        """Takes in what has changed on the shelf."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._take, self._shelf.products)

    async def find(self, query: CatalogQuery) -> CatalogPage:
        """The page that the query asks for. Raises BadCursorError for a cursor that no page gave."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._find, query)

    def product(self, id: str) -> CatalogProduct | None:
        """The product with that id; None if it is not on offer, or not any more."""
        product = self._shelf.products.get(id)
        return None if product is None or product.retired else shown(product)

    async def close(self) -> None:
        """Ends the thread after what it is at."""
        await asyncio.to_thread(self._thread.shutdown)

    def _take(self, products: Mapping[str, Product]) -> None:
        if products is not self._products:
            self._index = self._index or CatalogueIndex()
            self._index.update(products.values())
            self._products = products

    def _find(self, query: CatalogQuery) -> CatalogPage:
        self._index = self._index or CatalogueIndex()
        return self._index.find(query)
