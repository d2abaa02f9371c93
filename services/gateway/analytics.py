"""What it all means: passed on to the analytics service."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from pydantic import BaseModel

from services.gateway import analytics_examples as examples
from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_BODY, BAD_TOKEN, PREFIX, answer, invalid, problem
from services.gateway.passing import passed_on
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts import analytics_forecast as outlook
from shared.contracts import analytics_recommend as recommend
from shared.contracts import analytics_views as views

_FORECAST_SECONDS = 20.0  # the first one waits for a process that makes it
_READ = BAD_TOKEN | problem(
    503, "analytics-unavailable", "The analytics part does not answer right now; try again in a moment."
)
_BUDGET = Body(openapi_examples={"budget": {"value": {"monthly_limit": "100.00", "currency": "TFP"}}})


_REPORT = answer(200, "As JSON; `format=csv` is for spreadsheets, `format=html` to print.", examples.REPORT)
_REPORT[200]["content"]["text/csv"] = {"schema": {"type": "string"}, "example": examples.CSV}
_REPORT[200]["content"]["text/html"] = {"schema": {"type": "string"}, "example": '<!DOCTYPE html><html lang="en">…'}


class AnomalyList(BaseModel):
    """The latest month first."""

    items: list[outlook.Anomaly]
    next_cursor: None = None


class AlertList(BaseModel):
    """The latest first."""

    items: list[outlook.ToldAlert]
    next_cursor: None = None


def routes(services: Services, sessions: Sessions) -> APIRouter:
    """Statistics, outlook, recommendations, and the catalogue."""
    router = APIRouter(prefix=PREFIX, route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    async def asked(request: Request, identity: Identity, body: BaseModel | None = None, **how: Any) -> Response:
        return (await passed_on(services, "analytics", request, identity, body, **how)).response()

    @router.get(
        "/analytics/usage",
        tags=["analytics"],
        response_model=views.UsageStatistics,
        summary="How the user uses the marketplace",
        responses=answer(200, "True as of `last_calculated`.", examples.USAGE) | _READ,
    )
    async def usage(request: Request, identity: Asking) -> Response:
        """What counts as spent: purchases that are active or completed, less refunds. Months are the user's own."""
        return await asked(request, identity)

    @router.get(
        "/analytics/usage/explain",
        tags=["analytics"],
        response_model=views.Explanation,
        summary="Why a figure is what it is",
        responses=answer(200, "How it is worked out, and from which events.", examples.EXPLANATION)
        | invalid("#/figure", "should be a path into GET /analytics/usage, such as total_spent")
        | _READ,
    )
    async def explain(request: Request, identity: Asking, _checked: Annotated[views.ExplainQuery, Query()]) -> Response:
        """`figure` is a path into the statistics, such as `spending_trends/2026-01/total_spent`."""
        return await asked(request, identity)

    @router.get(
        "/analytics/spending",
        tags=["analytics"],
        response_model=views.SpendingList,
        summary="Spending by month",
        responses=answer(200, "The latest month first, empty ones included.", {"items": [examples.MONTH]})
        | invalid("#/months", "Input should be less than or equal to 120")
        | _READ,
    )
    async def spending(request: Request, identity: Asking, _checked: Annotated[views.Months, Query()]) -> Response:
        """`months` in all, the running one included."""
        return await asked(request, identity)

    @router.get(
        "/analytics/forecast",
        tags=["analytics"],
        response_model=outlook.Forecast,
        summary="What the coming months may cost",
        responses=answer(200, "With an 80 % interval and the error of the past.", examples.FORECAST)
        | problem(409, "not-enough-history", "A forecast takes 3 whole months of purchases, and one is over so far.")
        | invalid("#/months", "Input should be less than or equal to 12")
        | _READ
        | problem(503, "forecast-interrupted", "The forecast was interrupted; ask again."),
    )
    async def forecast(
        request: Request, identity: Asking, _checked: Annotated[outlook.ForecastQuery, Query()]
    ) -> Response:
        """Beginning with the running month. The method is the one that did best on the user's own past."""
        return await asked(request, identity, seconds=_FORECAST_SECONDS)

    @router.get(
        "/analytics/anomalies",
        tags=["analytics"],
        response_model=AnomalyList,
        summary="What is out of the ordinary",
        responses=answer(200, "With what drove it.", {"items": [examples.ANOMALY]}) | _READ,
    )
    async def anomalies(request: Request, identity: Asking) -> Response:
        """Months, or what went to one provider in a month, far out of the user's own pattern."""
        return await asked(request, identity)

    @router.get(
        "/analytics/budget",
        tags=["analytics"],
        response_model=outlook.Budget,
        summary="How far the budget is used",
        responses=answer(200, "This month.", examples.BUDGET)
        | problem(404, "no-budget", "You have set no budget; set one with PUT.")
        | _READ,
    )
    async def budget(request: Request, identity: Asking) -> Response:
        """With what the month is expected to come to."""
        return await asked(request, identity, seconds=_FORECAST_SECONDS)

    @router.put(
        "/analytics/budget",
        tags=["analytics"],
        response_model=outlook.Budget,
        summary="Set a budget for each month",
        responses=answer(200, "This month.", examples.BUDGET)
        | invalid("#/monthly_limit", "should be more than 0")
        | BAD_BODY
        | _READ,
    )
    async def set_budget(request: Request, identity: Asking, body: Annotated[outlook.BudgetBody, _BUDGET]) -> Response:
        """The user is told at 50, 80 and 100 % of it, unless they want no billing alerts."""
        return await asked(request, identity, body, seconds=_FORECAST_SECONDS)

    @router.get(
        "/analytics/alerts",
        tags=["analytics"],
        response_model=AlertList,
        summary="What the user was told of the budget",
        responses=answer(200, "Each once.", {"items": [examples.TOLD_ALERT]}) | _READ,
    )
    async def alerts(request: Request, identity: Asking) -> Response:
        """The latest first."""
        return await asked(request, identity, seconds=_FORECAST_SECONDS)

    @router.get(
        "/analytics/runway",
        tags=["analytics"],
        response_model=outlook.Runway,
        summary="How long the wallet lasts",
        responses=answer(200, "And what each deployment takes a day.", examples.RUNWAY) | _READ,
    )
    async def runway(request: Request, identity: Asking) -> Response:
        """If nothing comes in and spending goes on as it was."""
        return await asked(request, identity)

    @router.get(
        "/analytics/report",
        tags=["analytics"],
        response_model=views.Report,
        summary="The purchases of a range",
        responses=_REPORT | invalid("#/format", "Input should be 'csv', 'html' or 'json'") | _READ,
    )
    async def spending_report(
        request: Request, identity: Asking, _checked: Annotated[views.ReportQuery, Query()]
    ) -> Response:
        """From one day to another, both included and in the user's time zone; by default this year's so far."""
        return await asked(request, identity)

    @router.get(
        "/analytics/benchmarks",
        tags=["analytics"],
        response_model=recommend.Benchmarks,
        summary="Where the user stands among others",
        responses=answer(200, "Or that the cohort is too small to tell.", examples.BENCHMARKS) | _READ,
    )
    async def benchmarks(request: Request, identity: Asking) -> Response:
        """Among those who spend most on the same product type and take part in comparisons."""
        return await asked(request, identity)

    @router.get(
        "/recommendations/products",
        tags=["recommendations"],
        response_model=recommend.ProductRecommendations,
        summary="What the user might want next",
        responses=answer(200, "The best first, each with its reasons.", examples.RECOMMENDATIONS)
        | invalid("#/limit", "Input should be less than or equal to 50")
        | _READ,
    )
    async def recommended_products(
        request: Request, identity: Asking, _checked: Annotated[recommend.RecommendationsQuery, Query()]
    ) -> Response:
        """Never what was bought, is blocked or is no longer on offer."""
        return await asked(request, identity)

    @router.get(
        "/recommendations/spending",
        tags=["recommendations"],
        response_model=views.SpendingRecommendations,
        summary="Where the user could spend less",
        responses=answer(200, "What saves most first.", examples.SAVINGS) | _READ,
    )
    async def spending_ideas(request: Request, identity: Asking) -> Response:
        """Savings are per year; each idea with its evidence and the request that would do it."""
        return await asked(request, identity)

    @router.post(
        "/recommendations/spending/{idea_id}/dismiss",
        tags=["recommendations"],
        status_code=204,
        summary="Do not show this idea again",
        responses=answer(204, "It is gone.")
        | problem(404, "not-found", "There is no such recommendation, or not any more.")
        | invalid("#/idea_id", "String should have at most 256 characters")
        | _READ,
    )
    async def dismiss(request: Request, identity: Asking, idea_id: Annotated[str, Path(max_length=256)]) -> Response:
        """Until it is about other things."""
        return await asked(request, identity)

    @router.get(
        "/catalog",
        tags=["catalog"],
        response_model=recommend.CatalogPage,
        summary="The products on offer",
        responses=answer(200, "One page.", examples.CATALOG)
        | problem(400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew.")
        | invalid("#/type", "Input should be 'service', 'application', …")
        | _READ,
    )
    async def catalog(
        request: Request, identity: Asking, _checked: Annotated[recommend.CatalogQuery, Query()]
    ) -> Response:
        """The best match first; without `q` by name. Filters narrow each other."""
        return await asked(request, identity)

    @router.get(
        "/catalog/{product_id}",
        tags=["catalog"],
        response_model=recommend.CatalogProduct,
        summary="One product on offer",
        responses=answer(200, "As it is offered now.", examples.PRODUCT)
        | problem(404, "not-found", "There is no such product on offer, or not any more.")
        | invalid("#/product_id", "String should have at most 256 characters")
        | _READ,
    )
    async def product(request: Request, identity: Asking, product_id: Annotated[str, Path(max_length=256)]) -> Response:
        """Whether the user bought it or not."""
        return await asked(request, identity)

    return router
