"""Tombstones: what is kept of a user who was erased, so that nothing of theirs comes back. No email is in them.

One document per erased user: `_id` is a hash of the email, salted with what the service drew at its first start.
Times are whole microseconds since 1970 in UTC.
"""

import hmac
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, Self

from pymongo.errors import DuplicateKeyError

from shared.plumbing.mongo import Database, Document

COLLECTION = "tombstones"
_MOST_MISSED = 200  # of a user; the newest
_SALT_ID = "salt"
_SALT_BYTES = 32
_REMEMBERED = 50_000  # hashes of users who keep coming: half of what looking for tombstones costs

Ids = Mapping[bytes, str]  # the users of a batch by the hashes of their emails
Place = tuple[int, str, int, int]  # of a record: when what it tells happened, its topic, partition and offset


class Tombstone(NamedTuple):
    """A user was erased at `erased_at`, and is gone until `registered_at`, their first registration after it.

    All that was kept from before `done` is removed; `removed` counts the documents of a removal that is under way.
    `again` says that what slipped in since is being removed. `missed` are records of after the erasure that were
    dropped, in the order of their times: they count if a registration that is still to come was before them.
    """

    erased_at: int
    registered_at: int | None = None
    done: int | None = None
    removed: int = 0
    again: bool = False
    missed: tuple[Place, ...] | None = None

    @property
    def is_gone(self) -> bool:
        """Whether they have not registered anew."""
        return self.registered_at is None

    def forbids(self, at: int) -> bool:
        """Whether nothing of theirs that happened at that time may be stored, now or ever."""
        return self.registered_at is None or at < self.registered_at

    def is_done(self, at: int) -> bool:
        """Whether an erasure of that time was carried out."""
        return self.done is not None and at <= self.done

    def erased(self, at: int) -> Self:
        """After an erasure at that time: a later registration stays, an earlier one is over."""
        erased_at = max(at, self.erased_at)
        still = self.registered_at if self.registered_at is not None and self.registered_at > erased_at else None
        return self._replace(erased_at=erased_at, registered_at=still)

    def registered(self, at: int) -> Self:
        """After a registration at that time. One before the erasure says nothing; of several the first one counts."""
        if at <= self.erased_at:
            return self
        return self._replace(registered_at=at if self.registered_at is None else min(at, self.registered_at))

    def carried_out(self, at: int) -> Self:
        """After everything from before that time was removed."""
        return self._replace(done=max(at, self.done or at), removed=0)

    def is_quiet(self) -> bool:
        """Whether nothing is being removed, nor still to be."""
        return self.is_done(self.erased_at) and not self.again

    def reopened(self, at: int) -> Self:
        """After a registration at that time, if nothing is being removed; unchanged otherwise."""
        return self.registered(at) if self.is_quiet() else self

    def missing(self, places: Iterable[Place]) -> Self:
        """After these records were dropped; unchanged as to those that it does not forbid (any more)."""
        dropped = {place for place in places if place[0] > self.erased_at and self.forbids(place[0])}
        missed = sorted(dropped.union(self.missed or ()))[-_MOST_MISSED:]
        return self._replace(missed=tuple(missed) or None)

    @property
    def made_up_for(self) -> tuple[Place, ...]:
        """Those of the missed records that count now."""
        return tuple(place for place in self.missed or () if not self.forbids(place[0]))

    def made_good(self, places: Collection[Place]) -> Self:
        """After these records were stored."""
        return self._replace(missed=tuple(place for place in self.missed or () if place not in places) or None)

    def removing(self, documents: int) -> Self:
        """After so many more documents were removed."""
        return self._replace(removed=self.removed + documents)


class Tombstones:
    """The tombstones of one service, in its own database. Every method may raise pymongo.errors.PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._collection = database[COLLECTION]
        self._salt = b""
        self._id = lru_cache(_REMEMBERED)(self._hash)

    async def prepare(self) -> None:
        """Reads the salt, unless it was read; draws it if there is none."""
        if self._salt:
            return
        drawn = {"$setOnInsert": {"salt": secrets.token_bytes(_SALT_BYTES)}}
        with suppress(DuplicateKeyError):  # another process was quicker; its salt counts
            await self._collection.update_one({"_id": _SALT_ID}, drawn, upsert=True)
        async for kept in self._collection.find({"_id": _SALT_ID}):
            self._salt = kept["salt"]

    def ids(self, users: Iterable[str]) -> Ids:
        """The users by the hashes of their emails, which have to be normalised."""
        return {self._id(user): user for user in users}

    async def of(self, ids: Ids) -> dict[str, Tombstone]:
        """The tombstones that there are, by user."""
        if not ids:
            return {}
        found = await self._collection.find({"_id": {"$in": list(ids)}}).to_list(None)
        return {ids[document["_id"]]: _tombstone(document) for document in found}

    async def erased(self, user: str, at: int) -> Tombstone:
        """Notes an erasure of that time; the tombstone as it is then."""
        noted = await self._change(user, lambda known: known.erased(at) if known else Tombstone(at))
        return noted or Tombstone(at)

    async def change(self, user: str, how: Callable[[Tombstone], Tombstone]) -> Tombstone | None:
        """Replaces the user's tombstone by what `how` makes of it; None, and nothing is done, if there is none."""
        return await self._change(user, lambda known: how(known) if known else None)

    async def _change(self, user: str, how: Callable[[Tombstone | None], Tombstone | None]) -> Tombstone | None:
        """One that another process changed meanwhile is changed again."""
        while True:
            key = self._id(user)
            document = await self._collection.find_one({"_id": key})
            known = _tombstone(document) if document else None
            new = how(known)
            if new is None or new == known or await self._write(key, known, new):
                return new

    async def _write(self, key: bytes, known: Tombstone | None, new: Tombstone) -> bool:
        document: Document = {"_id": key, **new._asdict()}
        if known is not None:
            written = await self._collection.replace_one({"_id": key, **known._asdict()}, document)
            return bool(written.matched_count)
        try:
            await self._collection.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    def _hash(self, user: str) -> bytes:
        if not self._salt:
            raise RuntimeError("the salt was not read: call prepare first")
        return hmac.digest(self._salt, user.encode(), "sha256")


def _tombstone(document: Document) -> Tombstone:
    missed = document.get("missed")  # older tombstones have none
    known = {name: document[name] for name in Tombstone._fields if name != "missed"}
    return Tombstone(**known, missed=missed and tuple(tuple(place) for place in missed))
