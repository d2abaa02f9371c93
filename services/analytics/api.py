"""The analytics service's API, for the gateway: ready documents, and why they say what they say."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.analytics.domain import printable, report
from services.analytics.domain.explain import (
    MOST,
    Question,
    Record,
    UnknownFigureError,
    deployment_fact,
    deployments_of,
    explanation,
    minute_fact,
    purchase_fact,
    question,
)
from services.analytics.domain.months import between, month_of, preceding, zone_of
from services.analytics.domain.things import MonthTotals
from services.analytics.domain.usage import spending_of
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from shared.contracts.analytics_views import ExplainQuery, Months, ReportQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import field_problem


def routes(reckoning: Reckoning, presences: Presences, tokens: InternalTokens) -> APIRouter:
    """The questions. Each is about the user that the gateway's signed call names."""
    router = APIRouter(prefix="/analytics")
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/usage")
    async def usage(email: User) -> Response:
        return answer(await reckoning.usage(email))

    @router.get("/spending")
    async def spending(email: User, asked: Annotated[Months, Query()]) -> Response:
        known = await reckoning.usage(email)
        return answer({"items": _last_months(known, asked.months, datetime.now(UTC)), "next_cursor": None})

    @router.get("/usage/explain")
    async def explain(email: User, asked: Annotated[ExplainQuery, Query()]) -> Response:
        usage = await reckoning.usage(email)
        try:
            asked_for = question(asked.figure, usage)
        except UnknownFigureError:
            raise field_problem(
                "#/figure",
                "should be a path into GET /analytics/usage, such as total_spent or "
                "spending_trends/2025-06/total_spent",
            ) from None
        return answer(explanation(asked_for, *await _facts(reckoning, presences, email, asked_for, usage)))

    @router.get("/report")
    async def report_of(email: User, asked: Annotated[ReportQuery, Query()]) -> Response:
        zone = zone_of((await reckoning.of(email))["zone"])
        last = asked.to or datetime.now(zone).date()
        first = asked.from_ or date(last.year, 1, 1)
        if first > last:
            raise field_problem("#/from", "should not be after to")
        start = datetime.combine(first, time(), zone).astimezone(UTC)
        end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
        told = report.report(await reckoning.purchases_in(email, start, end), first, last, zone)
        if asked.format == "json":
            return answer(told)
        if asked.format == "html":
            return Response(printable.as_html(told), media_type="text/html; charset=utf-8")
        headers = {"Content-Disposition": f'attachment; filename="spending-{first}-{last}.csv"'}
        return Response(report.as_csv(told["lines"]), headers=headers, media_type="text/csv; charset=utf-8")

    return router


async def _facts(
    reckoning: Reckoning, presences: Presences, email: str, asked: Question, usage: Mapping[str, Any]
) -> tuple[list[Record], int, int]:
    """The first MOST of what a figure is made of, how much there is, and how much does not count; no more is read."""
    if asked.made_of == "purchases":
        which = email, asked.choice, zone_of(usage["timezone"])
        bought, number = await reckoning.chosen(*which)
        return [purchase_fact(each) for each in bought], number, await reckoning.not_counted(*which)
    if asked.made_of == "deployments":
        deployed = deployments_of(asked, await reckoning.deployments_of(email))
        return [deployment_fact(asked, *each) for each in deployed[:MOST]], len(deployed), 0
    minutes = await presences.minutes_of(email, datetime.now(UTC))
    return [minute_fact(*each) for each in minutes[:MOST]], len(minutes), 0


def _last_months(usage: Mapping[str, Any], number: int, now: datetime) -> list[Mapping[str, Any]]:
    """`MonthlySpending` of so many months, this one included, the latest first, the empty ones too."""
    this = first = month_of(now, zone_of(usage["timezone"]))
    for _ in range(number - 1):
        first = preceding(first)
    ready = {spending["month"]: spending for spending in usage["spending_trends"]}
    return [ready.get(month) or spending_of(MonthTotals(month)) for month in reversed([*between(first, this)])]


def answer(body: object) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), media_type="application/json")
