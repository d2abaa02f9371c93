"""A service of ours, running, as those see it who talk to it: publishers by Kafka, the gateway by HTTP."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer
from fastapi import FastAPI

from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import Topic
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.settings import ProcessSettings
from tests.servers.serving import serving
from tests.waiting import eventually

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Running:
    """The service `name` at `url`."""

    name: str
    url: str
    http: aiohttp.ClientSession
    publisher: Publisher
    tokens: InternalTokens

    async def publish(self, topic: Topic, *events: AnyEvent) -> None:
        """Puts events on a topic as a publisher does, and waits until the broker has them."""
        await self.publisher.records(
            (topic.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,)) for event in events
        )

    async def put(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Puts any bytes on a topic."""
        await self.publisher.records([(topic.name, key, value, headers)])

    async def get(self, path: str, user: str, params: Any = None) -> tuple[int, Any]:  # Any: JSON
        """What the service answers to the gateway's call on behalf of `user`: status and JSON."""
        token = {"authorization": f"Bearer {self.tokens.sign(self.name, user)}"}
        async with self.http.get(f"{self.url}{path}", params=params, headers=token) as response:
            return response.status, await response.json(content_type=None)

    async def overview(self, user: str) -> dict[str, Any]:  # Any: JSON
        """The service's part of the user's overview: its members by name."""
        token = {"authorization": f"Bearer {self.tokens.sign(self.name, user)}"}
        async with self.http.get(f"{self.url}/overview", headers=token, raise_for_status=True) as response:
            lines = (await response.read()).splitlines()
        return {name.decode(): orjson.loads(member) for name, _, member in (line.partition(b"\t") for line in lines)}

    async def health(self) -> Mapping[str, Any]:  # Any: JSON
        """What /readyz says."""
        async with self.http.get(f"{self.url}/readyz") as response:
            return {"status": response.status, **await response.json()}


@asynccontextmanager
async def publishing(settings: ProcessSettings) -> AsyncIterator[Publisher]:
    """A publisher to the tests' broker."""
    publisher = Publisher("tests", settings)
    await publisher.start()
    try:
        yield publisher
    finally:
        await publisher.stop()


@asynccontextmanager
async def running(app: FastAPI, publisher: Publisher, tokens: InternalTokens, name: str) -> AsyncIterator[Running]:
    """`app`, served and ready."""
    async with serving(app) as url, aiohttp.ClientSession() as http:
        service = Running(name, url, http, publisher, tokens)
        await eventually(lambda: _is_ready(service), timeout=60, what=f"{name} is ready")
        yield service


async def _is_ready(service: Running) -> bool:
    return bool((await service.health())["status"] == 200)


async def arrived(bootstrap_servers: str, topic: str, matching: Callable[[Record], bool]) -> list[Record]:
    """Waits for records of `topic` for which `matching(record)` holds; returns those that had come by then."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Record] = []
    try:

        async def fetched() -> list[Record]:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                found.extend(record for record in records if matching(record))
            return found

        return await eventually(fetched, what=f"a record on {topic}")
    finally:
        await consumer.stop()
