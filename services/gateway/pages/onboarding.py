"""The first steps after registering: three small pages of preferences, each of which may be skipped."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Response
from starlette.datastructures import FormData

from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.preferences import (
    ask_first,
    labels,
    look_in,
    options,
    removes,
    switches_in,
    taste_in,
)
from services.gateway.pages.versions import Json, by_field, read
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit

STEPS: Final = 3
_SWITCHES: Final = (
    *("security_alerts", "deployment_alerts", "billing_alerts", "email_notifications"),
    *("activity_tracking", "analytics_participation"),
)
Step = Annotated[int, Path(ge=1, le=STEPS)]


def routes(pages: Pages) -> APIRouter:
    """`/onboarding`, which is `/onboarding/1`, to `/onboarding/3`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/onboarding")
    async def begin(visit: Visiting) -> Response:
        return visit.go(_address(1))

    @router.get("/onboarding/{step}")
    async def show(visit: Visiting, step: Step) -> Response:
        saved = (await read(visit, "/preferences")).values
        return await _page(visit, step, saved | {"language": visit.frame.language or visit.language})

    @router.post("/onboarding/{step}")
    async def choose(visit: Visiting, step: Step) -> Response:
        form = await form_of(visit.request)
        saved = (await read(visit, "/preferences")).values
        chosen = _chosen(step, form, saved)
        if removes(saved, saved | chosen) and "sure" not in form:
            return ask_first(visit, form)
        sent = await visit.send("profile", "PATCH", "/preferences", chosen)
        if not sent.done:
            return await _page(visit, step, saved | chosen, sent.status, sent)
        return visit.go(_address(step + 1)) if step < STEPS else visit.go(HOME, said="all-set")

    return router


def _address(step: int) -> str:
    return f"{HOME}/onboarding/{step}"


def _chosen(step: int, form: FormData, saved: Json) -> dict[str, Json]:
    if step == 1:
        return look_in(form)
    return taste_in(form, saved) if step == 2 else switches_in(form, _SWITCHES)


async def _page(visit: Visit, step: int, typed: Json, status: int = 200, sent: Sent | None = None) -> Response:
    return visit.page(
        "onboarding.html",
        status,
        step=step,
        steps=STEPS,
        then=_address(step + 1) if step < STEPS else HOME,
        back=_address(step - 1) if step > 1 else None,
        typed=typed,
        labels=labels(visit),
        errors=by_field(sent) if sent else {},
        **await options(visit, typed, [*typed["preferred_providers"], *typed["blocked_providers"]]),
    )
