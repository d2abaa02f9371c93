"""Looks for what users should know, once something of theirs changed or time has passed, and keeps what is found.

A mark (`news`) says that something of a user is to be looked at; it is taken away only if nothing changed meanwhile.
How things stand (what is due, what stands out, how long money lasts) is weighed once a user's events have paused for
ten seconds, or after ten minutes without such a pause: it costs more, and in the middle of an import or a replay things
never stood as they seem to. As time passes by itself, it is weighed every six hours, too.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.analytics.domain import conditions
from services.analytics.domain.months import zone_of
from services.analytics.domain.notices import WINDOW, Notice, errors, failings, notice
from services.analytics.domain.settling import settle
from services.analytics.notifications import Notifications
from services.analytics.outlook import Outlook
from services.analytics.reckoning import Reckoning
from shared.contracts.analytics_forecast import ToldAlert
from shared.contracts.times import as_time, microseconds
from shared.folds import deployment
from shared.folds.deployment import Check
from shared.folds.facts import key_of
from shared.folds.purchase import money
from shared.folds.state import members, value
from shared.plumbing.erasure import Erasure
from shared.plumbing.marks import is_done
from shared.plumbing.mongo import Database, Document
from shared.plumbing.problems import ProblemError
from shared.plumbing.publish import Publisher

PAUSE: Final = timedelta(seconds=10)
_LONGEST_WITHOUT_PAUSE: Final = timedelta(minutes=10)
_WEIGHED_ANYHOW_AFTER: Final = timedelta(hours=6)
_AT_ONCE, _MOST_REFUNDS = 100, 500


class Noticing:
    """Works the marks off. Several replicas may do so at once: they find the same."""

    def __init__(
        self,
        database: Database,
        reckoning: Reckoning,
        outlook: Outlook,
        notifications: Notifications,
        erasure: Erasure,
        publisher: Publisher,
        pause: timedelta = PAUSE,
    ) -> None:
        self._users, self._purchases = database["users"], database["purchases"]
        self._deployments, self._transactions = database["deployments"], database["transactions"]
        self._reckoning, self._outlook, self._notifications = reckoning, outlook, notifications
        self._erasure, self._publisher, self._pause = erasure, publisher, pause

    async def look(self) -> None:
        """Looks at every user who is marked, or whose time has come. Raises PyMongoError.

        Somebody who cannot be looked at keeps the mark, and nobody else waits for that.
        """
        failed: list[str] = []
        more = True
        while more:
            more = False
            for waits, weighs in (({"news": True}, False), ({"weigh_at": {"$lte": datetime.now(UTC)}}, True)):
                marked = self._users.find({**waits, "_id": {"$nin": failed}}, {"_id": 1}).limit(_AT_ONCE)
                found = [each["_id"] for each in await marked.to_list(None)]
                failed += [u for u in found if not await is_done(self.look_at(u, weighs=weighs), "noticing_failed")]
                more |= len(found) == _AT_ONCE

    async def look_at(self, user: str, *, weighs: bool) -> None:
        """Looks at one user, and tells the gateways if that changed anything; `weighs`: also at how things stand."""
        now = datetime.now(UTC)
        known = await self._reckoning.of(user)
        found = [*await self._history(user, known, now), *(await self._state(user, known, now) if weighs else ())]
        settled = settle(await self._notifications.known(user), found, now, weighed=weighs)
        if settled.save or settled.remove:
            with suppress(ProblemError):  # the user was erased meanwhile, and so is what was kept
                async with self._erasure.writing(user):
                    await self._notifications.keep(user, settled)
                await self._publisher.sections_changed([(user, "analytics")], now)
        as_read = {"_id": user, "version": known["version"]}
        done = await self._users.update_one(as_read, self._weighed(now) if weighs else self._to_be_weighed(known, now))
        if not done.matched_count:  # another look, made of newer facts, may have been overwritten: so look again
            await self._users.update_one({"_id": user}, {"$set": {"news": True}})

    @staticmethod
    def _weighed(now: datetime) -> Document:
        return {"$set": {"weigh_at": now + _WEIGHED_ANYHOW_AFTER}, "$unset": {"unweighed_since": ""}}

    def _to_be_weighed(self, known: Document, now: datetime) -> Document:
        since = known.get("unweighed_since", now)
        at = min(now + self._pause, since + _LONGEST_WITHOUT_PAUSE)
        return {"$set": {"weigh_at": at, "unweighed_since": since}, "$unset": {"news": ""}}

    async def _history(self, user: str, known: Document, now: datetime) -> list[Notice]:
        """What happened to the user's things, and was told of the budget."""
        deployed = [d async for d in self._deployments.find({"user": user}) if value(d, "details")]
        since = {"$gte": microseconds(now - WINDOW)}
        paid_back = {"user": user, "refund_of": {"$type": "string"}, "at": since}
        refunds = await self._transactions.find(paid_back).sort("at", -1).limit(_MOST_REFUNDS).to_list(None)
        bought = {key_of(user, value(d, "details")["purchase_id"]) for d in deployed} | {
            r["refund_of"] for r in refunds
        }
        names = await self._names(bought)
        alerts = [ToldAlert(**alert) for alert in known.get("alerts", ()) if alert["raised_at"] >= now - WINDOW]
        return [
            *(each for d in deployed for each in _of_deployment(user, d, names)),
            *(_of_refund(user, r, names) for r in refunds),
            *await self._notifications.sign_ins(user, now),
            *conditions.of_budget(user, alerts),
        ]

    async def _state(self, user: str, known: Document, now: datetime) -> list[Notice]:
        """How things stand."""
        zone, runway = zone_of(known["zone"]), await self._outlook.runway(user)
        active = await self._reckoning.lasting_purchases(user)
        balance, currency = await self._outlook.balance(user)
        return [
            *conditions.uncovered(user, active, balance, currency, now, zone),
            *conditions.ending(user, active, now, zone),
            *conditions.running_out(user, runway, now),
            *conditions.unusual(user, await self._outlook.anomalies(user), now, zone),
            *[_of_suspension(user, d) async for d in self._purchases.find({"user": user, "status": "suspended"})],
        ]

    async def _names(self, keys: set[str]) -> dict[str, str]:
        found = self._purchases.find({"_id": {"$in": list(keys)}}, {"fields.details": 1})
        return {d["_id"]: value(d, "details")["product_name"] async for d in found if value(d, "details")}


def _of_deployment(user: str, known: Document, names: dict[str, str]) -> Iterator[Notice]:
    details, passed = value(known, "details"), deployment.intervals(known)
    product = names.get(key_of(user, details["purchase_id"]), "A deployment")
    said = {"product": product, "region": details["region"]}
    checks = [Check(at, healthy) for at, healthy in known.get("decisive", ())]
    yield from errors(user, known["id"], said, passed)
    yield from failings(user, known["id"], said, passed, checks)


def _of_refund(user: str, known: Document, names: dict[str, str]) -> Notice:
    line: Any = value(known, "line")  # as the fold made it
    id = value(known, "related_entity_id")  # noqa: A001
    said = {
        "amount": money(abs(line["amount"])),
        "currency": line["currency"],
        "product": names.get(known["refund_of"], "a purchase"),
    }
    return notice(user, "refund", (known["id"],), as_time(known["at"]), said, ("purchase", id))


def _of_suspension(user: str, known: Document) -> Notice:
    last = members(known, "history")[-1]
    said = {"product": value(known, "details")["product_name"], "reason": last.value["reason"] or "none"}
    name = (known["id"], str(last.at))
    return notice(user, "purchase_suspended", name, as_time(last.at), said, ("purchase", known["id"]))
