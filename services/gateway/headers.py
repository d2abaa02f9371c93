"""The head of a request and of an answer: how large the one may be, and what every one of the other says."""

from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.plumbing.problems import ProblemError, problem_response

MAX_TARGET_BYTES, MAX_HEADERS_BYTES, MAX_HEADERS = 8_192, 16_384, 100
_ANSWERS_HAVE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HSTS = "max-age=31536000; includeSubDomains"
_TARGET_TOO_LONG = ProblemError(414, "uri-too-long", f"An address may have {MAX_TARGET_BYTES} bytes; shorten it.")
_HEADERS_TOO_LARGE = ProblemError(
    431,
    "headers-too-large",
    f"A request may have {MAX_HEADERS} headers of {MAX_HEADERS_BYTES} bytes in all; send less, fewer cookies for one.",
)


def raw_headers(own: Mapping[str, str], scheme: str) -> list[tuple[bytes, bytes]]:
    """An answer's own headers, and those that every answer has besides, as ASGI takes them."""
    hsts = {"Strict-Transport-Security": _HSTS} if scheme == "https" else {}
    return [(name.lower().encode(), value.encode()) for name, value in {**_ANSWERS_HAVE, **hsts, **own}.items()]


class SecurityHeaders:
    """Gives every answer the headers that it does not have by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _ANSWERS_HAVE.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("Strict-Transport-Security", _HSTS)
            await send(message)

        await self._app(scope, receive, with_headers)


class BoundedHead:
    """Refuses a request whose address or headers are larger than any client of ours needs them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers a 414 or 431 problem."""
        refused = refusal(scope) if scope["type"] == "http" else None
        await (problem_response(refused) if refused else self._app)(scope, receive, send)


def refusal(scope: Scope) -> ProblemError | None:
    """The problem of a request whose head is too large."""
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        return _TARGET_TOO_LONG
    headers = scope["headers"]
    too_large = sum(len(name) + len(value) for name, value in headers) > MAX_HEADERS_BYTES
    return _HEADERS_TOO_LARGE if too_large or len(headers) > MAX_HEADERS else None
