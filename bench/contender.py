"""One way to bring events from Kafka into Mongo, in a process of its own: `python -m bench.contender WAY NAME COUNT`.

Each reads the activity service's topics from the start as the consumer group NAME, batches of 1,000 where there are
batches, and writes to the database NAME with the service's indexes, driver and write concern, on uvloop. After COUNT
records it prints what the probe measured. The ways:

- `ours`: the service as `services.activity.main` builds it. It validates each event, makes an activity of it, heeds
  the consents, drops duplicates, trims timelines, says `section.changed` and commits.
- `bare`: aiokafka and orjson. It writes a document of the same shape and size for every event of a type that the
  service uses, with the same bulk write, and commits. It believes whatever comes: no validation, no dead letters, no
  consent, no duplicates (it fails on one), no trimming, no `section.changed`.
- `faststream_batch`: the bare loop's body in a FastStream batch subscriber that decodes nothing.
- `faststream`: what FastStream's documentation shows: a handler of a pydantic model, called for each message, with the
  default acknowledgement; it inserts one document.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
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
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from bench.probe import Measured, Probe
from services.activity import main as activity
from services.activity.consumer import TOPICS
from services.activity.domain.activity import USED_PAYLOADS
from services.activity.settings import Settings
from services.activity.store import INDEXES
from shared.plumbing import mongo
from shared.plumbing.mongo import Database, Document
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import collect_garbage_rarely
from shared.plumbing.settings import load

_NAMES = tuple(topic.name for topic in TOPICS)
_BATCH = 1_000
_USED = frozenset(payload.event_type for payload in USED_PAYLOADS)
_LOW = frozenset({"product.viewed.v1", "marketplace.browsed.v1"})
_NOT_KEPT = frozenset({"user_email", "session_id", "user_agent", "product_id", "purchase"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Record = ConsumerRecord[bytes, bytes]


@dataclass(frozen=True)
class Job:
    """What a contender is given; the probe ends it."""

    settings: Settings
    name: str
    probe: Probe

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
        await mongo.ensure_indexes(database, INDEXES)
        yield database
        client.close()


async def _ours(job: Job) -> Measured:
    activity.NAME = job.name  # the name of its consumer group and of its database
    app = activity.build_app(job.settings)
    runtime: Runtime = app.state.runtime
    async with runtime.lifespan(app):
        through, ended = asyncio.create_task(job.probe.through()), asyncio.create_task(runtime.ended.wait())
        await asyncio.wait((through, ended), return_when=asyncio.FIRST_COMPLETED)
        if runtime.failure:
            raise runtime.failure
        return await through


async def _bare(job: Job) -> Measured:
    kafka = job.settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(*_NAMES, bootstrap_servers=kafka, enable_auto_commit=False, **job.consumer_options)
    async with job.database() as database, consumer:
        while not job.probe.is_through():
            fetched = await consumer.getmany(timeout_ms=250, max_records=_BATCH)
            if fetched:
                await _store(database, (record for records in fetched.values() for record in records))
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in fetched.items()})
    return await job.probe.through()


async def _faststream_batch(job: Job) -> Measured:
    broker = KafkaBroker(job.settings.kafka_bootstrap_servers, logger=None)

    async def parse(records: tuple[Record, ...]) -> KafkaMessage:
        return KafkaAckableMessage(raw_message=records, body=records, consumer=subscriber.consumer)

    async def decode(message: KafkaMessage) -> object:
        return message.body

    subscriber = broker.subscriber(
        *_NAMES,
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
            await _store(database, records)
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

        @broker.subscriber(*_NAMES, decoder=decode, **job.consumer_options)  # type: ignore[untyped-decorator]
        async def handle(event: _Event) -> None:
            if event.type in _USED:
                await database["activities"].insert_one(_document(event.model_dump(), event.time))
            job.probe.handled_one()

        return await _run(broker, job)


async def _run(broker: KafkaBroker, job: Job) -> Measured:
    async with broker:
        await broker.start()
        return await job.probe.through()


async def _store(database: Database, records: Iterable[Record]) -> None:
    events = [event for record in records if (event := orjson.loads(record.value or b""))["type"] in _USED]
    if events:
        with suppress(BulkWriteError):  # an older telling of a purchase than the one that is stored
            await database["activities"].bulk_write([_write(event) for event in events], ordered=False)


def _write(event: Document) -> InsertOne[Document] | ReplaceOne[Document]:
    document = _document(event, datetime.fromisoformat(event["time"]))
    purchase = event["data"] if event["type"] == "purchase.created.v1" else event["data"].get("purchase")
    if not purchase:
        return InsertOne(document)
    document["_id"] = f"{purchase['purchase_id']:.32}"
    older = [{"at": {"$lt": document["at"]}}, {"at": document["at"], "event": {"$lt": document["event"]}}]
    return ReplaceOne({"_id": document["_id"], "$or": older}, document, upsert=True)


def _document(event: Document, time: datetime) -> Document:
    data, kind = event["data"], event["type"]
    return {
        "_id": f"{event['id']:.<32.32}",
        "user": data["user_email"],
        "low": kind in _LOW,
        "at": (time - _EPOCH) // _MICROSECOND,
        "event": f"{event['id']}\n{event['source']}",
        "type": kind,
        "impact": "high",
        "description": data.get("product_name"),
        "metadata": {name: value for name, value in data.items() if name not in _NOT_KEPT},
        "entity_id": data.get("product_id"),
        "entity_type": "product",
        "session": data.get("session_id"),
    }


WAYS: Final[Mapping[str, Callable[[Job], Awaitable[Measured]]]] = {
    "ours": _ours,
    "bare": _bare,
    "faststream_batch": _faststream_batch,
    "faststream": _faststream,
}


async def _main(way: str, name: str, count: int) -> Measured:
    probe = Probe(count)
    probe.install()
    return await WAYS[way](Job(load(Settings), name, probe))


if __name__ == "__main__":
    way, name, count = sys.argv[1:]
    collect_garbage_rarely()  # as the service does; for all, because here each has imported what the others need
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(orjson.dumps(asdict(runner.run(_main(way, name, int(count))))).decode())
