"""The analytics service's part of the overview: made when it is first asked for, and kept until something it is made
of has changed. Nothing in it waits for a forecast."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Response

from services.analytics.advice import Advice
from services.analytics.domain.months import month_of, preceding, zone_of
from services.analytics.reckoning import Reckoning
from services.analytics.recommending import Recommending
from shared.contracts.analytics_recommend import ProductRecommendation
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database, Document
from shared.plumbing.overview_part import part

_SHOWN: Final = 3
Json = dict[str, Any]  # Any: JSON
Unread = Callable[[str], Awaitable[int]]


class Insights:
    """What the user's figures come to. `unread` counts the notifications that a user has not read."""

    def __init__(
        self, database: Database, reckoning: Reckoning, advice: Advice, recommending: Recommending, unread: Unread
    ) -> None:
        self._users = database["users"]
        self._reckoning, self._advice, self._recommending = reckoning, advice, recommending
        self._unread = unread

    async def of(self, user: str) -> bytes:
        """`OverviewInsights` as JSON, true as of now. Raises PyMongoError."""
        known = await self._reckoning.without_months(user, "version", "dismissed", "insights", "ready.at")
        basis, kept = _basis(known), known.get("insights") or {}
        made = kept["json"] if kept.get("basis") == basis else await self._make(user, known["usage"], basis)
        return orjson.dumps({**orjson.loads(made), "unread_notifications": await self._unread(user)})

    async def _make(self, user: str, usage: Mapping[str, Any], basis: list[Any]) -> bytes:
        advised = await self._advice.spending(user)
        products = (await self._recommending.of(user, _SHOWN)).items
        made = orjson.dumps(
            {
                **figures(usage, datetime.now(UTC)),
                "potential_savings": advised["total_savings"],
                "ideas": advised["items"][:_SHOWN],
                "recommended_products": [_suggested(each) for each in products],
            }
        )
        await self._users.update_one({"_id": user}, {"$set": {"insights": {"basis": basis, "json": made}}})
        return made


def _suggested(found: ProductRecommendation) -> Json:
    """`SuggestedProduct`."""
    return {
        "product": found.product.model_dump(),
        "reason": found.reasons[0],
        "confidence": found.confidence,
        "evidence": found.evidence[0].model_dump(),
    }


def _basis(known: Document) -> list[Any]:  # Any: BSON
    """What the insights are made of, but for what others do: where all of it is the same, so are they."""
    dismissed = [each["id"] for each in known.get("dismissed", ())]
    ready = known.get("ready", {}).get("at")
    return [known["version"], known["usage"]["last_calculated"], ready, len(dismissed), *dismissed[-1:]]


def figures(usage: Mapping[str, Any], now: datetime) -> Json:
    """What `UsageStatistics` says of this month, of the last one and of all of them."""
    this = month_of(now, zone_of(usage["timezone"]))
    months = {month["month"]: month for month in usage["spending_trends"]}
    spent, before = (months.get(month, {}) for month in (this, preceding(this)))
    favourite = next(iter(usage["favorite_categories"]), None)
    return {
        "currency": usage["currency"],
        "month": this,
        "spent_this_month": spent.get("total_spent", "0"),
        "spent_last_month": before.get("total_spent", "0"),
        "average_monthly_spending": usage["average_monthly_spending"],
        "top_category": favourite
        and {name: favourite[name] for name in ("category", "total_spent", "percentage_of_total")},
        "biggest_change": _biggest_change(spent.get("categories", {}), before.get("categories", {})),
    }


def _biggest_change(this: Mapping[str, str], last: Mapping[str, str]) -> Json | None:
    """The category that differs most between two months; None where none does."""
    differences = {c: abs(Decimal(this.get(c, "0")) - Decimal(last.get(c, "0"))) for c in sorted({*this, *last})}
    category = max(differences, key=lambda name: differences[name], default=None)
    if category is None or not differences[category]:
        return None
    return {"category": category, "this_month": this.get(category, "0"), "last_month": last.get(category, "0")}


def routes(insights: Insights, tokens: InternalTokens) -> APIRouter:
    """`GET /overview`, for the user that the gateway's signed call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/overview")
    async def overview(email: User) -> Response:
        as_of = datetime.now(UTC)
        return part({"insights": await insights.of(email)}, as_of)

    return router
