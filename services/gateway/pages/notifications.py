"""What needs the user's attention, and what did: the list, and what was read of it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.notification_words import place_of, texts
from services.gateway.pages.pager import Pager
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from shared.plumbing.problems import ProblemError


def routes(pages: Pages) -> APIRouter:
    """`/notifications` and its forms."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/notifications")
    async def notifications(visit: Visiting) -> Response:
        asked = visit.request.query_params
        unread = asked.get("unread") == "true"
        query = {"unread": unread, "cursor": asked.get("cursor"), "limit": visit.frame.page_size}
        page = await visit.ask("analytics", "/notifications", query)
        return visit.page(
            "notifications.html",
            items=[each | dict(zip(("title", "body"), texts(visit.show, each), strict=True)) for each in page["items"]],
            only_unread=unread,
            unread=page["unread"],
            pager=Pager.of(visit, page),
            place_of=place_of,
        )

    @router.post("/notifications/read")
    async def read_all(visit: Visiting) -> Response:
        _check(await visit.send("analytics", "POST", "/notifications/read"))
        return visit.go(f"{HOME}/notifications", said="read")

    @router.post("/notifications/{notification_id}/read")
    async def read(visit: Visiting, notification_id: str) -> Response:
        form = await form_of(visit.request)
        _check(await visit.send("analytics", "POST", f"/notifications/{notification_id}/read"))
        if form.get("back") == "overview":
            return visit.go(HOME, said="read")
        only_unread = "?unread=true" if form.get("back") == "unread" else ""
        return visit.go(f"{HOME}/notifications{only_unread}", said="read")

    return router


def _check(sent: Sent) -> None:
    """Raises the problem of what was not done."""
    if not sent.done:
        raise ProblemError(sent.status, "not-found", sent.problem or "")
