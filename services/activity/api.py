"""The activity service's read API: a user's timeline, its summary and its part of the overview, for the gateway."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.activity.store import ActivityStore
from shared.contracts.times import as_time
from shared.contracts.views import ActivityPage, ActivityQuery, SummaryQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Document
from shared.plumbing.overview_part import part
from shared.plumbing.paging import after, page

_NEWEST = ActivityQuery(limit=5)


def routes(store: ActivityStore, tokens: InternalTokens) -> APIRouter:
    """`GET /activities`, `GET /activities/summary`, `GET /overview`, for the user that the gateway's call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("activity", tokens))]  # noqa: N806  (a type)

    @router.get("/activities", response_model=ActivityPage)
    async def activities(email: User, query: Annotated[ActivityQuery, Query()]) -> Response:
        found = await store.page(email, query, after(email, query.cursor))
        return _json(page(email, found, query.limit, [shown(document) for document in found[: query.limit]]))

    @router.get("/activities/summary", response_model=dict[str, int])
    async def summary(email: User, query: Annotated[SummaryQuery, Query()]) -> Response:
        return _json(await store.counts(email, datetime.now(UTC) - timedelta(days=query.days)))

    @router.get("/overview")
    async def overview(email: User) -> Response:
        as_of = datetime.now(UTC)
        newest = await store.page(email, _NEWEST, None)
        return part({"recent_activities": _dumped([shown(document) for document in newest[: _NEWEST.limit]])}, as_of)

    return router


def shown(document: Document) -> Document:
    """A stored activity as a `UserActivity`."""
    return {
        "id": document["_id"],
        "user_email": document["user"],
        "activity_type": document["type"],
        "description": document["description"],
        "timestamp": as_time(document["at"]),
        "metadata": document["metadata"],
        "related_entity_id": document["entity_id"],
        "related_entity_type": document["entity_type"],
        "impact_level": document["impact"],
        "session_id": document["session"],
    }


def _json(body: object) -> Response:
    return Response(_dumped(body), media_type="application/json")


def _dumped(body: object) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)
