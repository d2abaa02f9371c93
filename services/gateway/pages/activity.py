"""The activity page: everything the user did, newest first, by day."""

from collections.abc import Mapping
from datetime import time
from itertools import groupby
from typing import Annotated, Any, Final, get_args

from fastapi import APIRouter, Depends, Query, Response

from services.gateway.pages.activity_words import described, details
from services.gateway.pages.pager import Pager
from services.gateway.pages.things import Place, address_of, moment
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from shared.contracts.views import ActivityType, Impact
from shared.plumbing.problems import ProblemError

TYPES: Final = get_args(ActivityType)
IMPACTS: Final = get_args(Impact)
_INVALID: Final = 422
_PLACES: Final[Mapping[str, Place]] = {
    "purchase": "purchases",
    "deployment": "deployments",
    "service": "deployments",
    "app": "deployments",
    "product": "discover",
}
_SECTIONS: Final = {
    "login": "account",
    "logout": "account",
    "data_export": "account",
    "data_import": "account",
    "profile_update": "profile",
    "preferences_update": "preferences",
    "wallet_transaction": "wallet",
    "pool_investment": "wallet",
}


def routes(pages: Pages) -> APIRouter:
    """`/activity`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/activity")
    async def activity(
        visit: Visiting,
        type: Annotated[list[str], Query()] = [],  # noqa: B006  (FastAPI copies it)
    ) -> Response:
        asked = visit.request.query_params
        query = [("type", each) for each in type if each] + [
            (name, asked.get(name)) for name in ("impact", "q", "session_id", "cursor")
        ]
        query += [
            ("from", moment(asked.get("from"), visit.zone, time.min)),
            ("to", moment(asked.get("to"), visit.zone, time.max)),
        ]
        errors: dict[str, str] = {}
        try:
            page = await visit.ask("activity", "/activities", [*query, ("limit", visit.frame.page_size)])
        except ProblemError as problem:
            if problem.status != _INVALID:
                raise
            page = {"items": [], "next_cursor": None}
            errors = {error["pointer"].removeprefix("#/"): error["detail"] for error in problem.errors}
        counts = await visit.ask_or_none("activity", "/activities/summary", {"days": 30})
        return visit.page(
            "activity.html",
            _INVALID if errors else 200,
            errors=errors,
            days=_by_day(visit, page["items"]),
            pager=Pager.of(visit, page),
            counts=sorted((counts or {}).items(), key=lambda count: -count[1])[:6],
            asked=asked,
            types=sorted(((each, visit.show.word(each)) for each in TYPES), key=lambda option: option[1]),
            impacts=[(each, visit.show.word(each)) for each in IMPACTS],
            link_of=link_of,
            described=described,
            details=details,
        )

    return router


def link_of(activity: Any) -> str | None:  # Any: a `UserActivity` as JSON
    """The page of what an activity is about; None where there is none."""
    about, place = activity["related_entity_id"], _PLACES.get(activity["related_entity_type"] or "")
    if about and place:
        return address_of(place, about)
    section = _SECTIONS.get(activity["activity_type"])
    return f"{HOME}/{section}" if section else None


def _by_day(visit: Visit, items: list[Any]) -> list[tuple[str, list[Any]]]:
    days = groupby(items, key=lambda item: visit.show.local(item["timestamp"]).date())
    return [(visit.show.day(found[0]["timestamp"]), found) for _, group in days if (found := list(group))]
