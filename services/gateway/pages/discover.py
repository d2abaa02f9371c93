"""What is on offer: the list, and one product, which can be bought there."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Response

from services.gateway.pages.choosing import market
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.pager import Pager
from services.gateway.pages.reporting import searched, viewed
from services.gateway.pages.things import address_of, anchor, key_header, new_key, whole_number
from services.gateway.pages.visits import Json, Pages, Visit
from shared.contracts.types import ProductType
from shared.plumbing.problems import ProblemError

FILTERS: Final = ("q", "type", "category", "provider", "min_price", "max_price")
_INVALID: Final = 422
_NOTHING: Final[Json] = {"items": [], "next_cursor": None, "corrected": None}


def routes(pages: Pages) -> APIRouter:
    """`/discover`, `/discover/{id}`, and buying."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/discover")
    async def discover(visit: Visiting) -> Response:
        preferences = await visit.ask_or_none("profile", "/preferences") or {}
        asked, usual = _asked(visit, preferences)
        query = asked | {"cursor": visit.request.query_params.get("cursor"), "limit": visit.frame.page_size}
        try:
            found, errors = await visit.ask("analytics", "/catalog", query), {}
        except ProblemError as problem:
            if problem.status != _INVALID:
                raise
            found, errors = _NOTHING, {error["pointer"].removeprefix("#/"): error["detail"] for error in problem.errors}
        response = await _list_page(visit, preferences, asked, usual, found, errors)
        return response if errors else searched(visit, response, asked["q"] or "", len(found["items"]))

    @router.get("/discover/{product_id}")
    async def product(visit: Visiting, product_id: str) -> Response:
        offer = await visit.ask("analytics", f"/catalog/{product_id}")
        return viewed(visit, await _product_page(visit, offer), offer)

    @router.post("/discover/{product_id}/buy")
    async def buy(visit: Visiting, product_id: str) -> Response:
        form = await form_of(visit.request)
        quantity = str(form.get("quantity", "1")).strip()
        body = {"product_id": product_id, "quantity": whole_number(quantity) or quantity}
        sent = await visit.send("purchases", "POST", "/purchases", body, headers=key_header(form))
        if sent.done:
            return visit.go(address_of("discover", product_id), command=sent.body["command_id"])
        return await _product_page(visit, await visit.ask("analytics", f"/catalog/{product_id}"), sent, quantity)

    return router


def _asked(visit: Visit, preferences: Mapping[str, Any]) -> tuple[dict[str, str | None], bool]:  # Any: JSON
    """The filters of the address; without any, those that the user prefers, and that it is these."""
    given = visit.request.query_params
    if any(name in given for name in FILTERS):
        return {name: given.get(name) for name in FILTERS}, False
    low, high = preferences.get("price_range_filter") or (None, None)
    usual = {"category": preferences.get("default_category_filter"), "min_price": low, "max_price": high}
    return dict.fromkeys(FILTERS) | usual, any(usual.values())


async def _list_page(
    visit: Visit,
    preferences: Mapping[str, Any],  # Any: JSON
    asked: Mapping[str, str | None],
    usual: bool,
    found: Json,
    errors: Mapping[str, str],
) -> Response:
    preferred = preferences.get("preferred_providers", [])
    offered = await market(visit, also=filter(None, [asked["provider"], *preferred]))
    items, wanted = found["items"], asked["category"]
    if not asked["q"]:
        items = sorted(items, key=lambda each: each["provider_id"] not in preferred)
    categories = sorted({*offered.categories, *([wanted] if wanted else [])})
    return visit.page(
        "discover.html",
        _INVALID if errors else 200,
        items=items,
        corrected=found["corrected"],
        asked=asked,
        usual=usual,
        errors=errors,
        pager=Pager.of(visit, found),
        types=[(each, visit.show.word(each)) for each in get_args(ProductType)],
        categories=[(each, visit.show.word(each)) for each in categories],
        providers=list(offered.providers.items()),
        preferred=preferred,
        blocked=preferences.get("blocked_providers", []),
        anchor=anchor,
    )


async def _product_page(visit: Visit, offer: Json, sent: Sent | None = None, quantity: str = "1") -> Response:
    bought, owned, command = await asyncio.gather(
        visit.parts.of(visit.identity.user, "purchases"),
        visit.ask_or_none("purchases", "/purchases", {"q": offer["name"][:200], "limit": 50}),
        visit.command(),
    )
    mine = [each for each in (owned or {}).get("items", ()) if each["product_id"] == offer["id"]]
    return visit.page(
        "product.html",
        sent.status if sent else 200,
        product=offer,
        mine=mine,
        wallet=bought.json("wallet"),
        command=command,
        problem=sent.problem if sent and not sent.errors else None,
        errors=sent.errors if sent else {},
        quantity=quantity,
        key=new_key(),
        action=f"{address_of('discover', visit.request.path_params['product_id'])}/buy",
        now=visit.now,
    )
