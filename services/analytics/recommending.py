"""Products for a user, out of the newest model, the catalogue, and what is known of the user at the moment."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import fmean
from typing import Final

from services.analytics.domain import recommend
from services.analytics.domain.advice import recommend as advise
from services.analytics.domain.model import Model
from services.analytics.domain.recommend import Known
from services.analytics.domain.things import Product
from services.analytics.models import Models
from services.analytics.presences import DAYS_LOOKED_AT
from services.analytics.reckoning import Reckoning
from services.analytics.shelf import Shelf
from shared.contracts.analytics_recommend import ProductRecommendations
from shared.plumbing.mongo import Database

_RATING: Final = {"$let": {"vars": {"said": {"$arrayElemAt": ["$fields.rating", 3]}}, "in": "$$said.rating"}}
_BY_PRODUCT: Final = {"$group": {"_id": "$product_id", "ratings": {"$push": _RATING}}}
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Recommending:
    """Recommends. Every method may raise PyMongoError."""

    def __init__(self, database: Database, reckoning: Reckoning, shelf: Shelf) -> None:
        self._purchases, self._views = database["purchases"], database["views"]
        self._models, self._reckoning, self._shelf = Models(database), reckoning, shelf
        self._catalogue: Mapping[str, Product] = {}
        self._ready = recommend.Shelf((), Model(_NEVER))

    async def refresh(self) -> None:
        """Takes in the newest model and what has changed in the catalogue."""
        catalogue, model = self._shelf.products, self._ready.model
        newer = await self._models.newer_than(model.made)
        if newer or catalogue is not self._catalogue:
            self._ready = await asyncio.to_thread(recommend.Shelf, catalogue.values(), newer or model)
            self._catalogue = catalogue

    async def of(self, user: str, limit: int) -> ProductRecommendations:
        """At most `limit` products that the user never bought, the best first."""
        ready, known = self._ready, await self._known(user)
        items = await asyncio.to_thread(advise, ready, known, limit)
        made = ready.model.made
        return ProductRecommendations(items=items, model_from=None if made == _NEVER else made)

    async def _known(self, user: str) -> Known:
        """What the user bought, whatever became of it, looked at and rated."""
        views = self._views.find({"user": user}, {"product_id": 1, "number": DAYS_LOOKED_AT})
        bought = await self._purchases.aggregate([{"$match": {"user": user}}, _BY_PRODUCT]).to_list(None)
        return Known(
            bought=frozenset(product["_id"] for product in bought),
            looked_at={view["product_id"]: view["number"] async for view in views},
            rated={product["_id"]: fmean(product["ratings"]) for product in bought if product["ratings"]},
            taste=await self._reckoning.taste_of(user),
        )
