"""The budget as a part of the file that holds everything about a user, and what figures are made of back from it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, TypeAdapter

from services.analytics.outlook import Outlook
from services.analytics.store import AnalyticsStore
from shared.contracts.portable import (
    PARTS,
    BudgetItem,
    DeploymentItem,
    HealthItem,
    PortableBudget,
    PurchaseItem,
    TransactionItem,
)
from shared.folds.ported import facts_in
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.portability import Thing, items_in, stream_of
from shared.plumbing.publish import Publisher

AnyItem: TypeAlias = PurchaseItem | DeploymentItem | HealthItem | TransactionItem | BudgetItem
_ITEMS: Final[TypeAdapter[list[AnyItem]]] = TypeAdapter(list[Annotated[AnyItem, Field(discriminator="part")]])


def routes(
    store: AnalyticsStore, outlook: Outlook, erasure: Erasure, publisher: Publisher, tokens: InternalTokens
) -> APIRouter:
    """`GET /export`, `POST /imports/check`, `POST /imports`, for the user that the gateway's signed call names.

    Facts of purchases, deployments and the wallet are taken and never given: they are the purchases service's.
    """
    router = APIRouter()
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/export")
    async def export(email: User) -> Response:
        return stream_of(PARTS["analytics"], _things(outlook, email))

    @router.post("/imports/check", status_code=204)
    async def check(email: User, request: Request) -> None:
        async with erasure.writing(email):
            await items_in(request, _ITEMS)

    @router.post("/imports")
    async def take(email: User, request: Request) -> dict[str, int]:
        items = await items_in(request, _ITEMS)
        budgets = [each.item for each in items if isinstance(each.item, PortableBudget)]
        things = [each for each in items if not isinstance(each.item, PortableBudget)]
        async with erasure.writing(email):
            merged = await store.merge([fact for each in things for fact in facts_in(email, each)])
            taken = [await outlook.take_budget(email, budget) for budget in budgets]
        await publisher.sections_changed([(email, "analytics")], datetime.now(UTC))
        return {"added": merged.changed + sum(taken)}

    return router


async def _things(outlook: Outlook, email: str) -> AsyncIterator[Thing]:
    if limit := await outlook.limit_of(email):
        yield "budget", limit.model_dump(mode="json")
