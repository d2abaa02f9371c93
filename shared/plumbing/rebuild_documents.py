"""Rebuilding: documents of the live database beside those of the shadow, and put right where they differ."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from shared.plumbing.erasure import erase_again
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document
from shared.plumbing.publish import Publisher
from shared.plumbing.rebuild_parts import Expected, Pair, Part
from shared.plumbing.rebuild_shadow import Plan, Shadow, expires, is_expired
from shared.plumbing.tombstones import Tombstone, Tombstones


class Seen(NamedTuple):
    """A document as it was read from both databases, and what it should be."""

    part: Part
    id: Any  # an _id
    live: Document | None
    shadow: Document | None
    expected: Expected

    @property
    def is_right(self) -> bool:
        """Whether there is nothing to put right."""
        return self.part.is_same(self.live, self.expected.document)


class Documents:
    """The documents of one service. `oldest` is everywhere the time from which on the topics hold every event.

    Every method may raise pymongo.errors.PyMongoError.
    """

    def __init__(self, plan: Plan, live: Database, shadow: Shadow, publisher: Publisher) -> None:
        self._plan = plan
        self._live = live
        self._shadow = shadow
        self._publisher = publisher
        self._tombstones = Tombstones(live)

    async def prepare(self) -> None:
        """For the start: reads what tombstones are found by."""
        await self._tombstones.prepare()

    async def live(self, part: Part, where: Document) -> dict[Any, Document]:
        """The service's documents, by `_id`."""
        return await _read(self._live, part, where)

    async def beside(self, part: Part, where: Document, live: Mapping[Any, Document], oldest: int) -> list[Seen]:
        """The service's documents beside the shadow's, without those that the database is about to remove."""
        shadow = await _read(self._shadow.database, part, where)
        rule, now = expires(self._plan, part.collection), datetime.now(UTC)
        seen = []
        for id in {**live, **shadow}:  # noqa: A001
            one, other = live.get(id), shadow.get(id)
            if not (is_expired(one, rule, now) or is_expired(other, rule, now)):
                seen.append(Seen(part, id, one, other, part.expect(one, other, oldest)))
        return seen

    async def restless(self, part: Part, every: Sequence[Seen]) -> set[Any]:
        """The documents that are not as they were read, have an event to publish, or whose user comes or leaves."""
        now = await self.live(part, {"_id": {"$in": [seen.id for seen in every]}})
        changed = {s.id for s in every if s.live != now.get(s.id) or (s.live or {}).get("outbox")}
        return changed | await self._whose_leaving_is_not_settled(part, every)

    async def surplus(self, part: Part, every: Sequence[Seen]) -> set[Any]:
        """Those that only one of the two has, and whose absence or presence is no mistake."""
        return await part.surplus([_either(seen) for seen in every if seen.live is None or seen.shadow is None])

    async def follow(self, part: Part, right: Iterable[Seen]) -> None:
        """Has what follows from right documents worked out again."""
        await self._plan.written(part.collection, [Pair(seen.live, seen.live) for seen in right if seen.live])

    async def put_right(self, part: Part, wrong: Sequence[Seen]) -> set[Any]:
        """Writes what is still as it was read, and tells the gateways whose; the ids of what was not.

        Raises BusyError if the lease was lost, and aiokafka.errors.KafkaError.
        """
        await part.complete([document for seen in wrong if (document := seen.expected.document)])
        pairs = [Pair(seen.live, seen.expected.document) for seen in wrong]
        await self._plan.written(part.collection, pairs)  # before, too: if this ends in between, nothing is forgotten
        await self._shadow.hold()
        late = await self._write(part, wrong)
        done = [pair for seen, pair in zip(wrong, pairs, strict=True) if seen.id not in late]
        await self._plan.written(part.collection, done)
        await self._tell(part, await self._erase_the_gone(part, [pair.either for pair in done]))
        return late

    async def _write(self, part: Part, wrong: Sequence[Seen]) -> set[Any]:
        try:
            await self._live[part.collection].bulk_write([_change(seen) for seen in wrong], ordered=False)
        except BulkWriteError as error:
            if any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"]):
                raise
        now = await self.live(part, {"_id": {"$in": [seen.id for seen in wrong]}})
        return {seen.id for seen in wrong if not part.is_same(now.get(seen.id), seen.expected.document)}

    async def _whose_leaving_is_not_settled(self, part: Part, every: Sequence[Seen]) -> set[Any]:
        """The documents of users of whose leaving or coming back only one of the two databases has heard."""
        whose = {seen.id: part.whose(_either(seen)) for seen in every}
        users = {user for user in whose.values() if user}
        live = await self._tombstones.of(self._tombstones.ids(users))
        shadow = await self._shadow.tombstones.of(self._shadow.tombstones.ids(users))
        unsure = {user for user in live.keys() | shadow.keys() if _told(live.get(user)) != _told(shadow.get(user))}
        return {key for key, user in whose.items() if user in unsure}

    async def _erase_the_gone(self, part: Part, documents: Iterable[Document]) -> set[str]:
        """As every writer does: whoever was erased while something of theirs was written is erased again.

        Returns the users of the documents who are not gone.
        """
        users = {user for document in documents if (user := part.whose(document))}
        found = await self._tombstones.of(self._tombstones.ids(users))
        gone = {user for user, tombstone in found.items() if tombstone.is_gone}
        for user in gone:
            await erase_again(self._tombstones, self._plan.erase, user)
        return users - gone

    async def _tell(self, part: Part, users: Iterable[str]) -> None:
        told = [(user, section) for user in users for section in part.sections]
        await self._publisher.sections_changed(told, datetime.now(UTC))


async def _read(database: Database, part: Part, where: Document) -> dict[Any, Document]:
    return {d["_id"]: d for d in await database[part.collection].find(where).to_list(None)}


def _either(seen: Seen) -> Document:
    return Pair(seen.live, seen.shadow).either


def _told(tombstone: Tombstone | None) -> tuple[int, int | None] | None:
    return (tombstone.erased_at, tombstone.registered_at) if tombstone else None


def _change(seen: Seen) -> InsertOne[Document] | ReplaceOne[Document] | DeleteOne:
    """Takes effect only on the document that was read, down to the last member."""
    document = seen.expected.document
    if seen.live is None:
        assert document is not None  # noqa: S101  (else there would be no difference)
        return InsertOne(document)
    as_read = {"_id": seen.id, "$expr": {"$eq": ["$$ROOT", {"$literal": seen.live}]}}
    return DeleteOne(as_read) if document is None else ReplaceOne(as_read, document)
