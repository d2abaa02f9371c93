"""An OpenTelemetry collector, as far as our processes see one: it takes OTLP over HTTP, and keeps the spans."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from mycelium.stack.ports import LOOPBACK, free_ports
from tests.waiting import eventually


@dataclass(frozen=True)
class Span:
    """A span, with its ids in hex; `links` are ids of spans, `kind` is OpenTelemetry's name, `text` all it says."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: frozenset[str]
    attributes: dict[str, str | int]
    is_error: bool
    text: str


@dataclass
class Collector:
    """Listens at `url`. `may_answer` keeps its answers back while it is not set."""

    url: str
    spans: list[Span] = field(default_factory=list)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    times_asked: int = 0

    async def take(self, request: web.Request) -> web.Response:
        """What an exporter sends."""
        sent = ExportTraceServiceRequest.FromString(await request.read())
        self.times_asked += 1
        await self.may_answer.wait()
        self.spans += _spans_of(sent)
        return web.Response(content_type="application/x-protobuf")

    def of(self, trace: str, service: str, name: str) -> list[Span]:
        """The spans of that name that a service has sent of a trace."""
        return [span for span in self.spans if (span.trace, span.service, span.name) == (trace, service, name)]

    async def gets(self, trace: str, service: str, name: str) -> Span:
        """Waits for such a span; the first one."""
        what = f"{service} tells of {name!r}"
        found: Sequence[Span] = await eventually(lambda: self.of(trace, service, name), timeout=60, what=what)
        return found[0]


def _spans_of(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        about = {each.key: each.value.string_value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for sent in scope.spans:
                yield _span(about["service.name"], sent)


def _span(service: str, sent: Sent) -> Span:
    values = {each.key: each.value for each in sent.attributes}
    attributes = {name: value.string_value or value.int_value for name, value in values.items()}
    return Span(
        service,
        sent.name,
        Sent.SpanKind.Name(sent.kind).removeprefix("SPAN_KIND_"),
        sent.trace_id.hex(),
        sent.span_id.hex(),
        sent.parent_span_id.hex(),
        frozenset(link.span_id.hex() for link in sent.links),
        attributes,
        sent.status.code == 2,
        _text_of(sent),
    )


def _text_of(sent: Sent) -> str:
    """All of it but the ids, which are bytes."""
    for each in (sent, *sent.links):
        each.ClearField("trace_id")
        each.ClearField("span_id")
    sent.ClearField("parent_span_id")
    return str(sent)


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on loopback."""
    (port,) = free_ports(1)
    collector = Collector(f"http://{LOOPBACK}:{port}")
    collector.may_answer.set()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield collector
    finally:
        collector.may_answer.set()
        await runner.cleanup()
