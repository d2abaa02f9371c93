"""The users' data keys in Mongo, each wrapped with a key-encrypting key (KEK).

A key is read whenever it is used and never kept: once it is deleted, no process can open or seal with it any more.
"""

from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime
from typing import Final

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError

from services.purchases.vault.envelope import DataKey, KekError, Keks
from shared.plumbing.logs import get
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document

INDEXES: Final = {"data_keys": [IndexModel([("kek", ASCENDING), ("_id", ASCENDING)], name="kek")]}
_PAGE = 100
_log = get(__name__)


class DataKeys:
    """One key for each user, made when it is first needed."""

    def __init__(self, database: Database, keks: Keks) -> None:
        self._collection = database["data_keys"]
        self._keks = keks

    async def of(self, users: Set[str]) -> dict[str, DataKey]:
        """The key of each user; those that are missing are made, one only however many processes make it.

        Raises KekError, or pymongo.errors.PyMongoError.
        """
        found = await self._read(users)
        while missing := users - found.keys():
            await self._make(missing)
            found |= await self._read(missing)
        return found

    async def known(self, user: str) -> DataKey | None:
        """The key of a user who has one. Raises KekError."""
        return (await self._read({user})).get(user)

    async def forget(self, user: str) -> int:
        """Deletes the user's key: what was sealed with it cannot be opened again, wherever it is kept.

        How many there were: 0 or 1.
        """
        return int((await self._collection.delete_one({"_id": user})).deleted_count)

    async def check(self) -> None:
        """Unwraps one key of each KEK. Raises KekError, or ConnectionError if the database does not answer."""
        try:
            for kek in await self._collection.distinct("kek"):
                if document := await self._collection.find_one({"kek": kek}):
                    self._unwrap(document)
        except PyMongoError as error:
            raise ConnectionError("the data keys cannot be read") from error
        except KekError as error:
            _log.error("keks_do_not_fit", why=str(error))
            raise

    async def to_rewrap(self) -> int:
        """How many keys are not wrapped with the current KEK."""
        count: int = await self._collection.count_documents({"kek": {"$ne": self._keks.current}}, hint="kek")
        return count

    async def rewrap(self) -> AsyncIterator[int]:
        """Wraps all that is wrapped with an older KEK with the current one. Yields after each page: how many it had.

        Keys can be used meanwhile, and other processes may do the same. Whatever cannot be unwrapped stays as it is.
        """
        for kek in self._keks.others:
            last = ""
            while page := await self._page(kek, last):
                if writes := [write for document in page if (write := self._rewrapping(document))]:
                    await self._collection.bulk_write(writes, ordered=False)
                last = page[-1]["_id"]
                yield len(page)

    async def _page(self, kek: str, after: str) -> list[Document]:
        wanted = {"kek": kek, "_id": {"$gt": after}}
        found: list[Document] = await self._collection.find(wanted).sort("_id", ASCENDING).limit(_PAGE).to_list(_PAGE)
        return found

    def _rewrapping(self, document: Document) -> UpdateOne | None:
        """Finds nothing if the key was deleted, replaced or rewrapped meanwhile."""
        try:
            wrapped = self._keks.wrap(self._unwrap(document))
        except KekError:
            _log.error("data_key_not_rewrapped", kek=document["kek"])
            return None
        as_it_was = {name: document[name] for name in ("_id", "id", "kek")}
        return UpdateOne(as_it_was, {"$set": {"kek": self._keks.current, "wrapped": wrapped}})

    async def _read(self, users: Set[str]) -> dict[str, DataKey]:
        found = self._collection.find({"_id": {"$in": list(users)}})
        return {document["_id"]: self._unwrap(document) async for document in found}

    async def _make(self, users: Set[str]) -> None:
        """Another process may have been quicker; its keys are the ones that count."""
        now = datetime.now(UTC)
        keys = [DataKey.generate(user) for user in users]
        try:
            await self._collection.insert_many([self._document(key, now) for key in keys], ordered=False)
        except BulkWriteError as error:
            details = error.details
            if any(e["code"] != DUPLICATE_KEY for e in details["writeErrors"]) or details["writeConcernErrors"]:
                raise

    def _document(self, key: DataKey, now: datetime) -> Document:
        wrapped = self._keks.wrap(key)
        return {"_id": key.user, "id": key.id, "kek": self._keks.current, "wrapped": wrapped, "created": now}

    def _unwrap(self, document: Document) -> DataKey:
        return self._keks.unwrap(document["_id"], document["id"], document["kek"], document["wrapped"])
