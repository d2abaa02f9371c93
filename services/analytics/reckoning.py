"""What follows from the facts, kept ready for each user: the months and the usage statistics.

Ingesting only marks a user. A mark is worked off once in a while, however much was marked meanwhile, and at once for a
user who is looked at: so what is read is never behind what is stored, and ten thousand events cost one reckoning. Only
the months in which something changed are reckoned anew.
"""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.analytics.documents import (
    BARE,
    bare_purchase_of,
    deployment_of,
    month_document,
    month_of_document,
    purchase_of,
)
from services.analytics.domain import months, usage
from services.analytics.domain.explain import MOST, Choice
from services.analytics.domain.months import OWN_CURRENCY
from services.analytics.domain.patterns import patterns
from services.analytics.domain.things import COUNTED, Deployment, MonthTotals, Purchase, Taste
from services.analytics.domain.usage import DeploymentFigures
from services.analytics.presences import Presences
from shared.contracts.times import as_time, microseconds
from shared.folds import deployment, purchase
from shared.folds.facts import SETTINGS, key_of
from shared.folds.state import members, value
from shared.plumbing.marks import work_off
from shared.plumbing.mongo import Database, Document

UPTIME_WINDOW: Final = timedelta(days=30)
_MOST_FAILURES: Final = 500
_TRIES: Final = 5
MANY: Final = 200  # more purchases than that, and what is made of all of them is made before somebody asks
_UNREAD: Final = {"ready": 0, "insights": 0}  # large, and nothing here is made of it
_DETAILS, _RATING = "fields.details.3", "fields.rating.3.rating"  # a field is its stamp, three parts, and its value
_CYCLE: Final = "fields.billing_cycle.3"
_REFUND: Final = ("refund_of", "fields.line")


class Reckoning:
    """Works marks off, and gives what is ready."""

    def __init__(self, database: Database, presences: Presences) -> None:
        self._users, self._settings = database["users"], database["settings"]
        self._purchases, self._transactions = database["purchases"], database["transactions"]
        self._deployments, self._health = database["deployments"], database["health"]
        self._presences = presences
        self._underway: dict[tuple[str, int], asyncio.Task[Document]] = {}

    async def of(self, user: str) -> Document:
        """The user's document with `usage`, `months` and `zone` true as of now; reckoned first where it is outdated."""
        for _ in range(_TRIES):
            known = await self._users.find_one({"_id": user}, _UNREAD)
            if known is None:  # there is nothing to keep it with
                return await self._work_out({"_id": user, "version": 0})
            if _is_ready(known):
                return known
            outdated = await self._work_out_once(known)
        return outdated

    async def usage(self, user: str) -> Document:
        """The user's `usage`, true as of now."""
        usage: Document = (await self.without_months(user))["usage"]
        return usage

    async def without_months(self, user: str, *more: str) -> Document:
        """The user's document with `usage`, true as of now, and the fields `more`, where it has them.

        The months behind it are several times as large, and are read only where there is something to work out.
        """
        known = await self._users.find_one({"_id": user}, ["usage", "dirty", "day", *more]) or {}
        return known if known and _is_ready(known) else {**known, **await self.of(user)}

    async def work_off(self) -> None:
        """Works off the marks until there are none. Raises PyMongoError."""
        await work_off(self._users, _UNREAD, self._work_out_once, "reckoning_failed")

    async def purchases_in(self, user: str, start: datetime, end: datetime) -> list[Purchase]:
        """The user's purchases of [start, end), oldest first, each with what was paid back of it."""
        return await self._purchases_of({"user": user, "at": {"$gte": microseconds(start), "$lt": microseconds(end)}})

    async def lasting_purchases(self, user: str) -> list[Purchase]:
        """The user's purchases that are active and go on: that are paid again and again, have a period, or run.

        Oldest first, without refunds, ratings, tickets and events.
        """
        running = await self._deployments.distinct("purchase_id", {"user": user, "purchase_id": {"$ne": None}})
        lasts: list[Document] = [
            {_CYCLE: {"$in": ["monthly", "annual"]}},
            {"fields.period": {"$exists": True}},
            {"_id": {"$in": [key_of(user, id) for id in running]}},  # noqa: A001
        ]
        return await self._bare_purchases_of({"user": user, "status": "active", "$or": lasts}, {})

    async def bare_purchases_in(self, user: str, start: datetime, end: datetime) -> list[Purchase]:
        """The user's purchases of [start, end), oldest first, with refunds, without ratings, tickets and events."""
        wanted = {"user": user, "at": {"$gte": microseconds(start), "$lt": microseconds(end)}}
        return await self._bare_purchases_of(wanted, await self._refunds({"user": user}))

    async def chosen(self, user: str, choice: Choice, zone: ZoneInfo) -> tuple[list[Purchase], int]:
        """The first MOST purchases that a figure is made of, oldest first, with refunds; and how many there are."""
        wanted = {"user": user, **_filter(choice, zone)}
        found, number = await asyncio.gather(
            self._purchases.find(wanted).sort("at", 1).limit(MOST).to_list(None),
            self._purchases.count_documents(wanted),
        )
        refunds = await self._refunds(_of_these(found))
        return [purchase_of(d, refunds.get(d["_id"], Decimal(0))) for d in found], number

    async def not_counted(self, user: str, choice: Choice, zone: ZoneInfo) -> int:
        """How many more purchases the figure would be made of, were they active or completed."""
        others: Document = {"status": {"$nin": [None, *COUNTED]}}
        return await self._purchases.count_documents({"user": user, **_filter(choice, zone), **others})

    async def wants_billing_alerts(self, user: str) -> bool:
        """Whether the user wants to be told of budgets; they do until they say otherwise."""
        settings = await self._settings.find_one({"_id": key_of(user, SETTINGS)}) or {"fields": {}}
        return value(settings, "billing_alerts", default=True) is True

    async def taste_of(self, user: str) -> Taste:
        """What of the user's preferences counts for recommendations."""
        settings = await self._settings.find_one({"_id": key_of(user, SETTINGS)}) or {"fields": {}}
        low, high = value(settings, "price_range_filter") or (None, None)
        return Taste(
            blocked=frozenset(value(settings, "blocked_providers", ())),
            preferred=frozenset(value(settings, "preferred_providers", ())),
            lowest=low,
            highest=high,
            category=value(settings, "default_category_filter") or None,
        )

    async def deployments_of(self, user: str) -> list[tuple[Deployment, DeploymentFigures]]:
        """The user's deployments, oldest first, and the figures of each as of now."""
        now = datetime.now(UTC)
        found = [d async for d in self._deployments.find({"user": user}) if value(d, "details")]
        keys = {key_of(user, value(d, "details")["purchase_id"]) for d in found}
        wanted = {"_id": {"$in": list(keys)}}
        bought = {d["id"]: d async for d in self._purchases.find(wanted) if value(d, "details")}
        both = [(deployment_of(d), _figures(d, bought, now)) for d in found]
        return sorted(both, key=lambda each: (each[0].created, each[0].id))

    async def _work_out_once(self, known: Document) -> Document:
        """Works it out, or waits for who works it out of the same facts already: a page asks for much at once."""
        key = known["_id"], known["version"]
        if key not in self._underway:
            task = self._underway[key] = asyncio.create_task(self._work_out(known))
            task.add_done_callback(lambda _: self._underway.pop(key))
        return await asyncio.shield(self._underway[key])

    async def _work_out(self, known: Document) -> Document:
        """Stores what follows from the facts, unless the user was marked again meanwhile: then the mark stays."""
        user, now = known["_id"], datetime.now(UTC)
        settings = await self._settings.find_one({"_id": key_of(user, SETTINGS)}) or {"fields": {}, "members": {}}
        zone = months.zone_of(value(settings, "timezone"))
        for key in known.get("marked", {}).get("deployments", ()):
            await self._keep_loads(key, now)
        every, changed, emptied = await self._months(known, zone)
        figures = [figures for _, figures in await self.deployments_of(user)]
        seen = await self._presences.of(user, now)
        pattern = patterns(seen.minutes, seen.alone, seen.sessions, now, zone)
        ready: Document = {
            "zone": str(zone),
            "day": _day(now),
            "usage": usage.usage_of(user, str(zone), every, figures, pattern, now, months.month_of(now, zone)),
        }
        as_read = {"_id": user, "version": known["version"]}
        if many := await self._purchases.count_documents({"user": user}, limit=MANY + 1) > MANY:
            ready["many"] = True
        worked_off = {"dirty": "", "marked": "", **emptied, **({} if many else {"many": "", "ready": ""})}
        await self._users.update_one(as_read, {"$set": ready | changed, "$unset": worked_off})
        return {**known, **ready, "months": {name: month_document(month) for name, month in every.items()}}

    async def _months(self, known: Document, zone: ZoneInfo) -> tuple[dict[str, MonthTotals], Document, Document]:
        """The months that are not empty; those to be stored, which are the ones reckoned anew; those that became empty.

        The months of another time zone are all replaced.
        """
        same_zone = known.get("zone") == str(zone)
        stored = {name: month_of_document(month) for name, month in known["months"].items()} if same_zone else {}
        touched = await self._touched(known["_id"], known.get("marked", {}), same_zone)
        anew = {m: months.totals(m, await self.purchases_in(known["_id"], *months.bounds(m, zone))) for m in touched}
        every = {name: month for name, month in (stored | anew).items() if month.count or month.others}
        changed = {name: month_document(every[name]) for name in touched if name in every}
        if not same_zone:
            return every, {"months": changed}, {}
        emptied = {f"months.{name}": "" for name in touched if name not in every}
        return every, {f"months.{name}": month for name, month in changed.items()}, emptied

    async def _touched(self, user: str, marked: Mapping[str, Any], same_zone: bool) -> list[str]:
        """The months to reckon anew: all of them, where the time zone is another one."""
        if same_zone:
            refunded = self._purchases.find({"_id": {"$in": marked.get("purchases", [])}}, {"at": 1})
            around = [months.months_around(as_time(d["at"])) async for d in refunded]
            return sorted({*marked.get("months", ()), *(month for each in around for month in each)})
        first = await self._purchases.find_one({"user": user, "at": {"$gt": 0}}, sort=[("at", 1)])
        last = await self._purchases.find_one({"user": user}, sort=[("at", -1)])
        if not first or not last:
            return []
        return list(
            months.between(
                min(months.months_around(as_time(first["at"]))), max(months.months_around(as_time(last["at"])))
            )
        )

    async def _purchases_of(self, wanted: Document) -> list[Purchase]:
        found = [d async for d in self._purchases.find(wanted).sort("at", 1) if value(d, "details")]
        refunds = await self._refunds(_of_these(found))
        return [purchase_of(d, refunds.get(d["_id"], Decimal(0))) for d in found]

    async def _bare_purchases_of(self, wanted: Document, refunds: Mapping[str, Decimal]) -> list[Purchase]:
        """In a thread: there may be tens of thousands, and nobody else should wait for that."""
        found = await self._purchases.find({"status": {"$ne": None}} | wanted, BARE).sort("at", 1).to_list(None)
        return await asyncio.to_thread(lambda: [bare_purchase_of(d, refunds.get(d["_id"], Decimal(0))) for d in found])

    async def _refunds(self, of: Document) -> dict[str, Decimal]:
        """What was paid back, by the purchase's key, in the transactions that are `of` someone, or of something."""
        sums: dict[str, Decimal] = {}
        async for document in self._transactions.find({"refund_of": {"$type": "string"}} | of, _REFUND):
            amount = abs(value(document, "line")["amount"])
            sums[document["refund_of"]] = sums.get(document["refund_of"], Decimal(0)) + amount
        return sums

    async def _keep_loads(self, key: str, now: datetime) -> None:
        """Keeps with a deployment what its checks of the last 30 days come to: loads a day, and the decisive ones."""
        since = now - UPTIME_WINDOW - timedelta(days=1)
        days = await self._health.find({"deployment": key, "day": {"$gte": since}}).sort("day", 1).to_list(None)
        checks = [
            deployment.Check(said.value["at"], said.value["healthy"]) for day in days for said in members(day, "checks")
        ]
        kept = [[check.at, check.healthy] for check in deployment.decisive(checks)[-_MOST_FAILURES:]]
        loads = [_load(day) for day in days]
        await self._deployments.update_one({"_id": key}, {"$set": {"decisive": kept, "loads": loads}})


def _figures(document: Document, bought: Mapping[str, Document], now: datetime) -> DeploymentFigures:
    owner = bought.get(value(document, "details")["purchase_id"])
    passed, end = deployment.intervals(document), microseconds(now)
    checks = [deployment.Check(at, healthy) for at, healthy in document.get("decisive", ())]
    up = deployment.uptime(passed, checks, end - UPTIME_WINDOW // timedelta(microseconds=1), end)
    this = deployment_of(document)
    of_purchase = Decimal(cost) if owner and (cost := purchase.monthly_cost(owner)) else None
    own_cost = of_purchase if this.monthly_cost is None else this.monthly_cost
    is_own = owner is None or value(owner, "details")["currency"] == OWN_CURRENCY
    return DeploymentFigures(
        active=owner is not None and purchase.status(owner) == "active",
        hours_run=usage.hours_run(((s.status, s.start, s.end) for s in this.stays), now),
        uptime=up.percentage,
        monthly_cost=own_cost if is_own else None,
        loads=this.loads,
    )


def _of_these(purchases: Iterable[Document]) -> Document:
    return {"refund_of": {"$in": [document["_id"] for document in purchases]}}


def _filter(choice: Choice, zone: ZoneInfo) -> Document:
    """The purchases of a choice, as a query."""
    currency = choice.currency or ({"$ne": OWN_CURRENCY} if choice.foreign else OWN_CURRENCY)
    wanted: Document = {"status": {"$in": sorted(COUNTED)}, f"{_DETAILS}.currency": currency}
    if choice.month:
        start, end = months.bounds(choice.month, zone)
        wanted["at"] = {"$gte": microseconds(start), "$lt": microseconds(end)}
    if choice.product_type:
        wanted[f"{_DETAILS}.product_type"] = choice.product_type
    if choice.provider_id:
        wanted[f"{_DETAILS}.provider_id"] = choice.provider_id
    if choice.rated:
        wanted[_RATING] = {"$gt": 0}
    return wanted


def _load(day: Document) -> Document:
    checks = [said.value for said in members(day, "checks")]
    return {
        "day": day["day"],
        "checks": len(checks),
        "healthy": sum(check["healthy"] for check in checks),
        "cpu_percent": _mean([check["cpu_percent"] for check in checks]),
        "memory_percent": _mean([check["memory_percent"] for check in checks]),
    }


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None


def _is_ready(known: Document) -> bool:
    return "dirty" not in known and known.get("day") == _day(datetime.now(UTC))


def _day(now: datetime) -> str:
    return f"{now:%Y-%m-%d %H}"
