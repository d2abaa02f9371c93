"""What a user has as parts of the file that holds everything about them, and back from it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field, TypeAdapter

from services.purchases.commands import CommandStore
from services.purchases.overview import Overviews
from services.purchases.store import HEALTH_KEPT, PurchaseStore
from services.purchases.tags import EVERYTHING
from services.purchases.views import deployment_view
from shared.contracts.portable import (
    PARTS,
    DeploymentItem,
    HealthDay,
    HealthItem,
    PoolItem,
    PurchaseItem,
    TransactionItem,
)
from shared.folds import purchase, wallet
from shared.folds.facts import key_of
from shared.folds.ported import facts_in, facts_shown, health_shown
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database, Document
from shared.plumbing.paging import NEWEST_FIRST
from shared.plumbing.portability import Thing, items_in, stream_of
from shared.plumbing.publish import Publisher

AnyItem: TypeAlias = PurchaseItem | DeploymentItem | HealthItem | TransactionItem | PoolItem
_ITEMS: Final[TypeAdapter[list[AnyItem]]] = TypeAdapter(list[Annotated[AnyItem, Field(discriminator="part")]])
_AT_ONCE = 200


def routes(
    database: Database,
    store: PurchaseStore,
    overviews: Overviews,
    commands: CommandStore,
    erasure: Erasure,
    publisher: Publisher,
    tokens: InternalTokens,
) -> APIRouter:
    """`GET /export`, `POST /imports/check`, `POST /imports`, for the user that the gateway's signed call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("purchases", tokens))]  # noqa: N806  (a type)
    exporting = _Export(database, overviews, commands)

    @router.get("/export")
    async def export(email: User) -> Response:
        return stream_of(PARTS["purchases"], exporting.things(email))

    @router.post("/imports/check", status_code=204)
    async def check(email: User, request: Request) -> None:
        async with erasure.writing(email):
            await items_in(request, _ITEMS)

    @router.post("/imports")
    async def take(email: User, request: Request) -> dict[str, int]:
        items = _still_kept(await items_in(request, _ITEMS), datetime.now(UTC))
        facts = [fact for item in items for fact in facts_in(email, item)]
        async with erasure.writing(email):
            merged = await store.merge(facts)
            await overviews.of(email)  # works out at once what follows from them
        await publisher.sections_changed(merged.sections, datetime.now(UTC))
        return {"added": merged.changed}

    return router


def _still_kept(items: Sequence[AnyItem], now: datetime) -> Iterable[AnyItem]:
    """Without the health checks that are too old to be kept: the database would remove them in a moment."""
    oldest = (now - HEALTH_KEPT).date()
    return [item for item in items if not isinstance(item.item, HealthDay) or item.item.day > oldest]


class _Export:
    """Reads everything that a user has, a bounded number of things at a time."""

    def __init__(self, database: Database, overviews: Overviews, commands: CommandStore) -> None:
        self._database = database
        self._overviews = overviews
        self._commands = commands

    async def things(self, email: str) -> AsyncIterator[Thing]:
        """Part by part; lists are newest first."""
        wallet_shown = (await self._overviews.of(email))["overview"]["wallet"]
        async for bought in self._listed("purchases", email):
            yield "purchases", _purchase(bought)
        async for deployment in self._deployments(email):
            yield "deployments", deployment
        async for deployed in self._listed("deployments", email):
            async for day in self._database["health"].find({"deployment": deployed["_id"]}).sort("day", 1):
                yield "health", health_shown(day)
        yield "wallet", wallet_shown
        async for line in self._listed("transactions", email):
            yield (
                "transactions",
                wallet.transaction_of(line["id"], line) | {"facts": facts_shown("transaction", line)},
            )
        async for pool in self._database["pools"].find({"user": email}).sort("_id", 1):
            yield "pools", wallet.pool_of(pool["id"], pool) | {"facts": facts_shown("pool", pool)}
        async for command in self._database["commands"].find({"user": email, "requested_at": {"$exists": True}}):
            yield "commands", await self._commands.of(email, command["id"])

    def _listed(self, collection: str, email: str) -> Any:  # Any: a driver's cursor
        return self._database[collection].find({"user": email, "tags": EVERYTHING}).sort(NEWEST_FIRST)

    async def _deployments(self, email: str) -> AsyncIterator[Document]:
        waiting: list[Document] = []
        async for deployed in self._listed("deployments", email):
            waiting.append(deployed)
            if len(waiting) == _AT_ONCE:
                for shown in await self._shown(email, waiting):
                    yield shown
                waiting = []
        for shown in await self._shown(email, waiting):
            yield shown

    async def _shown(self, email: str, deployed: Sequence[Document]) -> list[Document]:
        keys = [key_of(email, document["purchase_id"]) for document in deployed]
        bought = {d["id"]: d async for d in self._database["purchases"].find({"_id": {"$in": keys}})}
        now = datetime.now(UTC)
        return [
            deployment_view(document, bought.get(document["purchase_id"]), now)
            | {"facts": facts_shown("deployment", document)}
            for document in deployed
        ]


def _purchase(document: Document) -> Document:
    shown = purchase.record_of(document["id"], document)
    return shown | {"status_history": purchase.history_of(document), "facts": facts_shown("purchase", document)}
