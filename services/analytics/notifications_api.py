"""The notifications' API, for the gateway."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.analytics.api import answer
from services.analytics.notifications import Notifications
from shared.contracts.notification_views import NotificationQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError
from shared.plumbing.publish import Publisher

_NO_NOTIFICATION = ProblemError(404, "not-found", "You have no such notification, or not any more.")


def routes(notifications: Notifications, publisher: Publisher, tokens: InternalTokens) -> APIRouter:
    """The list, and what was read. Each is about the user that the gateway's signed call names."""
    router = APIRouter(prefix="/notifications")
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    async def tell(email: str) -> None:
        await publisher.sections_changed([(email, "analytics")], datetime.now(UTC))

    @router.get("")
    async def page(email: User, asked: Annotated[NotificationQuery, Query()]) -> Response:
        return answer(await notifications.page(email, asked))

    @router.post("/read", status_code=204)
    async def read_all(email: User) -> None:
        if await notifications.read_all(email):
            await tell(email)

    @router.post("/{id}/read", status_code=204)
    async def read(email: User, id: str) -> None:
        match await notifications.read(email, id):
            case None:
                raise _NO_NOTIFICATION
            case True:
                await tell(email)

    return router
