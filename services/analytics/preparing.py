"""What would take long to work out for who has many purchases, made ready before they ask: where they could spend less,
and what goes out of their wallet.

A user's reckoning says whether they have many (`many`). What is ready (`ready`) is made anew within about ten seconds
after something of theirs changed, however much did, and every hour, because of the clock and of the catalogue. So it is
that old at most when it is read; the balance, and what the user dismisses, count at once.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from services.analytics.advice import Advice
from services.analytics.outlook import Outlook
from services.analytics.reckoning import Reckoning
from shared.plumbing.marks import is_done
from shared.plumbing.mongo import Database, Document
from shared.plumbing.publish import Publisher

_PAUSE: Final = timedelta(seconds=8)  # and what looks for something to do comes every two


class Preparing:
    """Makes it ready, one user at a time. Several replicas may do so at once: they find the same."""

    def __init__(
        self, database: Database, reckoning: Reckoning, advice: Advice, outlook: Outlook, publisher: Publisher
    ) -> None:
        self._users = database["users"]
        self._reckoning, self._advice, self._outlook, self._publisher = reckoning, advice, outlook, publisher

    async def work_off(self) -> None:
        """Makes ready what is not, or is outdated. Raises PyMongoError.

        Somebody for whom it cannot be done is tried again the next time, and nobody else waits for that.
        """
        now = datetime.now(UTC)
        changed = {"$expr": {"$ne": ["$ready.version", "$version"]}, "ready.at": {"$lt": now - _PAUSE}}
        behind = {"many": True, "$or": [{"ready.hour": {"$ne": _hour(now)}}, changed]}
        for known in await self._users.find(behind, {"_id": 1}).to_list(None):
            await is_done(self.prepare(known["_id"]), "preparing_failed")

    async def prepare(self, user: str) -> None:
        """Makes it ready for a user, and tells the gateways if it is not what it was."""
        known = await self._reckoning.without_months(user, "version", "ready")
        now, before = datetime.now(UTC), known.get("ready", {})
        _, currency = await self._outlook.balance(user)
        out = asdict(await self._outlook.outgoings(user, currency))
        burns = [burn.model_dump() for burn in out["deployments"]]
        made = {"ideas": await self._advice.ideas(user), "outgoings": out | {"deployments": burns}}
        stamp = {"version": known["version"], "hour": _hour(now), "at": now}
        await self._users.update_one({"_id": user, "many": True}, {"$set": {"ready": made | stamp}})
        if _told(made) != _told(before):
            await self._publisher.sections_changed([(user, "analytics"), (user, "recommendations")], now)


def _told(ready: Mapping[str, Any]) -> list[Document]:
    """What a user sees of it."""
    return [{**ready.get(name, {}), "as_of": None} for name in ("ideas", "outgoings")]


def _hour(now: datetime) -> str:
    return f"{now:%Y-%m-%d %H}"
