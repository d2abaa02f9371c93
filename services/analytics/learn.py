"""One refresh: what all participating users did is read, the model is made of it, and the cohorts are compared.

It runs in a process of its own (services.analytics.learning), which takes the memory that it needs with it.
"""

import asyncio
from array import array
from collections.abc import AsyncIterator, Set
from datetime import datetime
from typing import Any, Final

import numpy as np

from services.analytics.comparing import Cohorts, figures_in, member_of
from services.analytics.domain.months import FARTHEST, month_of, preceding, zone_of
from services.analytics.domain.training import BOUGHT, LOOKED_AT, RATED, Interactions, train
from services.analytics.models import Models
from services.analytics.presences import DAYS_LOOKED_AT
from services.analytics.worker import begin
from shared.folds.state import value
from shared.plumbing import mongo
from shared.plumbing.mongo import Database, Document

_AT_ONCE: Final = 500
_MONTHS: Final = 14  # twelve that are over and the one that is not, wherever the user is


def learn_apart(mongo_url: str, database: str) -> None:
    """The main function of the process."""
    begin()
    asyncio.run(_learn_apart(mongo_url, database))


async def _learn_apart(mongo_url: str, database: str) -> None:
    client = mongo.connect(mongo_url)
    try:
        await learn(client[database])
    finally:
        client.close()


async def learn(database: Database) -> None:
    """Reads, learns, compares and stores. Raises PyMongoError; what was before is then still there."""
    made: datetime = (await database.command("hello"))["localTime"]
    withdrawn = await _withdrawn(database)
    products = sorted([document["_id"] async for document in database["products"].find({}, {"_id": 1})])
    await Models(database).store(train(await _interactions(database, withdrawn, products), products, made))
    await _compare(database, withdrawn, made)


async def _withdrawn(database: Database) -> Set[str]:
    """Who does not want to take part in comparisons and recommendations."""
    said_no = {"fields.analytics_participation.3": False}
    return {document["user"] async for document in database["settings"].find(said_no, {"user": 1})}


class _Rows:
    """Interactions in the making."""

    def __init__(self, withdrawn: Set[str], products: list[str]) -> None:
        self._withdrawn = withdrawn
        self._products = {id: at for at, id in enumerate(products)}  # noqa: A001
        self._users: dict[str, int] = {}
        self._user, self._product, self._kind, self._weight = array("q"), array("q"), array("q"), array("d")

    def add(self, document: Document, kind: int, weight: float) -> None:
        """What a user did with a product; nothing, if they withdrew or it was never in the catalogue."""
        user, product = document["user"], self._products.get(document["product_id"])
        if product is not None and user not in self._withdrawn:
            self._user.append(self._users.setdefault(user, len(self._users)))
            self._product.append(product)
            self._kind.append(kind)
            self._weight.append(weight)

    def interactions(self) -> Interactions:
        """What was added."""
        return Interactions(
            user=np.array(self._user, dtype=np.int64),
            product=np.array(self._product, dtype=np.int64),
            kind=np.array(self._kind, dtype=np.int64),
            weight=np.array(self._weight, dtype=np.float64),
        )


async def _interactions(database: Database, withdrawn: Set[str], products: list[str]) -> Interactions:
    rows = _Rows(withdrawn, products)
    async for view in _each(database["views"], {"user": 1, "product_id": 1, "number": DAYS_LOOKED_AT}):
        rows.add(view, LOOKED_AT, view["number"])
    async for purchase in _each(database["purchases"], {"user": 1, "product_id": 1, "fields.rating": 1}):
        rows.add(purchase, BOUGHT, 1.0)
        if rating := value(purchase, "rating"):
            rows.add(purchase, RATED, rating["rating"])
    return rows.interactions()


async def _compare(database: Database, withdrawn: Set[str], at: datetime) -> None:
    """Refreshes the cohorts, and takes out at the end who was erased meanwhile."""
    cohorts, users = Cohorts(database), database["users"]
    now, participants = {}, set()
    figures = {f"months.{month}.{name}": 1 for month in _last_months(at) for name in ("spent", "by_type")}
    wanted = {"zone": 1, "usage.deployment_stats.average_uptime": 1, **figures}
    async for user in _each(users, wanted):
        if user["_id"] not in withdrawn:
            participants.add(member_of(user["_id"]))
            if "usage" in user:
                now[member_of(user["_id"])] = figures_in(user, at)
    await cohorts.refresh(now, participants, at)
    there = {member_of(user["_id"]) async for user in _each(users, {"_id": 1})}
    await cohorts.take_out(await cohorts.members() - there)


def _last_months(at: datetime) -> list[str]:
    months = [month_of(at + FARTHEST, zone_of(None))]
    while len(months) < _MONTHS:
        months.append(preceding(months[-1]))
    return months


async def _each(collection: Any, projection: Document) -> AsyncIterator[Document]:  # Any: the driver's
    """Every document; a list at a time, because asking for each one costs several times as much."""
    cursor = collection.find({}, projection, batch_size=_AT_ONCE)
    while found := await cursor.to_list(_AT_ONCE):
        for document in found:
            yield document
