"""The activity service's read API: a user's timeline and its summary, for the gateway."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.activity.store import ActivityStore, as_time
from services.activity.timeline import BadCursorError, Position, cursor_of, position_of
from shared.contracts.views import ActivityPage, ActivityQuery, SummaryQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Document
from shared.plumbing.problems import ProblemError


def routes(store: ActivityStore, tokens: InternalTokens) -> APIRouter:
    """`GET /activities` and `GET /activities/summary`, for the user that the gateway's signed call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("activity", tokens))]  # noqa: N806  (a type)

    @router.get("/activities", response_model=ActivityPage)
    async def activities(email: User, query: Annotated[ActivityQuery, Query()]) -> Response:
        found = await store.page(email, query, _after(email, query.cursor))
        shown = found[: query.limit]
        last = Position(shown[-1]["at"], shown[-1]["_id"]) if len(found) > query.limit else None
        return _json({"items": [_shown(d) for d in shown], "next_cursor": cursor_of(email, last) if last else None})

    @router.get("/activities/summary", response_model=dict[str, int])
    async def summary(email: User, query: Annotated[SummaryQuery, Query()]) -> Response:
        return _json(await store.counts(email, datetime.now(UTC) - timedelta(days=query.days)))

    return router


def _after(email: str, cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    try:
        return position_of(email, cursor)
    except BadCursorError:
        detail = "The cursor is not one that this list gave you; leave it out to start from the newest."
        raise ProblemError(400, "bad-cursor", detail) from None


def _shown(document: Document) -> Document:
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
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), media_type="application/json")
