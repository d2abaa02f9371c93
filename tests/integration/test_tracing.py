"""One trace through real processes: from a publisher to a browser's stream, and from a request to a service."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGTERM
from urllib.parse import quote

import aiohttp
import orjson
import pytest
import pytest_asyncio

from shared.contracts import topics
from shared.contracts.build import make_event
from shared.contracts.marketplace import ProductViewed
from shared.plumbing.publish import Publisher
from shared.plumbing.settings import ProcessSettings
from tests.servers.collector import Collector, collecting
from tests.servers.dashboard import API, Site, User, activities, settings_of, sign_up
from tests.servers.listening import listening
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import publishing
from tests.waiting import eventually

NOBODY = "http://127.0.0.1:9"


@dataclass(frozen=True)
class World:
    """Processes that are traced, and who is sent the traces."""

    collector: Collector
    gateway: Site
    publisher: Publisher
    processes: dict[str, ServiceProcess]
    logs: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    mongo_url: str, client_settings: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    logs = tmp_path_factory.mktemp("traced")
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(collecting())
        common = {
            **client_settings,
            "otel_exporter_otlp_endpoint": collector.url,
            "otel_bsp_schedule_delay": 50,  # milliseconds
            "otel_exporter_otlp_timeout": 60,  # seconds: longer than anybody waits for a process to end
        }
        processes = {}
        for name in ("activity", "profile"):
            given = {**common, "mongo_url": mongo_url, "free_failures_per_address": 10_000}
            processes[name] = await stack.enter_async_context(service_process(name, given, logs / f"{name}.log"))
        urls = {f"{name}_url": process.url for name, process in processes.items()}
        urls |= {"purchases_url": NOBODY, "analytics_url": NOBODY}
        keys = {name: secrets.token_urlsafe(32) for name in ("token_key", "export_key")}
        gateway = service_process("gateway", {**common, **urls, **keys}, logs / "gateway.log")
        processes["gateway"] = await stack.enter_async_context(gateway)
        await asyncio.gather(*(process.start() for process in processes.values()))
        await asyncio.gather(*(process.ready() for process in processes.values()))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        settings = settings_of(ProcessSettings, client_settings, port=1)
        publisher = await stack.enter_async_context(publishing(settings))
        yield World(collector, Site(processes["gateway"].url, http), publisher, processes, logs)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def user(world: World) -> User:
    """Someone whose login is in the timeline, so that what comes later is in another batch."""
    user = await sign_up(world.gateway)
    await eventually(lambda: activities(world.gateway, user), what="the login is stored")
    return user


def new_trace() -> tuple[str, str, str]:
    """The ids of a trace and of its first span, and the `traceparent` that says so."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return trace, span, f"00-{trace}-{span}-01"


async def test_an_event_is_followed_from_its_publisher_to_the_write_to_the_stream(world: World, user: User) -> None:
    trace, published, traceparent = new_trace()
    viewed = ProductViewed(user_email=user.email, product_id=f"prod-{secrets.token_hex(8)}")
    event = make_event(viewed, source="/tests", time=datetime.now(UTC), traceparent=traceparent, tracestate="shop=t61")
    async with listening(world.gateway, user.token) as stream:
        await eventually(lambda: stream.last, what="the stream begins")
        await world.publisher.event(topics.MARKETPLACE, event)
        written = await world.collector.gets(trace, "gateway", "stream write")
        await stream.hears("activity")
    told = await world.collector.gets(trace, "gateway", "process dashboard.updates")
    sent = await world.collector.gets(trace, "activity", "send dashboard.updates")
    stored = await world.collector.gets(trace, "activity", "process marketplace.events")
    assert [written.parent, told.parent, sent.parent, stored.parent] == [told.id, sent.id, stored.id, published]
    assert (stored.kind, sent.kind, told.kind) == ("CONSUMER", "PRODUCER", "CONSUMER")
    assert stored.attributes["messaging.consumer.group.name"] == "activity"
    assert "shop=t61" in written.text, "the publisher's tracestate is carried along"


async def test_a_batch_links_to_what_is_in_it_and_has_its_steps(world: World, user: User) -> None:
    trace, published, traceparent = new_trace()
    event = make_event(ProductViewed(user_email=user.email, product_id="prod-1"), source="/t", traceparent=traceparent)
    await world.publisher.event(topics.MARKETPLACE, event)
    stored = await world.collector.gets(trace, "activity", "process marketplace.events")
    batch = await eventually(
        lambda: next((span for span in world.collector.spans if published in span.links), None), what="the batch"
    )
    assert batch is not None
    assert (batch.name, batch.kind) == ("process batch", "CONSUMER")
    assert batch.trace != trace, "it belongs to all that is in it"
    assert stored.links == {batch.id}
    for name in ("store", "publish", "commit"):
        assert (await world.collector.gets(batch.trace, "activity", name)).parent == batch.id


async def test_a_request_and_the_services_part_in_it_share_a_trace(world: World, user: User) -> None:
    trace, caller, traceparent = new_trace()
    path = f"{API}/activities?q={quote(user.email)}"
    reply = await world.gateway.ask("GET", path, token=user.token, headers={"traceparent": traceparent})
    assert reply.status == 200
    front = await world.collector.gets(trace, "gateway", f"GET {API}/activities")
    service = await world.collector.gets(trace, "activity", "GET /activities")
    questions = {span.id: span for span in world.collector.of(trace, "gateway", "GET")}
    assert front.parent == caller
    assert (front.kind, service.kind, questions[service.parent].kind) == ("SERVER", "SERVER", "CLIENT")
    assert {span.parent for span in questions.values()} == {front.id}
    assert service.attributes["http.route"] == "/activities"
    assert service.attributes["http.response.status_code"] == 200


async def test_what_a_page_reports_and_what_is_changed_here_is_followed_too(world: World, user: User) -> None:
    async with listening(world.gateway, user.token) as stream:
        await eventually(lambda: stream.last, what="the stream begins")
        for method, path, body in (
            ("POST", f"{API}/activities", {"activity_type": "cart_add"}),
            ("PATCH", f"{API}/preferences", {"theme": "dark"}),
        ):
            trace, _, traceparent = new_trace()
            reply = await world.gateway.ask(
                method, path, token=user.token, json=body, headers={"traceparent": traceparent}
            )
            assert reply.status < 300, reply.body
            await world.collector.gets(trace, "gateway", "stream write")
        assert await world.collector.gets(trace, "profile", "send profile.events"), "by way of the outbox"


async def test_nothing_of_a_user_is_in_a_span_and_a_line_of_the_log_names_the_trace(world: World, user: User) -> None:
    remark = f"remark-{secrets.token_hex(8)}"
    trace, _, traceparent = new_trace()
    headers = {"traceparent": traceparent}
    for path in (f"{API}/activities?q={remark}", f"{API}/purchases/{remark}", f"/{remark}"):
        await world.gateway.ask("GET", path, token=user.token, headers=headers)
    seen = {"activity_type": "cart_add", "description": remark, "related_entity_id": remark}
    await world.gateway.ask("POST", f"{API}/activities", token=user.token, headers=headers, json=seen)
    await world.gateway.ask(remark.upper(), f"{API}/activities", headers=headers)
    for name in (f"GET {API}/activities", "GET", f"POST {API}/activities", "send gateway.events"):
        await world.collector.gets(trace, "gateway", name)
    for name in ("GET /activities", "process gateway.events", "send dashboard.updates"):
        await world.collector.gets(trace, "activity", name)
    failed = await world.collector.gets(trace, "gateway", f"GET {API}/purchases/{{purchase_id}}")
    assert (failed.is_error, failed.attributes["http.response.status_code"]) == (True, 503)
    lines = [orjson.loads(line) for line in (world.logs / "gateway.log").read_bytes().splitlines()]
    assert trace in [line.get("trace_id") for line in lines if line["event"] == "service_unavailable"]
    everything = "".join(span.text for span in world.collector.spans).lower()
    assert [said for said in (user.email, user.token.lower(), remark, "@") if said in everything] == []


async def test_a_collector_that_does_not_answer_holds_nobody_up(world: World, user: User) -> None:
    """Last, as it ends the gateway."""
    assert {span.service for span in world.collector.spans} == {"activity", "profile", "gateway"}
    world.collector.may_answer.clear()
    asked = world.collector.times_asked
    assert (await world.gateway.ask("GET", f"{API}/activities", token=user.token)).status == 200
    await eventually(lambda: world.collector.times_asked > asked, what="the collector is asked in vain")
    assert (await world.gateway.ask("GET", f"{API}/activities", token=user.token)).status == 200
    assert await world.processes["gateway"].signal(SIGTERM) == 0
