"""Forecast, anomalies, budget, alerts, runway, and where to spend less: for the gateway."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from services.analytics.advice import Advice
from services.analytics.api import answer
from services.analytics.domain.forecast import TooLittleHistory
from services.analytics.forecasting import ForecasterStoppedError
from services.analytics.outlook import Outlook
from shared.contracts.analytics_forecast import BudgetBody, ForecastQuery
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

_NO_BUDGET = ProblemError(404, "no-budget", "You have set no budget; set one with PUT.")
_NO_IDEA = ProblemError(404, "not-found", "There is no such recommendation, or not any more.")
_INTERRUPTED = ProblemError(
    503, "forecast-interrupted", "The forecast was interrupted; ask again.", headers={"Retry-After": "1"}
)


def routes(outlook: Outlook, advice: Advice, erasure: Erasure, tokens: InternalTokens) -> APIRouter:
    """The questions and the few wishes. Each is about the user that the gateway's signed call names."""
    router = APIRouter()
    User = Annotated[str, Depends(user("analytics", tokens))]  # noqa: N806  (a type)

    @router.get("/analytics/forecast")
    async def forecast(email: User, asked: Annotated[ForecastQuery, Query()]) -> Response:
        try:
            found = await outlook.forecast(email, asked.months)
        except ForecasterStoppedError:
            raise _INTERRUPTED from None
        if isinstance(found, TooLittleHistory):
            raise ProblemError(409, "not-enough-history", found.detail)
        return _shown(found)

    @router.get("/analytics/anomalies")
    async def anomalies(email: User) -> Response:
        return _items(await outlook.anomalies(email))

    @router.get("/analytics/budget")
    async def budget(email: User) -> Response:
        found = await outlook.budget(email)
        if found is None:
            raise _NO_BUDGET
        return _shown(found)

    @router.put("/analytics/budget")
    async def set_budget(email: User, body: BudgetBody) -> Response:
        async with erasure.writing(email):
            return _shown(await outlook.set_budget(email, body))

    @router.get("/analytics/alerts")
    async def alerts(email: User) -> Response:
        return answer({"items": await outlook.alerts(email), "next_cursor": None})

    @router.get("/analytics/runway")
    async def runway(email: User) -> Response:
        return _shown(await outlook.runway(email))

    @router.get("/recommendations/spending")
    async def spending(email: User) -> Response:
        return answer(await advice.spending(email))

    @router.post("/recommendations/spending/{id}/dismiss", status_code=204)
    async def dismiss(email: User, id: str) -> None:
        if not await advice.dismiss(email, id):
            raise _NO_IDEA

    return router


def _shown(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json")


def _items(found: Any) -> Response:  # Any: any list of models
    return answer({"items": [each.model_dump(mode="json") for each in found], "next_cursor": None})
