"""A database that keeps nothing and finds nothing, at once: what a loop costs without Mongo, and without encoding BSON.

It knows the calls that the services make on their way to their first records and while they ingest.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from shared.plumbing.mongo import Document

_SALT: Final = {"_id": "salt", "salt": bytes(32)}  # a service asks for what it drew at its first start


@dataclass(frozen=True, slots=True)
class _Written:
    bulk_api_result: Mapping[str, Any] = field(
        default_factory=lambda: {"writeErrors": [], "writeConcernErrors": [], "upserted": [], "nMatched": 0}
    )


class _Found:
    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents

    def sort(self, *_: object) -> "_Found":
        return self

    def limit(self, _: int) -> "_Found":
        return self

    async def to_list(self, _: int | None) -> list[Document]:
        return list(self._documents)

    async def __aiter__(self) -> AsyncIterator[Document]:
        for document in self._documents:
            yield document


class _Collection:
    def find(self, wanted: Document | None = None, *_: object, **__: object) -> _Found:
        return _Found([_SALT] if wanted == {"_id": "salt"} else [])

    def aggregate(self, *_: object, **__: object) -> _Found:
        return _Found([])

    async def find_one(self, *_: object, **__: object) -> None:
        return None

    async def distinct(self, *_: object) -> list[object]:
        return []

    async def update_one(self, *_: object, **__: object) -> _Written:
        return _Written()

    async def bulk_write(self, *_: object, **__: object) -> _Written:
        return _Written()

    async def create_indexes(self, *_: object) -> None:
        return None


class _Database:
    name = "nothing"

    def __getitem__(self, _: str) -> _Collection:
        return _Collection()


class Client:
    """Takes the place of a client of Mongo."""

    def __getitem__(self, _: str) -> _Database:
        return _Database()

    def close(self) -> None:
        """There is nothing to close."""


def connect(url: str) -> Any:  # noqa: ARG001  (Any: it takes the place of the driver's own)
    """Instead of `shared.plumbing.mongo.connect`."""
    return Client()
