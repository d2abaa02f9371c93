"""What the read API asks of the store: lists by one index, and single things, each with its neighbour."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from services.purchases.overview import checks_in
from services.purchases.tags import tag, word_tags
from services.purchases.views import UPTIME_WINDOW, deployment_view, purchase_view
from shared.contracts.purchase_views import DeploymentQuery, PurchaseQuery, TransactionQuery
from shared.contracts.times import microseconds, rfc3339
from shared.contracts.views import DateRange
from shared.folds import deployment, purchase, wallet
from shared.folds.facts import key_of
from shared.folds.state import members
from shared.plumbing.mongo import Database, Document
from shared.plumbing.paging import NEWEST_FIRST, after, older_than, page

_MOST_POOLS = 500


class Reading:
    """The user's things as the API shows them. Every question names its user, and finds nothing of another's."""

    def __init__(self, database: Database) -> None:
        self._purchases = database["purchases"]
        self._deployments = database["deployments"]
        self._health = database["health"]
        self._transactions = database["transactions"]
        self._pools = database["pools"]

    async def purchases(self, user: str, query: PurchaseQuery) -> Document:
        """A page of purchases, newest first."""
        filters = {"status": query.status, "type": query.type, "provider": query.provider}
        found = await self._list(self._purchases, user, _purchase_filter(filters, query.q), query)
        shown = found[: query.limit]
        deployed = await self._deployments_of(user, shown)
        now = datetime.now(UTC)
        return page(user, found, query.limit, [purchase_view(p, deployed.get(p["id"], ()), now) for p in shown])

    async def purchase(self, user: str, id: str) -> Document | None:
        """One purchase with its history; None if the user has none with that id."""
        found = await self._purchases.find_one({"_id": key_of(user, id)})
        if found is None or not found["tags"]:
            return None
        deployed = await self._deployments_of(user, [found])
        view = purchase_view(found, deployed.get(id, ()), datetime.now(UTC))
        return view | {"status_history": purchase.history_of(found)}

    async def deployments(self, user: str, query: DeploymentQuery) -> Document:
        """A page of deployments, newest first."""
        wanted = {"tags": tag({"status": query.status})}
        found = await self._list(self._deployments, user, wanted, query)
        shown = found[: query.limit]
        bought = await self._purchases_of(user, shown)
        now = datetime.now(UTC)
        return page(user, found, query.limit, [deployment_view(d, bought.get(d["purchase_id"]), now) for d in shown])

    async def deployment(self, user: str, id: str) -> Document | None:
        """One deployment; None if the user has none with that id."""
        found = await self.deployment_document(user, id)
        if found is None:
            return None
        bought = await self._purchases_of(user, [found])
        return deployment_view(found, bought.get(found["purchase_id"]), datetime.now(UTC))

    async def deployment_document(self, user: str, id: str) -> Document | None:
        """What was said about one deployment; None if the user has none with that id."""
        found = await self._deployments.find_one({"_id": key_of(user, id)})
        return found if found is not None and found["tags"] else None

    async def health(self, user: str, id: str, wanted: DateRange) -> Document | None:
        """A deployment's checks and intervals in a range of time, by default the last thirty days, and its uptime.

        None if the user has none with that id.
        """
        found = await self.deployment_document(user, id)
        if found is None:
            return None
        now = datetime.now(UTC)
        to = wanted.to or now
        since = wanted.from_ or _before(to, UPTIME_WINDOW)
        days = await self._days(found["_id"], since, to)
        start, end = microseconds(since), microseconds(to)
        passed = [i for i in deployment.intervals(found) if i.start <= end and (i.end is None or i.end >= start)]
        checks = [check for day in days for check in checks_in(day)]
        up = deployment.uptime(passed, checks, start, min(end, microseconds(now)))  # what is to come was not yet
        return {
            "from": rfc3339(start),
            "to": rfc3339(end),
            "uptime_percentage": up.percentage,
            "expected_seconds": up.expected / 1_000_000,
            "up_seconds": up.up / 1_000_000,
            "intervals": [_interval(interval) for interval in passed],
            "checks": [_check(check) for day in days for check in _checks(day) if start <= check["at"] <= end],
        }

    async def transactions(self, user: str, query: TransactionQuery) -> Document:
        """A page of the ledger, newest first."""
        found = await self._list(self._transactions, user, {"tags": tag({"kind": query.kind})}, query)
        items = [wallet.transaction_of(line["id"], line) for line in found[: query.limit]]
        return page(user, found, query.limit, items)

    async def pools(self, user: str) -> Document:
        """All pool positions of the user, by name."""
        found = await self._pools.find({"user": user}).limit(_MOST_POOLS).to_list(None)
        items = [wallet.pool_of(pool["id"], pool) for pool in found]
        return {"items": sorted(items, key=lambda pool: (pool["pool_name"], pool["pool_id"])), "next_cursor": None}

    async def _list(self, collection: Any, user: str, wanted: Document, query: Any) -> list[Document]:
        """Up to `limit` + 1 documents after the cursor; Any: a driver's collection, and any of the queries."""
        conditions: list[Document] = [{"user": user, **wanted}, _within(query)]
        if position := after(user, query.cursor):
            conditions.append(older_than(position))
        found = collection.find({"$and": conditions}).sort(NEWEST_FIRST).limit(query.limit + 1)
        documents: list[Document] = await found.to_list(None)
        return documents

    async def _deployments_of(self, user: str, purchases: Iterable[Document]) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {}
        wanted = {"user": user, "purchase_id": {"$in": [bought["id"] for bought in purchases]}}
        async for document in self._deployments.find(wanted):
            found.setdefault(document["purchase_id"], []).append(document)
        return found

    async def _purchases_of(self, user: str, deployments: Iterable[Document]) -> dict[str, Document]:
        keys = [key_of(user, document["purchase_id"]) for document in deployments]
        return {document["id"]: document async for document in self._purchases.find({"_id": {"$in": keys}})}

    async def _days(self, key: str, since: datetime, to: datetime) -> list[Document]:
        within = {"$gte": _before(since, timedelta(days=1)), "$lte": to}
        found: list[Document] = await self._health.find({"deployment": key, "day": within}).sort("day", 1).to_list(None)
        return found


def _before(at: datetime, by: timedelta) -> datetime:
    """The time so long before, or the first that there is."""
    return at - min(by, at - datetime.min.replace(tzinfo=UTC))


def _purchase_filter(filters: dict[str, str | None], text: str | None) -> Document:
    """One tag for the combination of the filters, and one for each word that is asked for."""
    return {"$and": [{"tags": wanted} for wanted in [tag(filters), *word_tags(text or "")]]}


def _within(query: Any) -> Document:  # Any: a query with or without a range
    within = {}
    if getattr(query, "from_", None):
        within["$gte"] = microseconds(query.from_)
    if getattr(query, "to", None):
        within["$lte"] = microseconds(query.to)
    return {"at": within} if within else {}


def _interval(interval: deployment.Interval) -> Document:
    return {
        "status": interval.status,
        "start": rfc3339(interval.start),
        "end": None if interval.end is None else rfc3339(interval.end),
        "reason": interval.reason,
    }


def _checks(day: Document) -> list[Document]:
    return [said.value for said in members(day, "checks")]


def _check(check: Document) -> Document:
    return {**check, "at": rfc3339(check["at"])}
