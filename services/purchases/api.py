"""The purchases service's API, for the gateway: what the user has, and what the user asks for."""

from datetime import UTC, datetime
from typing import Annotated, TypeVar

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.purchases.overview import Overviews, members_of
from services.purchases.reading import Reading
from shared.contracts.purchase_views import DeploymentQuery, PurchaseQuery, TransactionQuery
from shared.contracts.views import DateRange
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.overview_part import part
from shared.plumbing.problems import ProblemError


def routes(reading: Reading, overviews: Overviews, tokens: InternalTokens) -> APIRouter:
    """The questions. Each is about the user that the gateway's signed call names; another's thing is a 404."""
    router = APIRouter()
    User = Annotated[str, Depends(user("purchases", tokens))]  # noqa: N806  (a type)

    @router.get("/overview")
    async def overview(email: User) -> Response:
        as_of = datetime.now(UTC)
        known = (await overviews.of(email))["overview"]
        return part({name: orjson.dumps(member) for name, member in members_of(known).items()}, as_of)

    @router.get("/purchases")
    async def purchases(email: User, query: Annotated[PurchaseQuery, Query()]) -> Response:
        return answer(await reading.purchases(email, query))

    @router.get("/purchases/{purchase_id}")
    async def purchase(email: User, purchase_id: str) -> Response:
        return answer(found(await reading.purchase(email, purchase_id), "purchase"))

    @router.get("/deployments")
    async def deployments(email: User, query: Annotated[DeploymentQuery, Query()]) -> Response:
        await overviews.of(email)
        return answer(await reading.deployments(email, query))

    @router.get("/deployments/{deployment_id}")
    async def deployment(email: User, deployment_id: str) -> Response:
        await overviews.of(email)
        return answer(found(await reading.deployment(email, deployment_id), "deployment"))

    @router.get("/deployments/{deployment_id}/health")
    async def health(email: User, deployment_id: str, wanted: Annotated[DateRange, Query()]) -> Response:
        return answer(found(await reading.health(email, deployment_id, wanted), "deployment"))

    @router.get("/wallet")
    async def wallet(email: User) -> Response:
        return answer((await overviews.of(email))["overview"]["wallet"])

    @router.get("/wallet/transactions")
    async def transactions(email: User, query: Annotated[TransactionQuery, Query()]) -> Response:
        return answer(await reading.transactions(email, query))

    @router.get("/wallet/pools")
    async def pools(email: User) -> Response:
        return answer(await reading.pools(email))

    return router


T = TypeVar("T")


def found(thing: T | None, what: str) -> T:
    """The thing. Raises a 404 problem where the user has none."""
    if thing is None:
        raise ProblemError(404, "not-found", f"You have no such {what}.")
    return thing


def answer(body: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, media_type="application/json")
