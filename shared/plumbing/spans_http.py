"""Spans of requests, as OpenTelemetry's semantic conventions for HTTP name them, but without what is somebody's own.

A route stands for its template. A path holds ids and a query what was searched for, so neither is in a span, nor is an
address of a client. Imported only where tracing is on.
"""

from collections.abc import MutableMapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.plumbing.spans import Attributes, Spans, context_of, failed, place_of, under_way
from shared.plumbing.tracing import Trace

_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_OTHER: Final = "_OTHER"  # as the conventions name it: a method is whatever a client sends
_NOBODY_LOOKS_AT: Final = {"/livez", "/readyz", "/metrics"}
_HEADERS: Final = {b"traceparent", b"tracestate"}


class TracedRequests:
    """A span for each request of an app, which continues the caller's trace. That of a stream ends as it begins."""

    def __init__(self, app: ASGIApp, spans: Spans) -> None:
        self._app = app
        self._spans = spans

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or scope["path"] in _NOBODY_LOOKS_AT:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else _OTHER
        about = {"http.request.method": method, "url.scheme": scope["scheme"]}
        span = self._spans.start(_verb(method), SpanKind.SERVER, about, _caller(scope))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answered(span, scope, method, message)
            await send(message)

        with under_way(span):
            try:
                await self._app(scope, receive, sending)
            except BaseException as error:
                if span.is_recording():
                    failed(error, span)
                raise
            finally:
                if span.is_recording():
                    span.end()

    def _answered(self, span: Span, scope: Scope, method: str, message: Message) -> None:
        if route := getattr(scope.get("route"), "path", None):
            span.update_name(f"{_verb(method)} {route}")
            span.set_attribute("http.route", route)
        note_status(span, message["status"], an_error_from=500)
        if any(
            name == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
        ):
            span.end()


def asked(spans: Spans, method: str, host: str, port: int, headers: MutableMapping[str, str]) -> Span:
    """The span of a question to a service, which is told in `headers` where it belongs."""
    about: Attributes = {"http.request.method": method, "server.address": host, "server.port": port}
    span = spans.start(method, SpanKind.CLIENT, about)
    if place := place_of(span):
        headers["traceparent"] = place.parent
        if place.state:
            headers["tracestate"] = place.state
    return span


def note_status(span: Span, status: int, an_error_from: int) -> None:
    """Notes how a request was answered."""
    span.set_attribute("http.response.status_code", status)
    if status >= an_error_from:
        span.set_status(StatusCode.ERROR)
        span.set_attribute("error.type", str(status))


def _verb(method: str) -> str:
    return "HTTP" if method == _OTHER else method


def _caller(scope: Scope) -> Context:
    """Where the caller's trace goes on; a trace of its own if there is none."""
    given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _HEADERS}
    parent = given.get(b"traceparent")
    return context_of(Trace(parent, given.get(b"tracestate"))) if parent else Context()
