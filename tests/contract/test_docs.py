"""What docs/events.md tells publishers is true."""

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import get_args
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from shared.contracts.envelope import MAX_EVENT_BYTES, Event
from shared.contracts.reading import PoisonReason, Reader
from shared.contracts.topics import EVENT_TOPICS, PAYLOADS, SERVICES, Topic

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("topic", EVENT_TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_listed_with_its_writers_key_and_types(topic: Topic) -> None:
    [row] = re.findall(rf"^\| `{re.escape(topic.name)}`.*$", TEXT, re.MULTILINE)
    _, name, writers, key, types, _ = (cell.strip() for cell in row.split("|"))
    assert name.endswith("(compacted)") == (topic.retention is None)
    assert (writers, key) == ("every service" if topic.producers == SERVICES else ", ".join(topic.producers), topic.key)
    assert types.replace("`", "").split() == [payload.event_type for payload in topic.payloads]


def test_every_reason_for_a_dead_letter_is_explained() -> None:
    [_, table] = TEXT.split("| `dlq_reason` |")
    assert re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE) == [*get_args(PoisonReason)]


def test_the_size_limit_is_the_readers() -> None:
    assert f"| {MAX_EVENT_BYTES:,} bytes;" in TEXT


async def test_the_python_example_publishes_an_event_that_is_read(kafka: str) -> None:
    [example] = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    user = f"docs-{uuid4()}@example.org"
    example = example.replace("ada@example.org", user)
    environment = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": kafka}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", example, env=environment, cwd=ROOT)
    assert await process.wait() == 0
    reader = Reader(PAYLOADS.values())
    consumer = AIOKafkaConsumer("marketplace.events", bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(20):
        async for record in consumer:
            if record.key == user.encode():
                read = reader.read(record.topic, record.key, record.value, record.headers)
                assert isinstance(read, Event)
                assert read.data.key == user
                assert orjson.loads(read.to_json()) == orjson.loads(record.value)
                return
