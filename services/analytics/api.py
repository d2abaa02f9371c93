"""The analytics service's API, for the gateway: ready documents, and why they say what they say."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Response

from services.analytics.documents import month_of_document
from services.analytics.domain import report
from services.analytics.domain.explain import Background, UnknownFigureError, explanation
from services.analytics.domain.months import between, month_of, preceding, zone_of
from services.analytics.domain.things import MonthTotals
from services.analytics.domain.usage import spending_of
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from shared.contracts.analytics_views import ExplainQuery, Months, ReportQuery
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import field_problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9998, 1, 1, tzinfo=UTC)


def routes(reckoning: Reckoning, presences: Presences, tokens: InternalTokens) -> APIRouter:
    """The questions. Each is about the user that the gateway's signed call names."""
    router = APIRouter(prefix="/analytics")
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/usage")
    async def usage(email: User) -> Response:
        return answer((await reckoning.of(email))["usage"])

    @router.get("/spending")
    async def spending(email: User, asked: Annotated[Months, Query()]) -> Response:
        known = await reckoning.of(email)
        return answer({"items": _last_months(known, asked.months, datetime.now(UTC)), "next_cursor": None})

    @router.get("/usage/explain")
    async def explain(email: User, asked: Annotated[ExplainQuery, Query()]) -> Response:
        known = await reckoning.of(email)
        behind = await _background(reckoning, presences, email, known)
        try:
            return answer(explanation(asked.figure, known["usage"], behind))
        except UnknownFigureError:
            raise field_problem(
                "#/figure",
                "should be a path into GET /analytics/usage, such as total_spent or "
                "spending_trends/2025-06/total_spent",
            ) from None

    @router.get("/report")
    async def report_of(email: User, asked: Annotated[ReportQuery, Query()]) -> Response:
        zone = zone_of((await reckoning.of(email))["zone"])
        now = datetime.now(zone)
        first = asked.from_.astimezone(zone).date() if asked.from_ else date(now.year, 1, 1)
        last = asked.to.astimezone(zone).date() if asked.to else now.date()
        start = datetime.combine(first, time(), zone).astimezone(UTC)
        end = datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
        told = report.report(await reckoning.purchases_in(email, start, end), first, last, zone)
        if asked.format == "json":
            return answer(told)
        headers = {"Content-Disposition": f'attachment; filename="spending-{first}-{last}.csv"'}
        return Response(report.as_csv(told["lines"]), headers=headers, media_type="text/csv; charset=utf-8")

    return router


async def _background(reckoning: Reckoning, presences: Presences, email: str, known: Mapping[str, Any]) -> Background:
    return Background(
        await reckoning.purchases_in(email, _EPOCH, _LAST),
        await reckoning.deployments_of(email),
        await presences.minutes_of(email, datetime.now(UTC)),
        zone_of(known["zone"]),
    )


def _last_months(known: Mapping[str, Any], number: int, now: datetime) -> list[Mapping[str, Any]]:
    """`MonthlySpending` of so many months, this one included, the latest first, the empty ones too."""
    this = first = month_of(now, zone_of(known["zone"]))
    for _ in range(number - 1):
        first = preceding(first)
    stored = {name: month_of_document(each) for name, each in known["months"].items()}
    wanted = reversed([*between(first, this)])
    return [spending_of(stored.get(month) or MonthTotals(month)) for month in wanted]


def answer(body: object) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), media_type="application/json")
