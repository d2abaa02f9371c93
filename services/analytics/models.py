"""The model of what goes together, kept: the newest one that is there whole counts."""

from collections import Counter
from datetime import datetime

from services.analytics.domain.model import Model, from_documents, to_documents
from shared.plumbing.mongo import Database


class Models:
    """Keeps the newest model, beside one that is being stored. Every method may raise PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._parts = database["models"]

    async def store(self, model: Model) -> None:
        """Stores the model, then removes the older ones: whoever is killed in between leaves the one before."""
        for part in to_documents(model):
            await self._parts.insert_one(part)
        await self._parts.delete_many({"made": {"$lt": model.made}})

    async def newer_than(self, made: datetime | None) -> Model | None:
        """The newest model, if it was made later; None also where it is being replaced at the moment."""
        later = {"made": {"$gt": made}} if made else {}
        stamps = await self._parts.find(later, {"made": 1, "parts": 1}).to_list(None)
        there = Counter((stamp["made"], stamp["parts"]) for stamp in stamps)
        whole = [of for (of, parts), number in there.items() if number == parts]
        return from_documents(await self._parts.find({"made": max(whole)}).to_list(None)) if whole else None
