"""What is followed, and what it costs whoever does not ask for it: nothing."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from aiokafka.structs import ConsumerRecord

from mycelium.stack.ports import free_ports
from shared.contracts.build import make_event
from shared.contracts.marketplace import ProductViewed
from shared.contracts.reading import AnyEvent, Reader
from shared.plumbing import tracing
from shared.plumbing.batch import Batch
from shared.plumbing.publish import Record
from shared.plumbing.spans import Spans
from shared.plumbing.tracing import Trace, trace_of
from tests.servers.collector import Collector, collecting

WITH_NOTHING_SET = """
import sys
import mycelium.simulator.command
from fastapi import FastAPI
from services.activity import main, settings
from services.gateway import main as gateway
from shared.plumbing import tracing

assert settings.Settings().otel_exporter_otlp_endpoint == ""
tracing.start("activity", settings.Settings().otel_exporter_otlp_endpoint)
app = main.build_app(settings.Settings())
assert tracing.served(app) is app
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "google.protobuf", "requests")
print([name for name in sys.modules if name.startswith(heavy)])
"""
SETTINGS = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "MONGO_URL": "mongodb://127.0.0.1:9",
    "INTERNAL_KEY": "k" * 32,
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
}


def a_view(user: str = "ada@example.org", trace: Trace | None = None) -> AnyEvent:
    given = {"traceparent": trace.parent, "tracestate": trace.state} if trace else {}
    return make_event(ProductViewed(user_email=user, product_id="p-1"), source="/t", time=datetime.now(UTC), **given)


def a_trace(flags: str = "01") -> Trace:
    return Trace(f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-{flags}")


def ids(trace: Trace | None) -> tuple[str, str]:
    """The ids of the trace and of the span."""
    assert trace
    _, trace_id, span_id, _ = trace.parent.split("-")
    return trace_id, span_id


def a_batch(event: AnyEvent, *headers: tuple[str, bytes]) -> Batch:
    key, value = event.subject.encode(), event.to_json()
    record: Record = ConsumerRecord("marketplace.events", 3, 14, 0, 0, key, value, None, 0, 0, headers)
    return Batch.of(Reader([ProductViewed]), [record])


def in_vain(spans: Spans, batch: Batch) -> None:
    with spans.batch("group", 1) as following:
        following.causes(batch)
        raise ValueError("said in confidence")


@pytest_asyncio.fixture(loop_scope="session")
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    async with collecting() as server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def spans(collector: Collector) -> AsyncIterator[Spans]:
    made = Spans("tests")
    yield made
    await asyncio.to_thread(made.close)


def test_with_nothing_set_nothing_of_it_is_imported() -> None:
    argv = [sys.executable, "-c", WITH_NOTHING_SET]
    done = subprocess.run(argv, env=SETTINGS, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_while_it_is_off_everything_is_as_it_was_given() -> None:
    off, trace, event = tracing.current(), a_trace(), a_view()
    assert (off.ids(), tracing.spans()) == ({}, None)
    assert off.made_here(event) is event
    with off.sending("t", [event], {event.subject: [trace]}) as told, off.taking("t", trace) as goes_on:
        assert told[0] is event
        assert goes_on == trace
    with off.batch("g", 1) as following:
        assert following.causes(a_batch(a_view(trace=trace))) == {}


async def test_what_has_causes_continues_the_last_and_links_to_the_others(collector: Collector, spans: Spans) -> None:
    first, last = a_trace(), a_trace()
    ada, bob = a_view(), a_view("bob@example.org")
    with spans.sending("t", [ada, bob], {"ada@example.org": [first, last]}) as told:
        pass
    assert told[1] is bob, "nothing of his is followed"
    trace_id, span_id = ids(trace_of(told[0]))
    sent = await collector.gets(trace_id, "tests", "send t")
    assert (sent.trace, sent.parent) == ids(last)
    assert sent.id == span_id
    assert sent.links == {ids(first)[1]}


async def test_what_is_made_in_a_request_says_so_and_a_line_of_the_log_too(spans: Spans) -> None:
    event = a_view()
    assert spans.ids() == {}
    assert spans.made_here(event) is event, "nothing is under way"
    with spans.taking("t", a_trace()) as here:
        assert spans.ids() == dict(zip(("trace_id", "span_id"), ids(here), strict=True))
        assert trace_of(spans.made_here(event)) == here
        with spans.sending("u", [event]) as [told]:
            assert ids(trace_of(told))[0] == ids(here)[0]


async def test_a_trace_that_only_kafkas_headers_tell_of_is_followed_too(collector: Collector, spans: Spans) -> None:
    trace = a_trace()
    headers = [("traceparent", trace.parent.encode()), ("tracestate", b"shop=1"), ("other", b"\xff")]
    with spans.batch("group", 1) as following:
        causes = following.causes(a_batch(a_view(), *headers))
    [place] = causes["ada@example.org"]
    assert (ids(place)[0], place.state) == (ids(trace)[0], "shop=1")
    told = await collector.gets(ids(trace)[0], "tests", "process marketplace.events")
    assert told.attributes["messaging.destination.partition.id"] == "3"
    assert told.attributes["messaging.kafka.offset"] == 14


async def test_a_failure_is_told_by_its_type_and_not_by_its_words(collector: Collector, spans: Spans) -> None:
    trace = a_trace()
    with pytest.raises(ValueError, match="in confidence"):
        in_vain(spans, a_batch(a_view(trace=trace)))
    told = await collector.gets(ids(trace)[0], "tests", "process marketplace.events")
    assert (told.is_error, told.attributes["error.type"]) == (True, "ValueError")
    assert [span.name for span in collector.spans] == ["process marketplace.events", "process batch"]
    assert [span.name for span in collector.spans if "confidence" in span.text] == []


async def test_what_is_not_sampled_is_carried_on_and_not_sent(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    spans, unsampled, sampled = Spans("tests"), a_trace("00"), a_trace("01")
    with spans.taking("t", unsampled) as here, spans.sending("t", [a_view()]) as [told]:
        assert ids(here)[0] == ids(trace_of(told))[0] == ids(unsampled)[0]
        assert told.traceparent
        assert told.traceparent.endswith("-00")
    with spans.taking("t", sampled), spans.writing([sampled, unsampled]):
        pass
    await collector.gets(ids(sampled)[0], "tests", "stream write")
    await asyncio.to_thread(spans.close)
    assert {span.trace for span in collector.spans} == {ids(sampled)[0]}


def test_a_collector_that_is_not_there_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")  # seconds: no thread of it is left behind, trying again
    spans = Spans("tests")
    for _ in range(3_000):  # more than the queue takes
        with spans.step("store"):
            pass
    spans.close()
