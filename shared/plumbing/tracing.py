"""Tracing: following an event from its publisher through topics and services to the browser. Off unless configured.

While it is off, which is the default, neither OpenTelemetry's SDK nor its exporter is imported (FastAPI imports its
API), and every call here returns at once. It is one for the process, as metrics and logs are. What a trace shows, and
how to switch it on: docs/tracing.md.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from starlette.types import ASGIApp

from shared.contracts.reading import AnyEvent

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

    from shared.plumbing.batch import Batch
    from shared.plumbing.spans import Spans


class Trace(NamedTuple):
    """A place in a trace, as W3C Trace Context writes it: `traceparent` and `tracestate`."""

    parent: str
    state: str | None = None


Causes: TypeAlias = Mapping[str, Sequence[Trace]]
"""By user: the places from where on the events are followed that something of theirs has changed for, latest last."""


def trace_of(event: AnyEvent) -> Trace | None:
    """Where in a trace the event was made; None where its publisher did not say."""
    return Trace(event.traceparent, event.tracestate) if event.traceparent else None


class Following:
    """A batch under way, of which nothing is followed."""

    def causes(self, batch: "Batch") -> Causes:  # noqa: ARG002
        """Where its events are followed."""
        return {}


_NOTHING: Final = nullcontext()
_NOT_FOLLOWED: Final = nullcontext(Following())


class Tracing:
    """What is measured, and handed on to be followed; here nothing is. All of it costs next to nothing."""

    def ids(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` of what is under way, for a line of the log; empty if nothing is."""
        return {}

    def step(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002
        """A part of what is under way."""
        return _NOTHING

    def made_here(self, event: AnyEvent) -> AnyEvent:
        """The event, which is made in the course of what is under way and published later."""
        return event

    def sending(
        self,
        topic: str,  # noqa: ARG002
        events: Sequence[AnyEvent],
        causes: Causes | None = None,  # noqa: ARG002
    ) -> AbstractContextManager[Sequence[AnyEvent]]:
        """The events to publish on `topic` within the context: as given, and saying where they are followed.

        An event continues the traces that `causes` has for what it is about, if any; without `causes`, what is under
        way, or else it begins a trace.
        """
        return nullcontext(events)

    def relaying(self, followed: Sequence[tuple[str, Trace]]) -> AbstractContextManager[object]:  # noqa: ARG002
        """Publishing what was made before, each on its topic and at its place in a trace."""
        return _NOTHING

    def batch(self, group: str, records: int) -> AbstractContextManager[Following]:  # noqa: ARG002
        """Consuming a batch of so many records as a member of `group`."""
        return _NOT_FOLLOWED

    def taking(self, topic: str, trace: Trace | None) -> AbstractContextManager[Trace | None]:  # noqa: ARG002
        """Consuming what was published on `topic` at that place; the place from where on it is followed."""
        return nullcontext(trace)

    def writing(self, traces: Sequence[Trace]) -> AbstractContextManager[object]:  # noqa: ARG002
        """Writing to a browser's stream what these have led to."""
        return _NOTHING


# FastAPI has spans of its own, which hold paths and queries: ids, and what a user searched for.
FASTAPI_OFF: "Final[TelemetryConfig]" = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

_OFF: Final = Tracing()
_spans: "Spans | None" = None


def start(service: str, endpoint: str) -> None:
    """Switches it on, and calls this process `service`, if `endpoint` names a collector.

    How to reach that, and what to sample, is read from OpenTelemetry's own variables.
    """
    global _spans
    if endpoint:
        from shared.plumbing.spans import Spans

        _spans = Spans(service)


def stop() -> None:
    """Switches it off. What is not sent yet is sent, unless the collector takes longer than a second for that."""
    global _spans
    if _spans:
        _spans.close()
    _spans = None


def current() -> Tracing:
    """What measures now."""
    return _spans or _OFF


def spans() -> "Spans | None":
    """The same for what has a span of another kind to make; None while it is off."""
    return _spans


def served(app: ASGIApp) -> ASGIApp:
    """`app` with a span for each request; just `app` while it is off."""
    if _spans is None:
        return app
    from shared.plumbing.spans_http import TracedRequests

    return TracedRequests(app, _spans)
