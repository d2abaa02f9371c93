"""Publishing: every record is acknowledged by the broker before it counts as published."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import ConsumerRecord

from shared.contracts.build import make_event
from shared.contracts.dashboard import SectionChanged
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Headers
from shared.contracts.reading import AnyEvent, Poison
from shared.contracts.topics import UPDATES, Topic, dead_letters
from shared.contracts.types import Section
from shared.plumbing import header_names as header_names  # see there
from shared.plumbing import metrics, tracing
from shared.plumbing.logs import get
from shared.plumbing.settings import KafkaSettings
from shared.plumbing.tracing import Causes

_CHECK_SECONDS = 2
_STOP_SECONDS = 2
_MAX_REQUEST_BYTES = 32 * 1024 * 1024  # a dead letter is as large as what came, not as what may come

_log = get(__name__)

Record = ConsumerRecord[bytes, bytes]
Outgoing = tuple[str, bytes | None, bytes | None, Headers]


class Publisher:
    """One producer for a process. `start` connects; until then publishing raises KafkaError."""

    def __init__(self, service: str, settings: KafkaSettings) -> None:
        self._service = service
        self._source = f"/mycelium/{service}"
        self._settings = settings
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connects. Raises aiokafka.errors.KafkaError if no broker answers; it may then be called again."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            client_id=self._service,
            acks="all",
            enable_idempotence=self._settings.kafka_enable_idempotence,
            linger_ms=2,
            max_request_size=_MAX_REQUEST_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            await producer.start()
        except BaseException:
            await producer.stop()
            raise
        self._producer = producer

    async def stop(self) -> None:
        """Sends what is under way, unless the broker is away, and disconnects."""
        if self._producer is None:
            return
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._producer.stop()
        except TimeoutError:  # nobody was told that the rest is published
            await self._producer.client.close()

    async def trouble(self) -> str | None:
        """Why nothing can be published right now, in plain words; None if it can."""
        if self._producer is None:
            return "not connected yet"
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._producer.client.fetch_all_metadata()
        except (TimeoutError, KafkaError):
            return "the broker does not answer"
        return None

    async def event(self, topic: Topic, event: AnyEvent) -> None:
        """Publishes one event and waits until the broker has it."""
        await self._events(topic, [event])

    async def sections_changed(
        self, changed: Iterable[tuple[str, Section]], as_of: datetime, causes: Causes | None = None
    ) -> None:
        """Tells the gateways, once for each user and section, that there is something new as of `as_of` (UTC).

        `causes` has what it is new for, where that is followed; without them it is what is under way.
        """
        events = [
            make_event(SectionChanged(user_email=user, section=section, as_of=as_of), source=self._source, time=as_of)
            for user, section in changed
        ]
        await self._events(UPDATES, events, causes)

    async def _events(self, topic: Topic, events: Sequence[AnyEvent], causes: Causes | None = None) -> None:
        with tracing.current().sending(topic.name, events, causes) as told:
            await self.records((topic.name, e.subject.encode(), e.to_json(), (CONTENT_TYPE_HEADER,)) for e in told)

    async def dead_letters(self, poison: Sequence[tuple[Record, Poison]], attempts: int) -> None:
        """Puts records that can never be used where an operator finds them, byte for byte, with the reason."""
        await self.records(
            (
                dead_letters(self._service).name,
                record.key,
                _value_of(record),
                _dead_letter_headers(record, why, attempts),
            )
            for record, why in poison
        )
        _report(poison)

    async def again(self, records: Iterable[Record]) -> None:
        """Publishes records on their topic again, byte for byte and dated as they were, and waits like `records`."""
        if self._producer is None:
            raise KafkaConnectionError("not connected to a broker yet")
        sent = [
            await self._producer.send(
                record.topic, record.value, key=record.key, headers=list(record.headers), timestamp_ms=record.timestamp
            )
            for record in records
        ]
        if sent:
            await asyncio.gather(*sent)

    async def records(self, outgoing: Iterable[Outgoing]) -> None:
        """Publishes records (topic, key, value, headers) in order and waits until the broker has all of them."""
        if self._producer is None:
            raise KafkaConnectionError("not connected to a broker yet")
        sent = [
            await self._producer.send(topic, value, key=key, headers=list(headers))
            for topic, key, value, headers in outgoing
        ]
        if sent:
            await asyncio.gather(*sent)


def _report(poison: Iterable[tuple[Record, Poison]]) -> None:
    """Counts dead letters, and logs one line for each topic and reason: a flood of records is no flood of lines."""
    found: defaultdict[tuple[str, str], list[Record]] = defaultdict(list)
    for record, why in poison:
        found[record.topic, why.reason].append(record)
    for (topic, reason), records in found.items():
        metrics.DEAD_LETTERS.labels(topic, reason).inc(len(records))
        first = {"partition": records[0].partition, "offset": records[0].offset}
        _log.warning("dead_lettered", topic=topic, reason=reason, records=len(records), **first)


def _value_of(record: Record) -> bytes | None:
    """The client sends no record that has neither key nor value; an empty value stands for none there."""
    return b"" if record.key is None and record.value is None else record.value


def _dead_letter_headers(record: Record, why: Poison, attempts: int) -> list[tuple[str, bytes]]:
    added = {
        "dlq_reason": why.reason,
        "dlq_error": why.error,
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_attempts": str(attempts),
        "dlq_at": datetime.now(UTC).isoformat(),
    }
    return [*record.headers, *((name, value.encode()) for name, value in added.items())]
