"""One way to bring events from Kafka into Mongo, in a process of its own: `bench.contender SERVICE WAY NAME COUNT`.

Each reads the service's topics from the start as the consumer group NAME, batches of 1,000 where there are batches, and
writes to the database NAME with the service's indexes, driver and write concern, on uvloop. After COUNT records it
prints what the probe measured. The ways:

- `ours`: the consumer of the service as its `main` builds it. It validates each event, heeds the consents and the
  erasures, drops duplicates, merges so that any order gives the same, says `section.changed` and commits. What the
  service does beside that (working out overviews, say) is left out, and is measured by itself elsewhere.
- `bare`: aiokafka and orjson, and the writes of `bench.bare`: as many, of documents of the same shape and size.
- `ours-alone`, `bare-alone`: the same two with a database that keeps nothing (`bench.nothing`).
- `faststream-batch`: the bare loop's body in a FastStream batch subscriber that decodes nothing.
- `faststream`: what FastStream's documentation shows: a handler of a pydantic model, called for each message, with the
  default acknowledgement; it inserts one document. Of the activity service only.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.annotations import KafkaMessage as Received
from faststream.kafka.message import KafkaAckableMessage
from pydantic import BaseModel

from bench import nothing
from bench.bare import ACTIVITY_TYPES, activity_document
from bench.contestants import CONTESTANTS, Contestant
from bench.probe import Measured, Probe
from shared.plumbing import mongo
from shared.plumbing.consume import Consumer
from shared.plumbing.mongo import Database
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import collect_garbage_rarely
from shared.plumbing.settings import ServiceSettings, load

ALONE: Final = "-alone"
_BATCH = 1_000

Record = ConsumerRecord[bytes, bytes]


@dataclass(frozen=True)
class Job:
    """What a contender is given; the probe ends it."""

    service: Contestant
    settings: ServiceSettings
    name: str
    probe: Probe

    @property
    def topics(self) -> tuple[str, ...]:
        """The service's."""
        return tuple(topic.name for topic in self.service.topics)

    @property
    def consumer_options(self) -> dict[str, Any]:  # Any: keyword arguments
        """What is the same for everyone who makes a consumer."""
        return {
            "group_id": self.name,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": self.settings.kafka_session_timeout_ms,
            "heartbeat_interval_ms": self.settings.kafka_heartbeat_interval_ms,
        }

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """The database to write to, with the service's indexes."""
        client = mongo.connect(self.settings.mongo_url)
        database = client[self.name]
        await mongo.ensure_indexes(database, self.service.indexes)
        yield database
        client.close()

    async def write(self, database: Database, records: Iterable[Record]) -> None:
        """What the bare loop does with a batch."""
        await self.service.write(database, [orjson.loads(record.value or b"") for record in records])


async def _ours(job: Job) -> Measured:
    main: Any = job.service.main  # Any: a module
    main.NAME = job.name  # the name of its consumer group and of its database
    app = main.build_app(job.settings)
    runtime: Runtime = app.state.runtime
    runtime._jobs = [each for each in runtime._jobs if isinstance(each, Consumer)]
    async with runtime.lifespan(app):
        through, ended = asyncio.create_task(job.probe.through()), asyncio.create_task(runtime.ended.wait())
        await asyncio.wait((through, ended), return_when=asyncio.FIRST_COMPLETED)
        if runtime.failure:
            raise runtime.failure
        return await through


async def _bare(job: Job) -> Measured:
    kafka = job.settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(*job.topics, bootstrap_servers=kafka, enable_auto_commit=False, **job.consumer_options)
    async with job.database() as database, consumer:
        while not job.probe.is_through():
            fetched = await consumer.getmany(timeout_ms=250, max_records=_BATCH)
            if fetched:
                await job.write(database, (record for records in fetched.values() for record in records))
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in fetched.items()})
    return await job.probe.through()


async def _faststream_batch(job: Job) -> Measured:
    broker = KafkaBroker(job.settings.kafka_bootstrap_servers, logger=None)

    async def parse(records: tuple[Record, ...]) -> KafkaMessage:
        return KafkaAckableMessage(raw_message=records, body=records, consumer=subscriber.consumer)

    async def decode(message: KafkaMessage) -> object:
        return message.body

    subscriber = broker.subscriber(
        *job.topics,
        batch=True,
        max_records=_BATCH,
        ack_policy=AckPolicy.MANUAL,
        parser=parse,
        decoder=decode,
        **job.consumer_options,
    )
    async with job.database() as database:

        @subscriber  # type: ignore[untyped-decorator]
        async def handle(message: Received) -> None:
            records = message.raw_message
            assert isinstance(records, tuple)
            assert subscriber.consumer is not None
            await job.write(database, records)
            await subscriber.consumer.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records})

        return await _run(broker, job)


class _Event(BaseModel):
    id: str
    source: str
    type: str
    time: datetime
    data: dict[str, Any]  # any JSON


async def _faststream(job: Job) -> Measured:
    broker = KafkaBroker(job.settings.kafka_bootstrap_servers, logger=None)

    async def decode(message: KafkaMessage) -> object:
        """The stock decoder does not know that `application/cloudevents+json` is JSON."""
        return orjson.loads(message.body)

    async with job.database() as database:

        @broker.subscriber(*job.topics, decoder=decode, **job.consumer_options)  # type: ignore[untyped-decorator]
        async def handle(event: _Event) -> None:
            if event.type in ACTIVITY_TYPES:
                await database["activities"].insert_one(activity_document(event.model_dump(), event.time))
            job.probe.handled_one()

        return await _run(broker, job)


async def _run(broker: KafkaBroker, job: Job) -> Measured:
    async with broker:
        await broker.start()
        return await job.probe.through()


WAYS: Final[Mapping[str, Callable[[Job], Awaitable[Measured]]]] = {
    "ours": _ours,
    "bare": _bare,
    "faststream-batch": _faststream_batch,
    "faststream": _faststream,
}


async def _main(service: str, way: str, name: str, count: int) -> Measured:
    if way.endswith(ALONE):
        mongo.connect = nothing.connect
    probe = Probe(count)
    probe.install()
    contestant = CONTESTANTS[service]
    return await WAYS[way.removesuffix(ALONE)](Job(contestant, load(contestant.settings), name, probe))


if __name__ == "__main__":
    service, way, name, count = sys.argv[1:]
    collect_garbage_rarely()  # as the services do; for all, because here each has imported what the others need
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(asdict(runner.run(_main(service, way, name, int(count))))).decode())
