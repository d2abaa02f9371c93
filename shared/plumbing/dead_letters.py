"""Taking records out of a service's dead letters.

A topic can only be cut off at its beginning. So what stays is published again behind the old end, and everything up to
there is deleted; a crash in between leaves some records twice, which the next time puts right. A broker that cannot
delete records has its topic deleted and made anew (KAFKA_DELETE_RECORDS=false): there a crash in between costs records.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.contracts.topics import dead_letters
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.scan import Ends, scan
from shared.plumbing.settings import ServiceSettings
from shared.plumbing.topics import ensure_topics

Which = Callable[[Sequence[Record]], Awaitable[set[int]]]
# With the time, because an offset is another record's once a topic was made anew.
_SAME = ("dlq_topic", "dlq_partition", "dlq_offset", "dlq_at")


class DeadLetters:
    """The dead letters of `service`, which only its own consumers add to."""

    def __init__(self, service: str, settings: ServiceSettings, publisher: Publisher) -> None:
        self._topic = dead_letters(service)
        self._servers = settings.kafka_bootstrap_servers
        self._can_delete_records = settings.kafka_delete_records
        self._publisher = publisher
        self._staying: list[Record] | None = None  # taken out of the topic and not back in it yet

    async def remove(self, which: Which) -> None:
        """Removes the records whose places in a sequence `which` names. Nothing is touched if there are none.

        Raises aiokafka.errors.KafkaError; it may then be called again.
        """
        await self._put_back()
        ends: Ends = {}
        found = [bool(await which(records)) async for records in scan(self._servers, [self._topic], ends)]
        if not any(found):
            return
        if self._can_delete_records:
            async for kept in self._kept(which, ends):
                await self._publisher.again(kept)
            await self._delete(ends)
        else:
            self._staying = [record async for kept in self._kept(which, {}) for record in kept]
            await self._empty()
            await self._put_back()

    async def _kept(self, which: Which, ends: Ends) -> AsyncIterator[list[Record]]:
        """What stays, each record once."""
        seen: set[tuple[bytes, ...]] = set()
        async for records in scan(self._servers, [self._topic], ends):
            removed = await which(records)
            kept = []
            for place, record in enumerate(records):
                if place not in removed and (same := _identity(record)) not in seen:
                    seen.add(same)
                    kept.append(record)
            yield kept

    async def _delete(self, ends: Ends) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        try:
            await admin.start()
            await admin.delete_records({partition: RecordsToDelete(end) for partition, end in ends.items()})
        finally:
            await admin.close()

    async def _empty(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        try:
            await admin.start()
            await admin.delete_topics([self._topic.name])
        finally:
            await admin.close()

    async def _put_back(self) -> None:
        if self._staying is not None:
            await ensure_topics(self._servers)
            await self._publisher.again(self._staying)
            self._staying = None


def _identity(record: Record) -> tuple[bytes, ...]:
    """Where the record was before it was a dead letter; its own place if that is not said."""
    said = dict(record.headers)
    found = tuple(value for name in _SAME if (value := said.get(name)))
    return found if len(found) == len(_SAME) else (str(record.partition).encode(), str(record.offset).encode())
