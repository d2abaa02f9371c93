"""The products on offer, as the catalogue's events say: the later event wins, then the greater id."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.analytics.domain.things import Product
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.reading import AnyEvent
from shared.contracts.times import microseconds
from shared.plumbing.mongo import Database, Document

INDEXES = {"products": [IndexModel([("stored", ASCENDING)], name="stored")]}


class Catalogue:
    """One document per product; a product that was retired and comes back is listed again."""

    def __init__(self, database: Database) -> None:
        self._products = database["products"]

    async def save(self, events: Sequence[AnyEvent]) -> int:
        """Stores what the batch's catalogue events say, the newest listing and the newest retirement of each product,
        so that the batches make no difference; how many events there were.
        """
        newest: dict[tuple[str, str], tuple[tuple[int, str], AnyEvent]] = {}
        told = [event for event in events if isinstance(event.data, ProductListed | ProductRetired)]
        for event in told:
            stamp, key = (microseconds(event.time), event.rank), (event.subject, event.type)
            if key not in newest or newest[key][0] < stamp:
                newest[key] = (stamp, event)
        if newest:
            await self._products.bulk_write([_write(*each) for each in newest.values()], ordered=False)
        return len(told)

    async def stored_now(self, put_right: Sequence[Document]) -> None:
        """Makes `products` find these products again, those of them that are as they are here."""
        if same := [document | {"stored": {"$exists": True}} for document in put_right]:
            await self._products.update_many({"$or": same}, [{"$set": {"stored": "$$NOW"}}])

    async def products(self, since: datetime | None) -> tuple[list[Product], datetime | None]:
        """Every listed product that was stored at `since` or later (by Mongo's clock), and when the last one was."""
        stored = {"stored": {"$gte": since}} if since else {}
        found = await self._products.find({"listed": {"$exists": True}, **stored}).to_list(None)
        return [_product(document) for document in found], max((d["stored"] for d in found), default=None)


def _write(stamp: tuple[int, str], event: AnyEvent) -> UpdateOne:
    """An aggregation update: the document takes the event where its stamp is greater, and else stays as it is.

    A retirement keeps what was listed, and a listing takes the place of a retirement.
    """
    data = event.data
    listed = data.model_dump() if isinstance(data, ProductListed) else None
    side = "listing" if listed else "retirement"
    said = {"at": stamp[0], "rank": stamp[1]}
    known = {"at": {"$ifNull": [f"${side}.at", -(2**62)]}, "rank": {"$ifNull": [f"${side}.rank", ""]}}
    newer: Document = {
        "$or": [
            {"$lt": [known["at"], said["at"]]},
            {"$and": [{"$eq": [known["at"], said["at"]]}, {"$lt": [known["rank"], {"$literal": said["rank"]}]}]},
        ]
    }
    value: dict[str, Any] = {side: {"$cond": [newer, {"$literal": said}, f"${side}"]}, "stored": "$$NOW"}
    if listed:
        value["listed"] = {"$cond": [newer, {"$literal": listed}, "$listed"]}
    return UpdateOne({"_id": event.subject}, [{"$set": value}], upsert=True)


def _product(document: Document) -> Product:
    listed, listing = document["listed"], document["listing"]
    retired: Document = document.get("retirement") or {"at": -1, "rank": ""}
    return Product(
        id=document["_id"],
        name=listed["name"],
        description=listed["description"] or "",
        product_type=listed["product_type"],
        category=listed["category"],
        provider_id=listed["provider_id"],
        provider_name=listed["provider_name"],
        price=listed["price"],
        currency=listed["currency"],
        billing_cycle=listed["billing_cycle"],
        annual_price=listed["annual_price"],
        tags=tuple(listed["tags"]),
        rating=listed["rating"],
        retired=(retired["at"], retired["rank"]) > (listing["at"], listing["rank"]),
    )
