"""Why a figure of the statistics is what it is: how it is worked out, and everything that it is made of."""

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Response

from services.gateway.pages import figures
from services.gateway.pages.pager import part_of
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.pages.words import N_
from shared.plumbing.problems import ProblemError

Json = Any  # what a service answers
_FACTS_A_PAGE: Final = 50
_OTHERS: Final = "other_currencies/"
_PLACES: Final = {"purchase": "purchases", "refund": "purchases", "rating": "purchases", "deployment": "deployments"}

_VALUES: Final = {
    "average_rating": N_("Rating"),
    "satisfaction_score": N_("Rating"),
    "average_uptime": N_("Uptime"),
    "cost_efficiency_score": N_("Uptime"),
    "total_resource_hours": N_("Hours run"),
}


def routes(pages: Pages) -> APIRouter:
    """`/analytics/why`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/analytics/why")
    async def why(
        visit: Visiting,
        figure: Annotated[str, Query(max_length=200)] = "total_spent",
        start: Annotated[int, Query(ge=0, le=500)] = 0,
    ) -> Response:
        usage, found = await asyncio.gather(visit.ask("analytics", "/analytics/usage"), _explanation(visit, figure))
        known = figures.named(figure)
        if known is None:
            raise ProblemError(404, "not-found", "")
        currency = figure.removeprefix(_OTHERS) if figure.startswith(_OTHERS) else usage["currency"]
        return visit.page(
            "why.html",
            found=found,
            formula=visit.translations.gettext(known.formula),
            label=visit.translations.gettext(known.label),
            value=figures.shown(visit.show, known.kind, found["value"], currency),
            currency=currency,
            about=_about(visit, figure, usage),
            place_of=_PLACES.get,
            value_head=next((_VALUES[step] for step in figure.split("/") if step in _VALUES), None),
            has_amounts=any(fact["amount"] is not None for fact in found["facts"]),
            shown=part_of(visit, found["facts"], start, _FACTS_A_PAGE),
        )

    return router


def link(path: str) -> str:
    """The page that says why the figure at `path` is what it is."""
    return f"{HOME}/analytics/why?{urlencode({'figure': path})}"


async def _explanation(visit: Visit, figure: str) -> Json:
    try:
        return await visit.ask("analytics", "/analytics/usage/explain", {"figure": figure})
    except ProblemError as problem:
        if problem.status == 422:
            raise ProblemError(404, "not-found", "") from None
        raise


def _about(visit: Visit, figure: str, usage: Json) -> list[str]:
    """What a figure is of: a month, a product type, a provider."""
    providers = {each["provider_id"]: each["provider_name"] for each in usage["preferred_providers"]}
    months = {each["month"] for each in usage["spending_trends"]}
    parts = [step for step in figure.split("/")[1:] if step not in figures.FIGURES]
    return [
        visit.show.month(part) if part in months else providers.get(part) or visit.show.word(part) for part in parts
    ]
