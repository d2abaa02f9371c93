"""The recommendations page: where to spend less, with the command that would do it, and products to try."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Query, Response

from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.idea_words import idea_texts, reason_text
from services.gateway.pages.pager import part_of
from services.gateway.pages.things import anchor, key_header, new_key
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.pages.words import N_
from shared.plumbing.problems import ProblemError

Json = Any  # what a service answers
_PAGE: Final = f"{HOME}/recommendations"
_PREFIX: Final = "/api/v1"
_IDEAS: Final = "/recommendations/spending"
_MOST_PRODUCTS: Final = 12
_IDEAS_A_PAGE: Final = 20
_EVIDENCE: Final[Mapping[str, tuple[str, ...]]] = {
    "annual_billing": ("purchases", "discover"),
    "idle_deployment": ("deployments", "purchases"),
    "oversized_deployment": ("deployments", "purchases"),
    "duplicate_product": ("purchases", "purchases"),
    "cheaper_offer": ("purchases", "discover"),
    "unused_renewal": ("purchases",),
}
_PLACE_NAMES: Final = {
    "purchases": N_("The purchase"),
    "deployments": N_("The deployment"),
    "discover": N_("The product"),
}
_VERBS: Final = {
    "buy": N_("Buy it"),
    "cancel": N_("Cancel the purchase"),
    "stop": N_("Stop the deployment"),
    "scale": N_("Scale the deployment"),
}
_SURE: Final = ((0.75, N_("Very likely")), (0.45, N_("Likely")), (0.0, N_("Worth a look")))
_FOR_YOU: Final = (
    (0.66, N_("Mostly because of what you do")),
    (0.33, N_("Partly because of what you do")),
    (0.0, N_("Mostly because others like it")),
)
_GONE: Final = N_("That idea does not hold any more. Nothing was changed.")


def routes(pages: Pages) -> APIRouter:
    """`/recommendations`, and what can be done with an idea."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/recommendations")
    async def recommendations(visit: Visiting, start: Annotated[int, Query(ge=0, le=1_000)] = 0) -> Response:
        return await _page(visit, start)

    @router.post("/recommendations/{id}/dismiss")
    async def dismiss(visit: Visiting, id: str) -> Response:
        sent = await visit.send("analytics", "POST", f"{_IDEAS}/{id}/dismiss")
        return visit.go(_PAGE, said="dismissed") if sent.done else await _page(visit, sent=sent)

    @router.post("/recommendations/{id}/do")
    async def carry_out(visit: Visiting, id: str) -> Response:
        form = await form_of(visit.request)
        ideas = await visit.ask("analytics", _IDEAS)
        command = next((idea["command"] for idea in ideas["items"] if idea["id"] == id), None)
        if command is None:
            return await _page(visit, sent=Sent(404, problem=visit.translations.gettext(_GONE)))
        path = unquote(command["path"].removeprefix(_PREFIX))  # `send` quotes it
        sent = await visit.send("purchases", "POST", path, command["body"], headers=key_header(form))
        return visit.go(_PAGE, command=sent.body["command_id"]) if sent.done else await _page(visit, sent=sent)

    return router


async def _page(visit: Visit, start: int = 0, *, sent: Sent | None = None) -> Response:
    ideas, products, command = await asyncio.gather(
        visit.ask_or_none("analytics", _IDEAS),
        visit.ask_or_none("analytics", "/recommendations/products", {"limit": _MOST_PRODUCTS}),
        visit.command(),
    )
    return visit.page(
        "recommendations.html",
        sent.status if sent else 200,
        ideas=ideas,
        shown=part_of(visit, ideas["items"] if ideas else [], start, _IDEAS_A_PAGE),
        products=products,
        command=command,
        problem=sent.problem if sent else None,
        sure=lambda confidence: _in_words(visit, _SURE, confidence),
        for_you=lambda confidence: _in_words(visit, _FOR_YOU, confidence),
        idea_texts=idea_texts,
        reason_text=reason_text,
        evidence_of=lambda idea: _evidence(visit, idea),
        action_of=action_of,
        verb_of=lambda command: visit.translations.gettext(_VERBS[action_of(command)]),
        key=new_key(),
        anchor=anchor,
    )


def action_of(command: Json) -> str:
    """What the API's command of an idea does: one of the four that there are ideas for. Raises a 500 problem."""
    action = command["body"].get("action") or ("cancel" if command["path"].endswith("/cancel") else "buy")
    if action not in _VERBS:
        raise ProblemError(500, "internal", "")
    return str(action)


def _in_words(visit: Visit, words: tuple[tuple[float, str], ...], confidence: float) -> str:
    return visit.translations.gettext(next(word for least, word in words if confidence >= least))


def _evidence(visit: Visit, idea: Json) -> list[tuple[str, str, str]]:
    """What an idea rests on: the page, what it is, and its id."""
    _ = visit.translations.gettext
    places = _EVIDENCE.get(idea["type_"], ())
    found = zip(places, idea["evidence"], strict=False)
    return [(f"{place}/{each}", _(_PLACE_NAMES[place]), each) for place, each in found]
