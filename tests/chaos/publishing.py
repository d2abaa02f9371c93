"""Publishers as the contract wants them: they await each acknowledgement, and publish again what they have none for."""

import asyncio
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata, TopicPartition

from tests.chaos.load import Outgoing

_AT_ONCE: Final = 500
_AGAIN_SECONDS: Final = 0.3
_LARGEST: Final = 32 * 1024 * 1024
_TIMEOUT_MS: Final = 5_000  # how long the client itself goes on trying


class Publishing:
    """Publishes `records` in their order, as far as it is allowed to. `sent` counts how often each was handed over.

    `acknowledged` has where the broker says that each is: by the record's place in `records`. `allowed` are the first
    so many of these.
    """

    def __init__(self, kafka: str, records: Sequence[Outgoing], *, idempotence: bool) -> None:
        self._kafka, self._records, self._idempotence = kafka, records, idempotence
        self._waiting: deque[int] = deque()
        self.allowed = 0
        self._wanted = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._broker = asyncio.Event()
        self.sent: Counter[int] = Counter()
        self.acknowledged: dict[int, tuple[TopicPartition, int]] = {}
        self.again = 0

    def allow(self, number: int) -> None:
        """Lets the first `number` records be published from now on."""
        self._waiting += range(self.allowed, number)
        self.allowed = max(self.allowed, number)
        self._wanted.set()

    @property
    def is_done(self) -> bool:
        """Whether all that was allowed is acknowledged."""
        return len(self.acknowledged) == self.allowed

    def broker_is_there(self) -> None:
        """Publishes from now on. The topics are made: a broker that is asked for others makes them as it likes."""
        self._broker.set()

    async def broker_is_gone(self, stored_up_to: Mapping[TopicPartition, int]) -> None:
        """Publishes again, once there is a broker, all that the one that has just gone had and nobody had stored.

        What its groups had committed is `stored_up_to`; all acknowledgements of it are void.
        """
        self._broker.clear()
        if self._sending:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        lost = [n for n, (where, at) in self.acknowledged.items() if at >= stored_up_to.get(where, 0)]
        for number in lost:
            del self.acknowledged[number]
        self._waiting.extendleft(sorted(lost, reverse=True))
        self.acknowledged = {number: (TopicPartition("", 0), -1) for number in self.acknowledged}
        self._wanted.set()

    async def run(self) -> None:
        """Publishes until it is cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting:
                await self._broker.wait()
                self._sending = asyncio.create_task(self._with_one_producer())
                await asyncio.wait([self._sending])
                if not self._sending.cancelled() and (error := self._sending.exception()):
                    if not isinstance(error, KafkaError | OSError):
                        raise error
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def _with_one_producer(self) -> None:
        """Until all is published, or this producer cannot go on; the next one then begins with what has no answer."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._kafka,
            client_id="chaos",
            acks="all",
            enable_idempotence=self._idempotence,
            linger_ms=20,
            max_request_size=_LARGEST,
            request_timeout_ms=_TIMEOUT_MS,
        )
        try:
            await producer.start()
            while self._waiting:
                number = min(_AT_ONCE, len(self._waiting))
                await self._publish(producer, [self._waiting.popleft() for _ in range(number)])
        finally:
            await _end(producer)

    async def _publish(self, producer: AIOKafkaProducer, numbers: Sequence[int]) -> None:
        futures: list[asyncio.Future[RecordMetadata]] = []
        try:
            for number in numbers:
                topic, key, value, headers = self._records[number]
                self.again += self.sent[number] > 0
                self.sent[number] += 1
                futures.append(await producer.send(topic, value, key=key, headers=list(headers)))
            answers = await asyncio.gather(*futures, return_exceptions=True)
            for number, answer in zip(numbers, answers, strict=True):
                if not isinstance(answer, BaseException):
                    self.acknowledged[number] = (answer.topic_partition, answer.offset)
        finally:
            self._waiting.extendleft(n for n in reversed(numbers) if n not in self.acknowledged)
        if errors := [answer for answer in answers if isinstance(answer, BaseException)]:
            raise errors[0]


async def _end(producer: AIOKafkaProducer) -> None:
    """What it could not send in a second is for the next one."""
    try:
        async with asyncio.timeout(1):
            await producer.stop()
    except (TimeoutError, KafkaError):
        await producer._sender.close()  # there is no public way to end one whose broker is away
        await producer.client.close()
