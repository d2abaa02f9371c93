"""Counts of wrong passwords, by account and by network address, kept in Mongo for a day.

Neither an email nor an address stands there: the key is an HMAC with a random key that the database keeps.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest
from math import ceil

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.profile.domain.throttle import REMEMBERED, wait
from shared.plumbing.mongo import Database, Document
from shared.plumbing.problems import ProblemError

FREE_PER_ACCOUNT = 5
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "failures": [IndexModel("last_at", name="forgotten", expireAfterSeconds=int(REMEMBERED.total_seconds()))]
}
_KEY = "throttle"


class Throttle:
    """Says who has to wait before another password is looked at. Unknown emails count as known ones do.

    `free_per_address` is how many failures an address has before it waits.
    """

    def __init__(self, database: Database, free_per_address: int) -> None:
        self._failures = database["failures"]
        self._keys = database["keys"]
        self._free_per_address = free_per_address
        self._key: bytes | None = None

    async def admit(self, email: str, address: str | None) -> None:
        """Counts an attempt as the account's failure, before its password is looked at: many at once are no way around.

        Raises the 429 problem, and counts nothing, while the account or the address has to wait.
        """
        now = datetime.now(UTC)
        if address is not None:
            of_address = await self._failures.find_one({"_id": await self._id("address", address)})
            _check(of_address, self._free_per_address, now)
        account = await self._id("account", email)
        while True:
            known = await self._failures.find_one({"_id": account})
            _check(known, FREE_PER_ACCOUNT, now)
            if await self._count(account, known, now):
                return

    async def _count(self, id: str, known: Document | None, now: datetime) -> bool:
        """False if another attempt was counted meanwhile."""
        if known is None:
            try:
                await self._failures.insert_one({"_id": id, "failures": 1, "last_at": now})
            except DuplicateKeyError:
                return False
            return True
        change = {"$inc": {"failures": 1}, "$max": {"last_at": now}}
        return bool((await self._failures.update_one(known, change)).matched_count)

    async def failed(self, address: str | None) -> None:
        """The password was wrong: that is the address's failure too."""
        if address is not None:
            change = {"$inc": {"failures": 1}, "$max": {"last_at": datetime.now(UTC)}}
            await self._failures.update_one({"_id": await self._id("address", address)}, change, upsert=True)

    async def not_looked_at(self, email: str) -> None:
        """Takes the attempt back: the password was not looked at."""
        await self._failures.update_one({"_id": await self._id("account", email)}, {"$inc": {"failures": -1}})

    async def forget(self, email: str) -> None:
        """Forgets the account's failures: its password was right, or it is erased."""
        await self._failures.delete_one({"_id": await self._id("account", email)})

    async def _id(self, kind: str, name: str) -> str:
        if self._key is None:
            new = {"$setOnInsert": {"key": secrets.token_bytes(32)}}
            kept = await self._keys.find_one_and_update({"_id": _KEY}, new, upsert=True, return_document=True)
            self._key = kept["key"]
        return digest(self._key, f"{kind}\n{name}".encode(), sha256).hex()


def _check(known: Document | None, free: int, now: datetime) -> None:
    left = wait(known["failures"], known["last_at"], now, free) if known else timedelta(0)
    if left:
        raise ProblemError(
            429,
            "too-many-failures",
            "There were too many wrong passwords; wait as long as Retry-After says and try again.",
            headers={"Retry-After": str(ceil(left.total_seconds()))},
        )
