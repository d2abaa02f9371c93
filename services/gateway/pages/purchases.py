"""What the user bought: the list, and one purchase with everything that is known of it."""

from datetime import time
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Response

from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.pager import Pager
from services.gateway.pages.things import address_of, anchor, key_header, moment, new_key, number
from services.gateway.pages.visits import Pages, Visit
from shared.contracts.types import ProductType, PurchaseStatus
from shared.plumbing.problems import ProblemError

Json = Any  # what a service answered
_CANCELLABLE: Final = ("pending", "active", "suspended")
_RATINGS: Final = tuple(half / 2 for half in range(2, 11))
_INVALID: Final = 422


def routes(pages: Pages) -> APIRouter:
    """`/purchases`, `/purchases/{id}` and its forms."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/purchases")
    async def purchases(visit: Visiting) -> Response:
        try:
            found = await visit.ask("purchases", "/purchases", _query(visit))
        except ProblemError as problem:
            if problem.status != _INVALID:
                raise
            return _list_page(visit, {"items": [], "next_cursor": None}, problem)
        return _list_page(visit, found)

    @router.get("/purchases/{purchase_id}")
    async def purchase(visit: Visiting, purchase_id: str) -> Response:
        return await _purchase_page(visit, purchase_id)

    @router.post("/purchases/{purchase_id}/rating")
    async def rate(visit: Visiting, purchase_id: str) -> Response:
        form = await form_of(visit.request)
        rating, review = number(str(form.get("rating", ""))), str(form.get("review", "")).strip()
        body = {"rating": rating, "review": review or None}
        sent = await visit.send("purchases", "PUT", f"/purchases/{purchase_id}/rating", body)
        if sent.done:
            return visit.go(address_of("purchases", purchase_id) + "#rating", said="rated")
        return await _purchase_page(visit, purchase_id, sent, rating=rating, review=review)

    @router.post("/purchases/{purchase_id}/cancel")
    async def cancel(visit: Visiting, purchase_id: str) -> Response:
        form = await form_of(visit.request)
        body = {"reason": str(form.get("reason", "")).strip() or None}
        path = f"/purchases/{purchase_id}/cancel"
        sent = await visit.send("purchases", "POST", path, body, headers=key_header(form))
        if sent.done:
            return visit.go(address_of("purchases", purchase_id), command=sent.body["command_id"])
        return await _purchase_page(visit, purchase_id, sent)

    return router


def _query(visit: Visit) -> dict[str, Any]:  # Any: whatever has a text
    """The filters of the address; its days are days by the user's own clock."""
    asked = visit.request.query_params
    return {name: asked.get(name) for name in ("status", "type", "provider", "q", "cursor")} | {
        "from": moment(asked.get("from"), visit.zone, time.min),
        "to": moment(asked.get("to"), visit.zone, time.max),
        "limit": visit.frame.page_size,
    }


def _list_page(visit: Visit, found: Json, problem: ProblemError | None = None) -> Response:
    asked, items = visit.request.query_params, found["items"]
    providers = {item["provider_id"]: item["provider_name"] for item in items}
    if wanted := asked.get("provider"):
        providers.setdefault(wanted, wanted)
    return visit.page(
        "purchases.html",
        problem.status if problem else 200,
        problem=problem,
        items=items,
        asked=asked,
        pager=Pager.of(visit, found),
        statuses=_options(visit, get_args(PurchaseStatus)),
        types=_options(visit, get_args(ProductType)),
        providers=sorted(providers.items(), key=lambda provider: provider[1].casefold()),
        cancellable=_CANCELLABLE,
        anchor=anchor,
    )


async def _purchase_page(
    visit: Visit, id: str, sent: Sent | None = None, rating: float | None = None, review: str | None = None
) -> Response:
    """One purchase; after a form that was not taken with what it said, and what is wrong with it."""
    known = await visit.ask("purchases", f"/purchases/{id}")
    return visit.page(
        "purchase.html",
        sent.status if sent else 200,
        purchase=known,
        command=await visit.command(),
        address=address_of("purchases", id),
        ratings=_RATINGS,
        rating=rating or known["rating"],
        review=known["review"] if review is None else review,
        sent=sent,
        is_cancellable=known["status"] in _CANCELLABLE,
        key=new_key(),
        paid_on=visit.show.local(known["purchase_date"]).date().isoformat(),
    )


def _options(visit: Visit, values: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(value, visit.show.word(value)) for value in values]
