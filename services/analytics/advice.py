"""Where the user could spend less: worked out of what is active and what is on offer.

For who has many purchases it is made ready beforehand, and is as old as services.analytics.preparing says; for all
others it is worked out when it is asked for. The 200 ideas that save most are told of; the savings are those of all.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from services.analytics.domain.idea_wording import texts
from services.analytics.domain.ideas import Holdings, Saving
from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.savings import savings
from services.analytics.reckoning import Reckoning
from services.analytics.shelf import Shelf
from shared.folds.purchase import money
from shared.plumbing.mongo import Database, Document

Record = dict[str, Any]  # JSON: money is a string
_MOST_DISMISSED = 1_000
_MOST_IDEAS = 200


class Advice:
    """The ideas that hold and that the user has not dismissed."""

    def __init__(self, database: Database, reckoning: Reckoning, shelf: Shelf) -> None:
        self._users = database["users"]
        self._reckoning, self._shelf = reckoning, shelf

    async def spending(self, user: str) -> Record:
        """`SpendingRecommendations` as the API gives them."""
        known, found = await self._found(user)
        every, dismissed = orjson.loads(found["items"]), _dismissed(known)
        gone = sum((Decimal(idea["potential_savings"]) for idea in every if idea["id"] in dismissed), Decimal(0))
        return {
            "items": [idea for idea in every if idea["id"] not in dismissed],
            "total_savings": money(found["total"] - gone),
            "currency": OWN_CURRENCY,
            "next_cursor": None,
        }

    async def ideas(self, user: str) -> Document:
        """The ideas that hold now, worked out: `items`, the best that are not dismissed, as JSON; the `total` of all
        these; and the ids of those that are (`dismissed`).
        """
        known = await self._reckoning.without_months(user, "dismissed")
        held = Holdings(
            purchases=await self._reckoning.lasting_purchases(user),
            deployments=await self._reckoning.deployments_of(user),
            products=self._shelf.products,
            now=datetime.now(UTC),
            blocked=(await self._reckoning.taste_of(user)).blocked,
            offers=self._shelf.offers,
        )
        dismissed = _dismissed(known)
        every = await asyncio.to_thread(savings, held)
        ideas = [idea for idea in every if idea.id not in dismissed]
        return {
            "dismissed": [idea.id for idea in every if idea.id in dismissed],
            "items": orjson.dumps([shown(idea) for idea in ideas[:_MOST_IDEAS]]),
            "total": sum((idea.per_year for idea in ideas), Decimal(0)),
        }

    async def dismiss(self, user: str, id: str) -> bool:
        """Keeps an idea from being shown again; False if there is no such idea."""
        _, found = await self._found(user)
        if id not in {*found["dismissed"], *(idea["id"] for idea in orjson.loads(found["items"]))}:
            return False
        entry = {"$each": [{"id": id, "at": datetime.now(UTC)}], "$slice": -_MOST_DISMISSED}
        await self._users.update_one({"_id": user}, {"$pull": {"dismissed": {"id": id}}})
        await self._users.update_one({"_id": user}, {"$push": {"dismissed": entry}})
        return True

    async def _found(self, user: str) -> tuple[Document, Document]:
        """The user's document, and their ideas: those that are ready, else worked out."""
        known = await self._users.find_one({"_id": user}, ["ready.ideas", "dismissed"]) or {}
        return known, known["ready"]["ideas"] if "ready" in known else await self.ideas(user)


def _dismissed(known: Mapping[str, Any]) -> set[str]:
    return {each["id"] for each in known.get("dismissed", ())}


def shown(idea: Saving) -> Record:
    """`SpendingRecommendation` as JSON."""
    command = idea.command
    title, description, reasons = texts(idea.kind, idea.reasons, idea.params)
    return {
        "id": idea.id,
        "type_": idea.kind,
        "title": title,
        "description": description,
        "potential_savings": money(idea.per_year),
        "currency": OWN_CURRENCY,
        "confidence": idea.confidence,
        "effort": idea.effort,
        "reasons": reasons,
        "evidence": list(idea.evidence),
        "command": command and {"method": command.method, "path": command.path, "body": dict(command.body)},
        "reason_codes": list(idea.reasons),
        "params": dict(idea.params),
    }
