"""Searching everything at once: what the user bought, what they did, and what is on offer."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from services.gateway.pages.activity import link_of
from services.gateway.pages.activity_words import described
from services.gateway.pages.reporting import searched
from services.gateway.pages.things import anchor
from services.gateway.pages.visits import Pages, Visit

_SHOWN: Final = 5
_LONGEST: Final = 200  # as the field has it; the rest of a longer one is not looked for


def routes(pages: Pages) -> APIRouter:
    """`/search`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/search")
    async def search(visit: Visiting, q: str = "") -> Response:
        words = q.strip()[:_LONGEST]
        if not words:
            return visit.page("search.html", words="")
        query = {"q": words, "limit": _SHOWN}
        purchases, activities, products = await asyncio.gather(
            visit.ask_or_none("purchases", "/purchases", query),
            visit.ask_or_none("activity", "/activities", query),
            visit.ask_or_none("analytics", "/catalog", query),
        )
        response = visit.page(
            "search.html",
            words=words,
            purchases=purchases,
            activities=activities,
            products=products,
            link_of=link_of,
            described=described,
            anchor=anchor,
        )
        return searched(visit, response, words, len((products or {"items": ()})["items"]))

    return router
