"""What needs the user's attention: passed on to the analytics service, which knows of it."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_TOKEN, PREFIX, answer, invalid, problem
from services.gateway.passing import passed_on
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.notification_views import NotificationPage, NotificationQuery

_READ = BAD_TOKEN | problem(
    503, "analytics-unavailable", "The analytics part does not answer right now; try again in a moment."
)
_PAGE: Final[dict[str, Any]] = {  # any JSON
    "items": [
        {
            "id": "5d0c4a8e9b1f4d2ba7c3e6f80912ab34",
            "kind": "deployment",
            "severity": "critical",
            "title": "Solar Forecast has failed",
            "body": "The deployment in eu-west is in error. The reason given: the node does not answer",
            "at": "2026-01-31T09:30:00Z",
            "read_at": "2026-01-31T11:00:00Z",
            "resolved_at": "2026-01-31T10:05:00Z",
            "section": "deployments",
            "related_entity_id": "dep-311",
            "related_entity_type": "deployment",
            "code": "deployment_error",
            "params": {"product": "Solar Forecast", "region": "eu-west", "reason": "the node does not answer"},
        }
    ],
    "next_cursor": "AAZJrn9nkABdDEqOmxB9C6fD5vgJEqs0dGhpcyBpcyBhbg==",
    "unread": 0,
}


def routes(services: Services, sessions: Sessions) -> APIRouter:
    """The list, and what was read."""
    router = APIRouter(prefix=PREFIX, route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    async def asked(request: Request, identity: Identity) -> Response:
        return (await passed_on(services, "analytics", request, identity)).response()

    @router.get(
        "/notifications",
        tags=["notifications"],
        response_model=NotificationPage,
        summary="What needs attention",
        responses=answer(200, "One page, and how many are unread in all.", _PAGE)
        | problem(400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew.")
        | invalid("#/limit", "Input should be less than or equal to 200")
        | _READ,
    )
    async def notifications(
        request: Request, identity: Asking, _checked: Annotated[NotificationQuery, Query()]
    ) -> Response:
        """Newest first, of the kinds that the user's preferences let through: `deployment_alerts`, `billing_alerts`
        (kinds `billing`, `anomaly`, `budget`) and `security_alerts`."""
        return await asked(request, identity)

    @router.post(
        "/notifications/read",
        tags=["notifications"],
        status_code=204,
        summary="All of it was read",
        responses=answer(204, "None is unread.") | _READ,
    )
    async def read_all_notifications(request: Request, identity: Asking) -> Response:
        """What was read before keeps its time."""
        return await asked(request, identity)

    @router.post(
        "/notifications/{notification_id}/read",
        tags=["notifications"],
        status_code=204,
        summary="This was read",
        responses=answer(204, "It is read.")
        | problem(404, "not-found", "You have no such notification, or not any more.")
        | invalid("#/notification_id", "String should have at most 64 characters")
        | _READ,
    )
    async def read_notification(
        request: Request, identity: Asking, _id: Annotated[str, Path(alias="notification_id", max_length=64)]
    ) -> Response:
        """As often as you like; the first time counts."""
        return await asked(request, identity)

    return router
