"""What is to come and what stands out: forecast, anomalies, the budget with its alerts, and how long the wallet lasts.

A forecast is kept until another month is over or a closed month changes. Alerts are kept with the user's document, each
once; what has been told is not told again, and is a notification, too.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from services.analytics.documents import month_of_document
from services.analytics.domain import anomalies, budgets, runway
from services.analytics.domain.forecast import MOST_AHEAD, TooLittleHistory, at_least
from services.analytics.domain.months import OWN_CURRENCY, bounds, month_of, zone_of
from services.analytics.domain.runway import Outgoings
from services.analytics.domain.things import MonthTotals
from services.analytics.domain.usage import every_month
from services.analytics.forecasting import Forecaster, ForecasterStoppedError
from services.analytics.reckoning import Reckoning
from shared.contracts.analytics_forecast import Anomaly, Budget, BudgetBody, DeploymentBurn, Forecast, Runway
from shared.folds.state import field
from shared.plumbing.mongo import Database, Document

_YEAR: Final = timedelta(days=366)
_MOST_ALERTS: Final = 200


class Outlook:
    """Asks the domain, with what the user's document and the facts hold."""

    def __init__(self, database: Database, reckoning: Reckoning, forecaster: Forecaster) -> None:
        self._users, self._transactions = database["users"], database["transactions"]
        self._reckoning, self._forecaster = reckoning, forecaster

    async def forecast(self, user: str, months: int) -> Forecast | TooLittleHistory:
        """The running month and those after it, `months` in all. Raises ForecasterStoppedError."""
        known, now = await self._reckoning.of(user), datetime.now(UTC)
        found = await self._forecast(known, now)
        if isinstance(found, TooLittleHistory):
            return found
        running, *later = found.items[:months]
        return found.model_copy(update={"items": [at_least(running, _history(known, now)[1].spent), *later]})

    async def anomalies(self, user: str) -> list[Anomaly]:
        """The months, and the providers' parts of them, that are out of the ordinary; the latest first."""
        known, now = await self._reckoning.of(user), datetime.now(UTC)
        closed, running = _history(known, now)
        suspicious = {found.month for found in anomalies.anomalies(closed, {}, running)}
        if not suspicious:
            return []
        zone = zone_of(known["zone"])
        bought = {m: await self._reckoning.purchases_in(user, *bounds(m, zone)) for m in suspicious}
        return anomalies.anomalies(closed, bought, running)

    async def budget(self, user: str) -> Budget | None:
        """Where the user's budget stands; None without one."""
        known = await self._reckoning.of(user)
        return await self._budget(known, datetime.now(UTC)) if known.get("budget") else None

    async def set_budget(self, user: str, body: BudgetBody) -> Budget:
        """Sets the budget that counts from this month on."""
        change = {"$set": {"budget": _kept(body), "dirty": True}, "$inc": {"version": 1}}
        await self._users.update_one({"_id": user}, change, upsert=True)
        await self.raise_alerts(user)
        return await self._budget(await self._reckoning.of(user), datetime.now(UTC))

    async def limit_of(self, user: str) -> BudgetBody | None:
        """The budget that the user set, if they did."""
        known = await self._users.find_one({"_id": user}, {"budget": 1}) or {}
        return BudgetBody.model_construct(**known["budget"]) if known.get("budget") else None

    async def take_budget(self, user: str, body: BudgetBody) -> bool:
        """Sets the budget of a user who has none; whether that was so."""
        await self._users.update_one({"_id": user}, {"$set": {"dirty": True}, "$inc": {"version": 1}}, upsert=True)
        without = {"_id": user, "budget": {"$exists": False}}
        return (await self._users.update_one(without, {"$set": {"budget": _kept(body)}})).modified_count == 1

    async def raise_alerts(self, user: str) -> None:
        """Keeps what there is to tell now, each alert once, unless the user wants no billing alerts."""
        known, now = await self._reckoning.of(user), datetime.now(UTC)
        if not known.get("budget") or not await self._reckoning.wants_billing_alerts(user):
            return
        told = {alert["id"] for alert in known.get("alerts", ())}
        for alert in (await self._budget(known, now)).alerts:
            if alert.id not in told:
                entry = {**alert.model_dump(), "raised_at": now}
                unless_told = {"_id": user, "alerts.id": {"$ne": alert.id}}
                told_now = {"$push": {"alerts": {"$each": [entry], "$slice": -_MOST_ALERTS}}}
                news = {"$set": {"news": True}, "$inc": {"version": 1}}
                await self._users.update_one(unless_told, told_now | news)

    async def tell(self) -> None:
        """Raises what there is to tell of every budget whose user had something change, or whose day is another one."""
        told = {"version": "$version", "day": f"{datetime.now(UTC):%Y-%m-%d}"}
        behind = {"budget.currency": {"$exists": True}, "$expr": {"$ne": ["$alerted", told]}}
        async for known in self._users.find(behind, {"version": 1}):
            await self.raise_alerts(known["_id"])
            done = [{"$set": {"alerted": told}}]
            await self._users.update_one({"_id": known["_id"], "version": known["version"]}, done)

    async def alerts(self, user: str) -> list[Document]:
        """What was told, the latest first."""
        await self.raise_alerts(user)
        known = await self._users.find_one({"_id": user}, {"alerts": 1}) or {}
        return list(reversed(known.get("alerts", [])))

    async def runway(self, user: str) -> Runway:
        """How long the wallet lasts: the balance is the newest, what goes out as of `as_of`.

        That is now, but for who has many purchases, for whom it is made ready (see services.analytics.preparing).
        """
        known = await self._reckoning.without_months(user, "ready.outgoings")
        balance, currency = await self.balance(user)
        kept = known.get("ready", {}).get("outgoings")
        out = (
            Outgoings(**{**kept, "deployments": [DeploymentBurn(**each) for each in kept["deployments"]]})
            if kept and kept["currency"] == currency
            else await self.outgoings(user, currency)
        )
        return runway.runway(balance, out, datetime.now(UTC), zone_of(known["usage"]["timezone"]))

    async def outgoings(self, user: str, currency: str) -> Outgoings:
        """What goes out of the wallet a day as of now, worked out."""
        now = datetime.now(UTC)
        bought = await self._reckoning.bare_purchases_in(user, now - _YEAR, now)
        deployed = [deployment for deployment, _ in await self._reckoning.deployments_of(user)]
        return await asyncio.to_thread(runway.outgoings, currency, bought, deployed, now)

    async def balance(self, user: str) -> tuple[Decimal, str]:
        """The balance after the transaction of the highest sequence."""
        newest = [("sequence", -1), ("at", -1), ("rank", -1)]
        found = await self._transactions.find_one({"user": user, "sequence": {"$ne": None}}, sort=newest)
        said = field(found, "line") if found else None
        return (said.value["balance_after"], said.value["currency"]) if said else (Decimal(0), OWN_CURRENCY)

    async def _budget(self, known: Document, now: datetime) -> Budget:
        limit = BudgetBody.model_construct(**known["budget"])
        zone = zone_of(known["zone"])
        month = _history(known, now)[1]
        expected = await self._expected(known, now) if limit.currency == OWN_CURRENCY else None
        return budgets.budget(known["_id"], limit, budgets.used(month, limit.currency), now, zone, expected)

    async def _expected(self, known: Document, now: datetime) -> Decimal | None:
        """What the forecast says of the running month, if there is one."""
        try:
            found = await self._forecast(known, now)
        except ForecasterStoppedError:
            return None
        return Decimal(found.items[0].expected) if isinstance(found, Forecast) else None

    async def _forecast(self, known: Document, now: datetime) -> Forecast | TooLittleHistory:
        closed, running = _history(known, now)
        basis = [running.month, *(str(month.spent) for month in closed)]
        kept: dict[str, Any] = known.get("forecast") or {}
        if kept.get("basis") == basis:
            return Forecast.model_validate(kept["forecast"])
        after = closed[-1].month if closed else running.month
        found = await self._forecaster.forecast([month.spent for month in closed], after, MOST_AHEAD)
        if isinstance(found, Forecast):
            kept = {"basis": basis, "forecast": found.model_dump()}
            await self._users.update_one({"_id": known["_id"]}, {"$set": {"forecast": kept}})
        return found


def _kept(budget: BudgetBody) -> Document:
    return {"monthly_limit": budget.monthly_limit, "currency": budget.currency}


def _history(known: Document, now: datetime) -> tuple[Sequence[MonthTotals], MonthTotals]:
    """The months that are over, from the first with a purchase on, without gaps, and the running one."""
    stored = {name: month_of_document(each) for name, each in known["months"].items()}
    this_month = month_of(now, zone_of(known["zone"]))
    months = [stored.get(month) or MonthTotals(month) for month in every_month(stored, this_month)]
    return [m for m in months if m.month < this_month], stored.get(this_month) or MonthTotals(this_month)
