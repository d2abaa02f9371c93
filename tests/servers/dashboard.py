"""The profile service and the gateway, running, and what they tell the rest of the system."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer
from fastapi import FastAPI
from jsonschema import Draft202012Validator

from shared.contracts.envelope import Event, Payload
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.topics import Topic
from shared.plumbing.settings import ProcessSettings
from tests.servers.serving import serving
from tests.waiting import eventually

Json = dict[str, Any]  # Any: JSON
PASSWORD = "correct horse battery"
API = "/api/v1"
S = TypeVar("S", bound=ProcessSettings)


def settings_of(model: type[S], client_settings: Mapping[str, object], **more: object) -> S:
    """The settings of a process: those of `client_settings` that it has, and `more`."""
    return model.model_validate({k: v for k, v in client_settings.items() if k in model.model_fields} | more)


def gateway_keys() -> dict[str, object]:
    """The secrets of a gateway of its own."""
    return {name: secrets.token_urlsafe(32) for name in ("token_key", "export_key")}


@dataclass(frozen=True)
class Reply:
    """What a client got. `json` is None where there is no body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Site:
    """An app at `url`. Where it describes itself, every answer is held against its description."""

    url: str
    http: aiohttp.ClientSession
    description: Json | None = None

    async def ask(self, method: str, path: str, *, token: str | None = None, **how: Any) -> Reply:  # Any: aiohttp's
        """Sends one request, `how` as aiohttp takes it, with `token` as the bearer."""
        headers = dict(how.pop("headers", {})) | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self.http.request(method, f"{self.url}{path}", headers=headers, **how) as response:
            reply = Reply(response.status, response.headers, await response.read())
        if self.description:
            assert_as_described(self.description, method, path.partition("?")[0], reply)
        return reply


@asynccontextmanager
async def site(app: FastAPI, *, described: bool = False, port: int | None = None) -> AsyncIterator[Site]:
    """`app`, served, whether it is ready or not."""
    async with serving(app, port) as url, aiohttp.ClientSession() as http:
        yield Site(url, http, app.openapi() if described else None)


async def ready(site: Site) -> None:
    """Waits until the app says that it is ready."""

    async def is_ready() -> bool:
        try:
            return (await site.ask("GET", "/readyz")).status == 200
        except aiohttp.ClientConnectorError:
            return False

    await eventually(is_ready, timeout=60, what="the app is ready")


def assert_as_described(description: Json, method: str, path: str, reply: Reply) -> None:
    """Raises AssertionError unless the OpenAPI description allows this answer to an operation that it has."""
    operation = _operation(description["paths"], path, method.lower())
    if operation is None:
        return
    assert str(reply.status) in operation["responses"], f"{method} {path} may not answer {reply.status}: {reply.body!r}"
    content = operation["responses"][str(reply.status)].get("content", {})
    if not content:
        assert reply.body == b""
        return
    media_type = reply.headers["Content-Type"].partition(";")[0]
    schema = content[media_type]["schema"] | {"components": description["components"]}
    Draft202012Validator(schema).validate(reply.json if media_type.endswith("json") else reply.body.decode())


def _operation(paths: Json, path: str, method: str) -> Json | None:
    """The operation at `path`, or at the template that it fits."""
    fitting = (item for template, item in paths.items() if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path))
    item: Json = paths.get(path) or next(fitting, {})
    return item.get(method)


async def events_until(kafka: str, topic: Topic, user: str, last: type[Payload], number: int = 1) -> list[AnyEvent]:
    """The events of `user` on `topic`, in order, once `number` of type `last` are there. All of them must be valid."""
    reader, found = Reader(topic.payloads), list[AnyEvent]()
    consumer = AIOKafkaConsumer(topic.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:

        async def fetched() -> bool:
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    if record.key == user.encode():
                        event = reader.read(record.topic, record.key, record.value, record.headers)
                        assert isinstance(event, Event), event
                        found.append(event)
            return sum(event.type == last.event_type for event in found) >= number

        await eventually(fetched, timeout=60, what=f"{last.event_type} on {topic.name}")
    finally:
        await consumer.stop()
    return found


@dataclass(frozen=True)
class User:
    """Someone who is logged in."""

    email: str
    token: str


async def sign_up(gateway: Site) -> User:
    """A new account, logged in."""
    email = f"{uuid4().hex}@example.test"
    credentials = {"email": email, "password": PASSWORD}
    assert (await gateway.ask("POST", f"{API}/auth/register", json=credentials)).status == 201
    return User(email, await log_in(gateway, email))


async def log_in(gateway: Site, email: str) -> str:
    """A token of another session."""
    reply = await gateway.ask("POST", f"{API}/auth/login", json={"email": email, "password": PASSWORD})
    assert reply.status == 200, reply.body
    token: str = reply.json["access_token"]
    return token


async def activities(gateway: Site, user: User, query: str = "") -> list[Json]:
    """The user's activities, narrowed by a query string."""
    reply = await gateway.ask("GET", f"{API}/activities{query}", token=user.token)
    assert reply.status == 200, reply.body
    items: list[Json] = reply.json["items"]
    return items


async def report(gateway: Site, user: User, **fields: object) -> Reply:
    """Reports an activity as a page does."""
    return await gateway.ask("POST", f"{API}/activities", token=user.token, json=fields)


def assert_problem(reply: Reply, status: int, code: str, pointer: str | None = None) -> None:
    """Raises AssertionError unless the answer is this problem, and names this field."""
    assert (reply.status, reply.json["type"]) == (status, f"urn:mycelium:problem:{code}"), reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert pointer is None or pointer in [error["pointer"] for error in reply.json["errors"]], reply.body
