"""Publishing events with their acknowledgements, and the ledger of what was acknowledged."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import BinaryIO

from aiokafka import AIOKafkaProducer

from mycelium.simulator.diary import Entry
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import Topic
from shared.plumbing import tracing
from shared.plumbing.topics import ensure_topics

_MAX_IN_FLIGHT = 2_000
_BATCH_BYTES = 262_144


class Publisher:
    """Sends events in order, with a bounded number of them under way. `count` is how many the broker has.

    Several tasks may send: the topics and the ledger have the events in the order of the calls.
    """

    def __init__(self, producer: AIOKafkaProducer, ledger: BinaryIO | None = None) -> None:
        self._producer, self._ledger = producer, ledger
        self._in_flight: deque[tuple[asyncio.Future[object], bytes]] = deque()
        self._turn = asyncio.Lock()
        self.count = 0

    async def send(self, topic: Topic, event: AnyEvent) -> None:
        """Hands one event to the broker; it is acknowledged later. Raises KafkaError if one sent before failed."""
        async with self._turn:
            with tracing.current().sending(topic.name, [event]) as [told]:
                value, key = told.to_json(), told.subject.encode()
                sent = await self._producer.send(topic.name, value, key=key, headers=[CONTENT_TYPE_HEADER])
            self._in_flight.append((sent, b'%b,"topic":"%b"}\n' % (value[:-1], topic.name.encode())))
            while self._in_flight and (len(self._in_flight) > _MAX_IN_FLIGHT or self._in_flight[0][0].done()):
                await self._settle_oldest()

    async def settle(self) -> None:
        """Waits until the broker has all that was sent and the ledger says so. Raises KafkaError if it refused one."""
        async with self._turn:
            while self._in_flight:
                await self._settle_oldest()

    async def _settle_oldest(self) -> None:
        sent, line = self._in_flight.popleft()
        await sent
        self.count += 1
        if self._ledger:
            self._ledger.write(line)


@asynccontextmanager
async def publisher(
    kafka: str, *, client_id: str = "simulator", idempotence: bool = True, ledger: BinaryIO | None = None
) -> AsyncIterator[Publisher]:
    """A publisher to the brokers at `kafka`, with the topics made; what was sent is settled on leaving.

    Raises aiokafka.errors.KafkaError if the brokers cannot be reached.
    """
    await ensure_topics(kafka)
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        client_id=client_id,
        acks="all",
        enable_idempotence=idempotence,
        linger_ms=20,
        max_batch_size=_BATCH_BYTES,
    )
    try:
        await producer.start()
        publishing = Publisher(producer, ledger)
        yield publishing
        await publishing.settle()
    finally:
        await producer.stop()


async def publish(entries: Iterable[Entry], kafka: str, *, idempotence: bool = True) -> int:
    """Publishes all of `entries` in order; how many there were. Raises aiokafka.errors.KafkaError."""
    async with publisher(kafka, idempotence=idempotence) as publishing:
        for topic, event in entries:
            await publishing.send(topic, event)
    return publishing.count
