"""The outbox: a change and the event that tells of it are stored in one document write, and published afterwards.

A document that has something to tell carries it in its `outbox` array, oldest first. The relay publishes and then
removes; a crash between the two publishes the same event again, with the same identity, which changes nothing.
"""

import asyncio
import time
from typing import Any

from aiokafka.errors import KafkaError
from pymongo import IndexModel
from pymongo.errors import PyMongoError

from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event, Payload
from shared.contracts.topics import Topic
from shared.plumbing import metrics, tracing
from shared.plumbing.logs import get
from shared.plumbing.mongo import Database, Document
from shared.plumbing.publish import Publisher
from shared.plumbing.tracing import Trace, trace_of
from shared.plumbing.waiting import set_within

INDEX = IndexModel([("outbox.id", 1)], name="outbox", sparse=True)
_WAITING = {"outbox.id": {"$exists": True}}
_PAGE = 500
_POLL_SECONDS = 1.0
_CHECK_SECONDS = 2
_log = get(__name__)


def entry(topic: Topic, event: Event[Payload]) -> Document:
    """The element of an `outbox` array that makes the relay publish `event` on `topic`."""
    event = tracing.current().made_here(event)
    told = {"id": event.id, "topic": topic.name, "key": event.subject, "value": event.to_json()}
    return told | {"trace": list(trace)} if (trace := trace_of(event)) else told


class Relay:
    """Publishes what stands in the outboxes of some collections, each document's entries in their order."""

    def __init__(self, database: Database, collections: tuple[str, ...], publisher: Publisher) -> None:
        self._collections = [database[name] for name in collections]
        self._publisher = publisher
        self._stopping = asyncio.Event()
        self._something_new = asyncio.Event()
        self._empty_at = time.monotonic()

    def wake(self) -> None:
        """Says that something was just put into an outbox, so that it is published at once."""
        self._something_new.set()

    def stop(self) -> None:
        """Ends `run` once what stands in the outboxes now is published, or cannot be."""
        self._stopping.set()
        self._something_new.set()

    async def run(self) -> None:
        """Publishes until `stop`, and once more then. Waits for a server that is away; removes nothing unpublished."""
        while not self._stopping.is_set():
            await self._publish_all()
            await set_within(self._something_new, _POLL_SECONDS)
            self._something_new.clear()
        await self._publish_all()

    async def pending(self) -> int | None:
        """How many documents have events that are not published yet; None while that cannot be known."""
        metrics.OUTBOX_AGE_SECONDS.set(time.monotonic() - self._empty_at)
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                counts = [await c.count_documents(_WAITING, hint="outbox") for c in self._collections]
        except (TimeoutError, PyMongoError):
            return None
        metrics.OUTBOX_PENDING.set(sum(counts))
        return sum(counts)

    async def _publish_all(self) -> None:
        looked_at = time.monotonic()
        try:
            for collection in self._collections:
                while waiting := await collection.find(_WAITING, {"outbox": 1}, hint="outbox").to_list(_PAGE):
                    await self._publish(collection, waiting)
            self._empty_at = looked_at
        except (PyMongoError, KafkaError) as error:
            _log.warning("outbox_waits", error=type(error).__name__)

    async def _publish(self, collection: Any, documents: list[Document]) -> None:  # Any: a driver's collection
        for document in documents:
            entries = document["outbox"]
            followed = [(e["topic"], Trace(*e["trace"])) for e in entries if "trace" in e]
            with tracing.current().relaying(followed):
                await self._publisher.records(
                    (e["topic"], e["key"].encode(), e["value"], (CONTENT_TYPE_HEADER,)) for e in entries
                )
            published = {"$in": [e["id"] for e in entries]}
            await collection.update_one({"_id": document["_id"]}, {"$pull": {"outbox": {"id": published}}})
