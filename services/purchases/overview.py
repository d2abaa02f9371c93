"""What is worked out from the facts and kept ready: the wallet, the failed checks of a deployment, the overview.

Ingesting only marks a user. A mark is worked off once in a while, however much was marked meanwhile, and at once for a
user who is looked at: so what is read is never behind what is stored, and ten thousand events cost one reckoning.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.purchases.domain.settings import Months, months_at, zone_of
from services.purchases.tags import EVERYTHING, tag
from services.purchases.views import UPTIME_WINDOW, deployment_view
from shared.contracts.times import microseconds
from shared.folds import deployment, wallet
from shared.folds.facts import SETTINGS, key_of
from shared.folds.ported import is_imported
from shared.folds.purchase import money
from shared.folds.state import members, value
from shared.plumbing.marks import work_off
from shared.plumbing.mongo import Database, Document

_MOST_FAILURES = 500
_SHOWN = 12  # active deployments in the overview; `active_deployments_count` says how many there are
_COUNTED = 1_000
_TRIES = 5


class Overviews:
    """Works marks off, and gives what is ready."""

    def __init__(self, database: Database) -> None:
        self._users = database["users"]
        self._purchases = database["purchases"]
        self._deployments = database["deployments"]
        self._health = database["health"]
        self._transactions = database["transactions"]
        self._settings = database["settings"]

    async def of(self, user: str) -> Document:
        """The user's `{overview, blocks, version}`, true as of now; worked out first where it is marked or outdated."""
        for _ in range(_TRIES):
            known = await self._users.find_one({"_id": user}) or {"_id": user, "version": 0}
            if "dirty" not in known and known.get("until", datetime.min.replace(tzinfo=UTC)) > datetime.now(UTC):
                break
            known = await self._work_out(known)
        return known

    async def work_off(self) -> None:
        """Works off the marks until there are none. Raises PyMongoError."""
        await work_off(self._users, None, self._work_out, "overview_failed")

    async def _work_out(self, known: Document) -> Document:
        """Stores what follows from the facts, unless the user was marked again meanwhile: then the mark stays."""
        user, marked = known["_id"], known.get("marked", {})
        blocks = {**known.get("blocks", {}), **await self._blocks(user, marked.get("blocks", ()))}
        blocks = {number: block for number, block in blocks.items() if block is not None}
        for key in marked.get("deployments", ()):
            await self._keep_failures(key)
        now = datetime.now(UTC)
        months = months_at(now, zone_of(await self._settings.find_one({"_id": key_of(user, SETTINGS)})))
        ready = {"blocks": blocks, "overview": await self._overview(user, blocks, months, now), "until": months.next}
        as_read = {"_id": user, "version": known["version"]}
        await self._users.update_one(as_read, {"$set": ready, "$unset": {"dirty": "", "marked": ""}})
        return {**known, **ready}

    async def _blocks(self, user: str, numbers: Iterable[int]) -> dict[str, Any]:
        return {str(number): await self._block(user, number) for number in numbers}

    async def _block(self, user: str, number: int) -> Any:  # Any: a block's summary, or None where it is empty
        first = number * wallet.BLOCK
        within = {"user": user, "sequence": {"$gte": first, "$lt": first + wallet.BLOCK}}
        lines = [_line(document) async for document in self._transactions.find(within, {"fields.line": 1})]
        return wallet.summary_of(lines) if lines else None

    async def _keep_failures(self, key: str) -> None:
        """Keeps with the deployment the checks of the last days that its uptime depends on."""
        since = datetime.now(UTC) - UPTIME_WINDOW - timedelta(days=1)
        days = self._health.find({"deployment": key, "day": {"$gte": since}})
        failures = deployment.decisive([check async for day in days for check in checks_in(day)])[-_MOST_FAILURES:]
        kept = [[check.at, check.healthy] for check in failures]
        await self._deployments.update_one({"_id": key}, {"$set": {"decisive": kept}})

    async def _overview(self, user: str, blocks: Document, months: Months, now: datetime) -> Document:
        active = await self._active(user, now)
        return {
            "month": months.name,
            "active_deployments": active[:_SHOWN],
            "active_deployments_count": len(active),
            "spent_this_month": await self._spent(user, months.this, now),
            "spent_last_month": await self._spent(user, months.last, months.this),
            "wallet": {**wallet.wallet_of(blocks), "change_this_month": await self._moved(user, months.this)},
        }

    async def _active(self, user: str, now: datetime) -> list[Document]:
        """The deployments of purchases that are active, as the dashboard's plan means it; the newest first."""
        bought = self._purchases.find({"user": user, "tags": tag({"status": "active"})}).sort({"at": -1, "_id": -1})
        purchases = {document["id"]: document async for document in bought.limit(_COUNTED)}
        found = self._deployments.find({"user": user, "purchase_id": {"$in": list(purchases)}}).sort({"at": -1})
        return [deployment_view(d, purchases.get(d["purchase_id"]), now) async for d in found if d["tags"]]

    async def _spent(self, user: str, start: datetime, end: datetime) -> dict[str, str]:
        """What was spent on purchases that are active or completed and were made in [start, end), per currency."""
        paid = [tag({"status": status}) for status in ("active", "completed")]
        made = {"$gte": microseconds(start), "$lt": microseconds(end)}
        totals: dict[str, Decimal] = {}
        details = {"fields.details": 1}
        async for document in self._purchases.find({"user": user, "tags": {"$in": paid}, "at": made}, details):
            bought = value(document, "details")
            totals[bought["currency"]] = totals.get(bought["currency"], Decimal(0)) + bought["amount"]
        return {currency: money(total) for currency, total in sorted(totals.items())}

    async def _moved(self, user: str, since: datetime) -> dict[str, str]:
        """The sum of the wallet's transactions since then, per currency."""
        totals: dict[str, Decimal] = {}
        within = {"user": user, "tags": EVERYTHING, "at": {"$gte": microseconds(since)}}
        async for document in self._transactions.find(within, {"fields.line": 1}):
            line = _line(document)
            totals[line.currency] = totals.get(line.currency, Decimal(0)) + line.amount
        return {currency: money(total) for currency, total in sorted(totals.items())}


def members_of(overview: Document) -> Document:
    """The members of the gateway's overview that this service knows, by name."""
    return {
        "stats": {
            "active_services": overview["active_deployments_count"],
            "month": overview["month"],
            "spent_this_month": overview["spent_this_month"],
            "spent_last_month": overview["spent_last_month"],
            "wallet_change_this_month": overview["wallet"]["change_this_month"],
        },
        "active_deployments": overview["active_deployments"],
        "wallet": overview["wallet"],
    }


def checks_in(day: Document) -> list[deployment.Check]:
    """The checks of one day's document, oldest first."""
    return [deployment.Check(said.value["at"], said.value["healthy"]) for said in members(day, "checks")]


def _line(document: Document) -> wallet.Line:
    weight, at, event, line = document["fields"]["line"]
    amounts = (line["amount"], line["balance_after"], line["currency"])
    return wallet.Line(line["sequence"], at, event, *amounts, imported=is_imported(weight))
