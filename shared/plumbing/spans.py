"""Spans, as OpenTelemetry's semantic conventions for messaging name them. Imported only where tracing is on.

Nothing of a user is in a span: no record key (it is an email), no payload, no message of an exception, no address. A
record is named by its topic, partition and offset.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.contracts.envelope import Headers
from shared.contracts.reading import AnyEvent
from shared.plumbing.batch import Batch
from shared.plumbing.publish import Record
from shared.plumbing.tracing import Causes, Following, Trace, Tracing, trace_of

_NAMESPACE: Final = "mycelium"
_CLOSE_SECONDS: Final = 1.0
_W3C: Final = TraceContextTextMapPropagator()
_KAFKA: Final = {"messaging.system": "kafka"}

Attributes = Mapping[str, str | int]


class Spans(Tracing):
    """The spans of one process, sent to the collector by a thread of their own; what it cannot send is dropped.

    A trace is sampled where it begins, as OTEL_TRACES_SAMPLER says; what continues it goes by that.
    """

    def __init__(self, service: str) -> None:
        resource = Resource.create({"service.name": service, "service.namespace": _NAMESPACE})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(_NAMESPACE)

    def close(self) -> None:
        """Sends what is not sent yet, for a second at most: a process that is told to end has no more than ten."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def start(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        parent: Context | None = None,
        *,
        links: Iterable[Span] = (),
        at: int | None = None,
    ) -> Span:
        """A span that began now, or `at` nanoseconds since 1970; without a `parent` what is under way has it."""
        linked = [Link(link.get_span_context()) for link in links if link.get_span_context().trace_flags.sampled]
        return self._tracer.start_span(name, parent, kind, attributes, linked, at)

    def ids(self) -> Mapping[str, str]:
        """As in Tracing."""
        here = get_current_span().get_span_context()
        if not here.is_valid:
            return {}
        return {"trace_id": format_trace_id(here.trace_id), "span_id": format_span_id(here.span_id)}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """As in Tracing."""
        span = self.start(name, SpanKind.INTERNAL, {})
        with ending(span), under_way(span):
            yield

    def made_here(self, event: AnyEvent) -> AnyEvent:
        """As in Tracing."""
        return _saying(event, place_of(get_current_span()))

    @contextmanager
    def sending(
        self, topic: str, events: Sequence[AnyEvent], causes: Causes | None = None
    ) -> Iterator[Sequence[AnyEvent]]:
        """As in Tracing."""
        told, spans = list(events), list[Span]()
        for number, event in enumerate(told):
            traces = [] if causes is None else [context_of(trace) for trace in causes.get(event.data.key, ())]
            if causes is None or traces:
                span = self._send(topic, event, traces)
                spans.append(span)
                told[number] = _saying(event, place_of(span))
        with ending(*spans):
            yield told

    def _send(self, topic: str, event: AnyEvent, causes: Sequence[Context]) -> Span:
        about = _about("send", topic) | {"cloudevents.event_type": event.type}
        others = map(get_current_span, causes[:-1])
        return self.start(f"send {topic}", SpanKind.PRODUCER, about, causes[-1] if causes else None, links=others)

    @contextmanager
    def relaying(self, followed: Sequence[tuple[str, Trace]]) -> Iterator[None]:
        """As in Tracing."""
        begun = (
            self.start(f"send {topic}", SpanKind.PRODUCER, _about("send", topic), context_of(trace))
            for topic, trace in followed
        )
        with ending(*begun):
            yield

    @contextmanager
    def batch(self, group: str, records: int) -> Iterator[Following]:
        """As in Tracing."""
        member = {**_doing("process"), "messaging.consumer.group.name": group}
        about = {**member, "messaging.batch.message_count": records}
        span = self.start("process batch", SpanKind.CONSUMER, about)
        followed = _Followed(self, span, member)
        with ending(span), under_way(span), followed.until_the_end():
            yield followed

    @contextmanager
    def taking(self, topic: str, trace: Trace | None) -> Iterator[Trace | None]:
        """As in Tracing."""
        if trace is None:
            yield None
            return
        span = self.start(f"process {topic}", SpanKind.CONSUMER, _about("process", topic), context_of(trace))
        with ending(span), under_way(span):
            yield place_of(span)

    @contextmanager
    def writing(self, traces: Sequence[Trace]) -> Iterator[None]:
        """As in Tracing."""
        with ending(*(self.start("stream write", SpanKind.INTERNAL, {}, context_of(trace)) for trace in traces)):
            yield


class _Followed(Following):
    """The events of a batch that have a trace: each gets a span in it, as long as the batch takes.

    The batch's span is in no trace of theirs, as it belongs to all of them: it links to them, and they to it.
    """

    def __init__(self, spans: Spans, batch: Span, member: Attributes) -> None:
        self._spans, self._batch, self._member = spans, batch, member
        self._began = time.time_ns()
        self._open: list[Span] = []

    def causes(self, batch: Batch) -> Causes:
        """As in Following."""
        found = defaultdict(list)
        for record, event in zip(batch.records, batch.events, strict=True):
            if (trace := trace_of(event) or _trace_in(record.headers)) and (
                place := self._follow(record, event, trace)
            ):
                found[event.data.key].append(place)
        return found

    def _follow(self, record: Record, event: AnyEvent, trace: Trace) -> Trace | None:
        cause = context_of(trace)
        about = {
            **self._member,
            **_about("process", record.topic),
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "cloudevents.event_type": event.type,
        }
        name = f"process {record.topic}"
        span = self._spans.start(name, SpanKind.CONSUMER, about, cause, links=[self._batch], at=self._began)
        self._open.append(span)
        self._batch.add_link(get_current_span(cause).get_span_context())
        return place_of(span)

    @contextmanager
    def until_the_end(self) -> Iterator[None]:
        """Ends them with the batch."""
        try:
            yield
        except BaseException as error:
            failed(error, *self._open)
            raise
        finally:
            for span in self._open:
                span.end()


@contextmanager
def ending(*spans: Span) -> Iterator[None]:
    """Ends the spans with the context, and says of what type the exception is that leaves it."""
    try:
        yield
    except BaseException as error:
        failed(error, *spans)
        raise
    finally:
        for span in spans:
            span.end()


def under_way(span: Span) -> AbstractContextManager[object]:
    """What is done within the context is done in the course of the span."""
    return use_span(span, end_on_exit=False, record_exception=False, set_status_on_exception=False)


def failed(error: BaseException, *spans: Span) -> None:
    """Says what type of exception it was. Its message may quote what it failed on, and is nobody's business."""
    for span in spans:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", type(error).__qualname__)


def context_of(trace: Trace) -> Context:
    """What continues the trace from there."""
    return _W3C.extract({"traceparent": trace.parent, **({"tracestate": trace.state} if trace.state else {})})


def place_of(span: Span) -> Trace | None:
    """Where the span is; None if it is nowhere."""
    written: dict[str, str] = {}
    _W3C.inject(written, set_span_in_context(span))
    return Trace(written["traceparent"], written.get("tracestate")) if written else None


def _saying(event: AnyEvent, place: Trace | None) -> AnyEvent:
    if place is None:
        return event
    return event.model_copy(update={"traceparent": place.parent, "tracestate": place.state})


def _trace_in(headers: Headers) -> Trace | None:
    """Where a publisher's instrumentation wrote it that knows Kafka and does not know CloudEvents."""
    found = {
        name: value.decode("latin-1") for name, value in headers if value and name in ("traceparent", "tracestate")
    }
    return Trace(found["traceparent"], found.get("tracestate")) if "traceparent" in found else None


def _doing(operation: str) -> dict[str, str | int]:
    return {**_KAFKA, "messaging.operation.type": operation, "messaging.operation.name": operation}


def _about(operation: str, topic: str) -> dict[str, str | int]:
    return {**_doing(operation), "messaging.destination.name": topic}
