"""Where the user could spend less: worked out when asked for, from what is active and what is on offer."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.savings import Holdings, Saving, savings
from services.analytics.reckoning import Reckoning
from services.analytics.shelf import Shelf
from shared.folds.purchase import money
from shared.plumbing.mongo import Database

Record = dict[str, Any]  # JSON: money is a string
_MOST_DISMISSED = 1_000


class Advice:
    """The ideas that hold and that the user has not dismissed."""

    def __init__(self, database: Database, reckoning: Reckoning, shelf: Shelf) -> None:
        self._users = database["users"]
        self._reckoning, self._shelf = reckoning, shelf

    async def spending(self, user: str) -> Record:
        """`SpendingRecommendations` as the API gives them."""
        known = await self._reckoning.of(user)
        dismissed = {each["id"] for each in known.get("dismissed", ())}
        ideas = [idea for idea in await self._ideas(user) if idea.id not in dismissed]
        return {
            "items": [_shown(idea) for idea in ideas],
            "total_savings": money(sum((idea.per_year for idea in ideas), Decimal(0))),
            "currency": OWN_CURRENCY,
            "next_cursor": None,
        }

    async def dismiss(self, user: str, id: str) -> bool:
        """Keeps an idea from being shown again; False if there is no such idea."""
        if id not in {idea.id for idea in await self._ideas(user)}:
            return False
        entry = {"$each": [{"id": id, "at": datetime.now(UTC)}], "$slice": -_MOST_DISMISSED}
        await self._users.update_one({"_id": user}, {"$pull": {"dismissed": {"id": id}}})
        await self._users.update_one({"_id": user}, {"$push": {"dismissed": entry}})
        return True

    async def _ideas(self, user: str) -> list[Saving]:
        return savings(
            Holdings(
                purchases=await self._reckoning.active_purchases(user),
                deployments=await self._reckoning.deployments_of(user),
                products=self._shelf.products,
                now=datetime.now(UTC),
                blocked=(await self._reckoning.taste_of(user)).blocked,
                offers=self._shelf.offers,
            )
        )


def _shown(idea: Saving) -> Record:
    command = idea.command
    return {
        "id": idea.id,
        "type_": idea.kind,
        "title": idea.title,
        "description": idea.description,
        "potential_savings": money(idea.per_year),
        "currency": OWN_CURRENCY,
        "confidence": idea.confidence,
        "effort": idea.effort,
        "reasons": list(idea.reasons),
        "evidence": list(idea.evidence),
        "command": command and {"method": command.method, "path": command.path, "body": dict(command.body)},
    }
