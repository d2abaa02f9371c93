"""The analytics page: what was spent and why, what is to come, and how everything is used."""

import asyncio
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import orjson
from babel.dates import get_day_names
from fastapi import APIRouter, Depends, Response

from services.gateway.pages import charts, figures, spending, why
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.later import Found, Later
from services.gateway.pages.printing import printed
from services.gateway.pages.things import anchor
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.services import READ_SECONDS

Json = Any  # what a service answers
_AHEAD: Final = 3
_FORECAST: Final = "/analytics/forecast"
_BUDGET: Final = "/analytics/budget"
_ALERTS: Final = "/analytics/alerts"
_BUDGET_SECONDS: Final = 20.0  # the first forecast of a user takes a while, and a budget looks at it
_MOST_SHARES: Final = 6
_FORMATS: Final = ("csv", "json", "html")


def routes(pages: Pages) -> APIRouter:
    """`/analytics`, `/analytics/budget`, `/analytics/report`."""
    router = pages.router()
    later = Later()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/analytics")
    async def analytics(visit: Visiting) -> Response:
        return await _page(visit, later)

    @router.post("/analytics/budget")
    async def budget(visit: Visiting) -> Response:
        form = await form_of(visit.request)
        limit = str(form.get("monthly_limit", "")).strip()
        later.forget(visit.identity.user)
        sent = await visit.send("analytics", "PUT", _BUDGET, {"monthly_limit": limit}, seconds=_BUDGET_SECONDS)
        if sent.done:
            return visit.go(f"{HOME}/analytics#budget", said="budget-saved")
        return await _page(visit, later, sent.status, given=limit, sent=sent)

    @router.get("/analytics/report")
    async def report(visit: Visiting) -> Response:
        query = visit.request.query_params
        asked = [(name, query[name]) for name in ("from", "to") if query.get(name)]
        form = query.get("format", "csv") if query.get("format") in _FORMATS else "csv"
        answer = await visit.services.ask(
            "analytics",
            "/analytics/report",
            user=visit.identity.user,
            query=urlencode([*asked, ("format", "csv" if form == "csv" else "json")]),
            seconds=READ_SECONDS,
        )
        if answer.status != 200:
            return await _page(visit, later, answer.status, report=Sent.of(answer))
        if form == "html":
            return await asyncio.to_thread(printed, visit, orjson.loads(answer.body))
        response = answer.response()
        if form == "json":
            response.headers["Content-Disposition"] = 'attachment; filename="spending.json"'
        return response

    return router


async def _page(
    visit: Visit,
    later: Later,
    status: int = 200,
    *,
    given: str | None = None,
    sent: Sent | None = None,
    report: Sent | None = None,
) -> Response:
    usage, slow, anomalies, benchmarks, runway = await asyncio.gather(
        visit.ask("analytics", "/analytics/usage"),
        later.ask(visit, "analytics", (_FORECAST, _BUDGET, _ALERTS)),
        visit.ask_or_none("analytics", "/analytics/anomalies"),
        visit.ask_or_none("analytics", "/analytics/benchmarks"),
        visit.ask_or_none("analytics", "/analytics/runway"),
    )
    forecast, budget, alerts = slow
    return visit.page(
        "analytics.html",
        status,
        usage=usage,
        forecast=forecast,
        budget=budget,
        alerts=alerts.value["items"] if alerts.state == "known" else [],
        anomalies=anomalies,
        runway=runway,
        benchmarks=benchmarks,
        given=given,
        errors={**(sent.errors if sent else {}), **(report.errors if report else {})},
        problem=next((s.problem for s in (sent, report) if s and not s.errors), None),
        days=_days(visit),
        why=why.link,
        anchor=anchor,
        figure=_figure(visit, usage),
        **_spent(visit, usage, forecast),
        **_patterns(visit, usage["activity_patterns"]),
    )


def _spent(visit: Visit, usage: Json, forecast: Found) -> dict[str, object]:
    """This month against the last, the chart, and the shares."""
    months = usage["spending_trends"]
    nothing: Json = {"total_spent": "0", "categories": {}, "providers": {}}
    this, last = (months[-1] if months else nothing), (months[-2] if len(months) > 1 else None)
    names = {each["provider_id"]: each["provider_name"] for each in usage["preferred_providers"]}
    before = last or nothing
    types = {each: visit.show.word(each) for each in {**this["categories"], **before["categories"]}}
    items = forecast.value["items"][:_AHEAD] if forecast.state == "known" else []
    return {
        "this": this,
        "last": last,
        "more": Decimal(this["total_spent"]) - Decimal(before["total_spent"]),
        "by_provider": spending.drivers(this["providers"], before["providers"], names),
        "by_type": spending.drivers(this["categories"], before["categories"], types),
        "chart": spending.chart(visit, months, items, usage["currency"]) if months else None,
        "coming": items[1:],
        "share": charts.share,
        "standing": charts.standing,
        "share_of_total": lambda amount: _percent(Decimal(amount), Decimal(usage["total_spent"])),
        "types": usage["favorite_categories"][:_MOST_SHARES],
        "providers": usage["preferred_providers"][:_MOST_SHARES],
    }


def _percent(part: Decimal, whole: Decimal) -> float:
    return float(part / whole * 100) if whole else 0.0


def _figure(visit: Visit, usage: Json) -> Any:  # Any: called by the template
    """A figure by its path: its label, its value as shown, and where its why is."""

    def found(path: str) -> dict[str, object]:
        known = figures.FIGURES[path.rpartition("/")[2]]
        value: Json = usage
        for step in path.split("/"):
            value = value[step]
        return {
            "label": visit.translations.gettext(known.label),
            "value": figures.shown(visit.show, known.kind, value, usage["currency"]),
            "href": why.link(path),
        }

    return found


def _patterns(visit: Visit, patterns: Json) -> dict[str, object]:
    hours, days = patterns["most_active_hours"], patterns["most_active_days"]
    return {"hours": _hours(visit, hours) if hours else None, "weekdays": _weekdays(visit, days) if days else None}


def _hours(visit: Visit, hours: Sequence[int]) -> object:
    _ = visit.translations.gettext
    cells = [
        _cell(figures.hour_of(hour), str(hour) if hour % 6 == 0 else "", hours.index(hour) if hour in hours else None)
        for hour in range(24)
    ]
    title = _("You are most active at %(hours)s") % {"hours": figures.hour_of(hours[0])}
    return charts.strip(_ranked(visit, "hours", title, [figures.hour_of(hour) for hour in hours]), cells)


def _weekdays(visit: Visit, days: Sequence[str]) -> object:
    _, names = visit.translations.gettext, get_day_names("abbreviated", locale=visit.show.locale)
    shown = [figures.day_of(visit.show, day) for day in days]
    wide = get_day_names("wide", locale=visit.show.locale)
    cells = [
        _cell(str(wide[day]), str(names[day]), shown.index(str(wide[day])) if str(wide[day]) in shown else None)
        for day in range(7)
    ]
    return charts.strip(_ranked(visit, "weekdays", _("Your busiest day is %(day)s") % {"day": shown[0]}, shown), cells)


def _cell(name: str, label: str, rank: int | None) -> charts.Cell:
    return charts.Cell(name, label, "" if rank is None else str(rank + 1), 0 if rank is None else 3 - rank)


def _ranked(visit: Visit, id: str, title: str, ranked: Sequence[str]) -> charts.Telling:
    _ = visit.translations.gettext
    description = _("The busiest of the last 90 days: %(ranked)s.") % {"ranked": ", ".join(ranked)}
    rows = [[name, str(place)] for place, name in enumerate(ranked, 1)]
    return charts.Telling(id, title, description, charts.Table(_("As a table"), [_("When"), _("Rank")], rows))


def _days(visit: Visit) -> tuple[str, str]:
    """The days of a report: as asked for, else this year's."""
    query, today = visit.request.query_params, visit.show.local(visit.now).date()
    return query.get("from") or date(today.year, 1, 1).isoformat(), query.get("to") or today.isoformat()
