"""Products to try, where the user stands among others, and the catalogue: for the gateway."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from services.analytics.comparing import Comparing
from services.analytics.domain.search import BadCursorError
from services.analytics.recommending import Recommending
from services.analytics.searching import Search
from shared.contracts.analytics_recommend import CatalogQuery, RecommendationsQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

_BAD_CURSOR = ProblemError(
    400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew."
)
_NOT_ON_OFFER = ProblemError(404, "not-found", "There is no such product on offer, or not any more.")


def routes(recommending: Recommending, comparing: Comparing, search: Search, tokens: InternalTokens) -> APIRouter:
    """The questions. Each is asked for the user that the gateway's signed call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/recommendations/products")
    async def products(email: User, asked: Annotated[RecommendationsQuery, Query()]) -> Response:
        return _shown(await recommending.of(email, asked.limit))

    @router.get("/analytics/benchmarks")
    async def benchmarks(email: User) -> Response:
        return _shown(await comparing.of(email, datetime.now(UTC)))

    @router.get("/catalog")
    async def catalog(_email: User, asked: Annotated[CatalogQuery, Query()]) -> Response:
        try:
            return _shown(await search.find(asked))
        except BadCursorError:
            raise _BAD_CURSOR from None

    @router.get("/catalog/{id}")
    async def product(_email: User, id: str) -> Response:
        found = search.product(id)
        if found is None:
            raise _NOT_ON_OFFER
        return _shown(found)

    return router


def _shown(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")
