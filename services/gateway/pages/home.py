"""The overview: what was spent, what runs, what is wrong, and what to do now."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Response

from services.gateway.pages.activity import link_of
from services.gateway.pages.activity_words import described
from services.gateway.pages.idea_words import idea_texts, reason_text
from services.gateway.pages.notification_words import place_of, texts
from services.gateway.pages.spending import chart
from services.gateway.pages.things import address_of, anchor
from services.gateway.pages.view import View
from services.gateway.pages.visits import Json, Pages, Query, Visit
from services.gateway.parts import PATIENCE_SECONDS, Part
from shared.contracts.topics import Service
from shared.plumbing.problems import ProblemError

_MONTHS: Final = 6
_NOTICES: Final = 50
_WORST: Final = ("critical", "warning", "info")
_SOON: Final = ("service_ending", "budget_expected")  # matter as well, although nothing is wrong yet
_MOST_CONCERNS: Final = 4
_MOST_DEPLOYMENTS: Final = 6
_FAILING: Final = ("error", "maintenance")
_MORNING, _AFTERNOON, _EVENING = 5, 12, 18  # hours at which they begin


@dataclass(frozen=True)
class Concern:
    """Something that is wrong, or may be soon; `notification` is the id of the one that says so."""

    id: str
    severity: Literal["info", "warning", "critical"]
    title: str
    body: str
    href: str
    at: str | None = None
    notification: str | None = None


def routes(pages: Pages) -> APIRouter:
    """The overview itself."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("")
    async def home(visit: Visiting) -> Response:
        parts, months, notices = await asyncio.gather(
            visit.parts.all_of(visit.identity.user),
            _known(visit, "/analytics/spending", {"months": _MONTHS}),
            _known(visit, "/notifications", {"unread": "true", "limit": _NOTICES}),
        )
        stats, wallet = parts["purchases"].json("stats"), parts["purchases"].json("wallet")
        insights = parts["analytics"].json("insights")
        deployments = parts["purchases"].json("active_deployments") or []
        concerns = concerns_of(visit, (notices or {}).get("items", []), deployments)
        return visit.page(
            "home.html",
            parts=parts,
            user=parts["profile"].json("user"),
            greeting=_greeting(visit),
            stats=stats,
            change=_change(visit, stats),
            running=_running(deployments),
            wallet=wallet,
            costs=_costs(visit, deployments, stats),
            insights=insights,
            ideas=_ideas(insights),
            concerns=concerns[:_MOST_CONCERNS],
            more_concerns=max(len(concerns) - _MOST_CONCERNS, 0),
            knows_concerns=notices is not None,
            activities=parts["activity"].json("recent_activities") or [],
            deployments=sorted(deployments, key=lambda each: each["status"] not in _FAILING)[:_MOST_DEPLOYMENTS],
            spending=_spending(visit, months),
            is_new=_is_new(parts),
            link_of=link_of,
            described=described,
            idea_texts=idea_texts,
            reason_text=reason_text,
            anchor=anchor,
        )

    return router


def concerns_of(view: View, notices: Sequence[Json], deployments: Sequence[Json]) -> list[Concern]:
    """What needs attention: unread notifications that still hold, and failing deployments.

    The worst comes first, then the newest. What a notification says is not said twice.
    """
    holding = [each for each in notices if each["resolved_at"] is None]
    told = [each for each in holding if each["severity"] != "info" or each["code"] in _SOON]
    concerns = [_from_notification(view, each) for each in told]
    covered = {each["related_entity_id"] for each in told}
    failed = [each for each in deployments if each["status"] == "error" and each["deployment_id"] not in covered]
    concerns += [_from_deployment(view, each) for each in failed]
    return sorted(sorted(concerns, key=lambda c: c.at or "~", reverse=True), key=lambda c: _WORST.index(c.severity))


def _from_notification(view: View, said: Json) -> Concern:
    title, body = texts(view.show, said)
    return Concern(f"notification-{said['id']}", said["severity"], title, body, place_of(said), said["at"], said["id"])


def _from_deployment(view: View, failed: Json) -> Concern:
    _, deployment = view.translations.gettext, failed["deployment_id"]
    title = _("%(product)s has failed") % {"product": failed["product_name"] or deployment}
    body = failed["status_reason"] or _("No reason was given.")
    return Concern(f"failing-{anchor(deployment)}", "critical", title, body, address_of("deployments", deployment))


async def _known(visit: Visit, path: str, query: Query = ()) -> Json | None:
    """What analytics answers in the time that the parts have, too; None where it does not."""
    service: Service = "analytics"
    try:
        return await visit.ask(service, path, query, seconds=PATIENCE_SECONDS)
    except ProblemError:
        return None


def _greeting(visit: Visit) -> str:
    _, hour = visit.translations.gettext, visit.show.local(visit.now).hour
    name = {"name": visit.frame.display_name}
    if not visit.frame.display_name:
        return _("Welcome")
    if _MORNING <= hour < _AFTERNOON:
        return _("Good morning, %(name)s") % name
    if _AFTERNOON <= hour < _EVENING:
        return _("Good afternoon, %(name)s") % name
    return _("Good evening, %(name)s") % name


def _change(visit: Visit, stats: Json | None) -> str | None:
    """How this month's spending compares with the last one's, where both are in one currency."""
    if not stats:
        return None
    this, last = stats["spent_this_month"], stats["spent_last_month"]
    if len(last) != 1 or not {*this} <= {*last}:
        return None
    [(currency, before)] = last.items()
    changed = visit.show.change(this.get(currency, "0"), before)
    values = {"change": changed, "amount": visit.show.money_text(before, currency)}
    return changed and visit.translations.gettext("%(change)s on last month (%(amount)s)") % values


def _running(deployments: Sequence[Json]) -> Mapping[str, int]:
    """How many deployments are in which status, what fails first."""
    statuses = [each["status"] for each in deployments]
    return {status: statuses.count(status) for status in sorted({*statuses}, key=lambda s: (s not in _FAILING, s))}


def _costs(visit: Visit, deployments: Sequence[Json], stats: Json | None) -> str | None:
    """What all active deployments cost a month; None where they are not all known, or cost nothing."""
    totals: dict[str, Decimal] = {}
    for each in deployments:
        if each["monthly_cost"] and each["currency"]:
            totals[each["currency"]] = totals.get(each["currency"], Decimal(0)) + Decimal(each["monthly_cost"])
    if not stats or stats["active_services"] > len(deployments) or not any(totals.values()):
        return None
    amounts = ", ".join(visit.show.money_text(total, currency) for currency, total in sorted(totals.items()))
    return visit.translations.gettext("They cost %(amounts)s a month") % {"amounts": amounts}


def _ideas(insights: Json | None) -> list[Json]:
    """The ideas that are worth more than nothing, with the id that their place on the recommendations has."""
    return [idea for idea in (insights or {}).get("ideas", ()) if Decimal(idea["potential_savings"]) > 0]


def _spending(visit: Visit, months: Json | None) -> Any:  # Any: markup, or None
    """The chart of the last months; None where analytics does not answer or nothing was ever spent."""
    items = list(reversed(months["items"])) if months else []
    return chart(visit, items, (), "TFP") if any(Decimal(month["total_spent"]) for month in items) else None


def _is_new(parts: Mapping[Service, Part]) -> bool:
    """Whether the user has bought nothing so far; what is not known right now counts as something."""
    stats, insights = parts["purchases"].json("stats"), parts["analytics"].json("insights")
    if stats is None or insights is None or insights["top_category"]:
        return False
    return not (stats["active_services"] or stats["spent_this_month"] or stats["spent_last_month"])
