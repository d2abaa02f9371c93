"""The user's activities: what the activity service answers, and what the pages report."""

import asyncio
from typing import Annotated

import orjson
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from services.gateway.bodies import JsonRoute
from services.gateway.description import ACTIVITY, BAD_BODY, BAD_TOKEN, PREFIX, answer, invalid, problem
from services.gateway.passing import passed_on
from services.gateway.services import Services, unavailable
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts import topics
from shared.contracts.build import make_event
from shared.contracts.dashboard import ActivityReported, Metadata
from shared.contracts.types import Id, Label, ReportedActivity, Text
from shared.contracts.views import ActivityPage, ActivityQuery, SummaryQuery
from shared.plumbing.logs import get
from shared.plumbing.publish import Publisher

_SOURCE = "/mycelium/gateway"
_PUBLISH_SECONDS = 3.0
_log = get(__name__)

_READ = BAD_TOKEN | problem(
    503, "activity-unavailable", "The activity part does not answer right now; try again in a moment."
)
_REPORT = {
    "activity_type": "product_view",
    "description": "Looked at Solar Forecast",
    "metadata": {"from": "search"},
    "related_entity_id": "prod-7",
    "related_entity_type": "product",
}


class Report(BaseModel):
    """What a page saw its user do. Without a `session_id` it is the token's own session."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    activity_type: ReportedActivity
    description: Text | None = None
    metadata: Metadata = {}
    related_entity_id: Id | None = None
    related_entity_type: Label | None = None
    session_id: Id | None = None


class Accepted(BaseModel):
    """The id of the event that was published."""

    id: str


def routes(services: Services, sessions: Sessions, publisher: Publisher) -> APIRouter:
    """`GET /activities`, `GET /activities/summary`, `POST /activities`."""
    router = APIRouter(prefix=f"{PREFIX}/activities", tags=["activities"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    @router.get(
        "",
        response_model=ActivityPage,
        summary="What the user did, newest first",
        responses=answer(
            200, "One page.", {"items": [ACTIVITY], "next_cursor": "AAZKc9x0QgCbLB8OXXpMO45vGis8TV5vkq1wX2u8Qc0="}
        )
        | problem(400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew.")
        | invalid("#/limit", "Input should be less than or equal to 200")
        | _READ,
    )
    async def activities(request: Request, identity: Asking, _checked: Annotated[ActivityQuery, Query()]) -> Response:
        """Filters narrow each other; `type` may repeat. `next_cursor` leads on, and stays right while more arrives."""
        return (await passed_on(services, "activity", request, identity)).response()

    @router.get(
        "/summary",
        response_model=dict[str, int],
        summary="How often the user did what",
        responses=answer(200, "Counts by activity type.", {"login": 12, "product_view": 40, "purchase": 3})
        | invalid("#/days", "Input should be less than or equal to 366")
        | _READ,
    )
    async def summary(request: Request, identity: Asking, _checked: Annotated[SummaryQuery, Query()]) -> Response:
        """Over the last `days` days, today included. Types that did not occur are left out."""
        return (await passed_on(services, "activity", request, identity)).response()

    @router.post(
        "",
        status_code=202,
        response_model=Accepted,
        summary="Report what the user does on a page",
        responses=answer(202, "It will be in the timeline in a moment.", {"id": "5f0c954e-8b1d-4c7a-a2e6-93d4f1b07c65"})
        | invalid(
            "#/activity_type", "Input should be 'marketplace_browse', 'product_view', 'cart_add' or 'cart_remove'"
        )
        | BAD_BODY
        | BAD_TOKEN
        | problem(503, "events-unavailable", "The events part does not answer right now; try again in a moment."),
    )
    async def report(
        identity: Asking,
        seen: Annotated[Report, Body(openapi_examples={"view": {"value": _REPORT}})],
        traceparent: Annotated[str | None, Header(description="W3C trace context, carried into the event.")] = None,
    ) -> Response:
        """Browsing, viewing and the cart only: whatever else a user does is told by whoever does it for them."""
        event_id = await publish(publisher, identity, seen, traceparent)
        return Response(orjson.dumps({"id": event_id}), 202, media_type="application/json")

    return router


async def publish(publisher: Publisher, identity: Identity, seen: Report, traceparent: str | None = None) -> str:
    """Publishes what a page saw its user do; the event's id. Raises a 503 problem if the broker is away."""
    told = seen.model_dump() | {"session_id": seen.session_id or identity.session_id}
    event = make_event(ActivityReported(user_email=identity.user, **told), source=_SOURCE, traceparent=traceparent)
    try:
        async with asyncio.timeout(_PUBLISH_SECONDS):
            await publisher.event(topics.GATEWAY, event)
    except (TimeoutError, KafkaError) as error:
        _log.warning("event_not_published", error=type(error).__name__)
        raise unavailable("events") from None
    return event.id
