"""`GET /overview`: what the services say of the user, joined byte by byte."""

import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway import examples_overview
from services.gateway.description import BAD_TOKEN, PREFIX, UNAVAILABLE, answer, invalid
from services.gateway.headers import raw_headers, refusal
from services.gateway.parts import SECTIONS, Part, Parts
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.overview import Overview
from shared.contracts.topics import Service
from shared.contracts.types import Section
from shared.plumbing import metrics

_PATH: Final = f"{PREFIX}/overview"
_ROUTE: Final = SimpleNamespace(path=_PATH)  # as the framework leaves it for those that measure
_HEADERS = {"Cache-Control": "private, no-cache"}
_STILL: Final = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
_SAID: Final = _HEADERS | {"Content-Type": "application/json"}  # what a 304 leaves out, the client has from before
_MOST_TAGS: Final = 1_000
_ORDER: Final[Sequence[Service]] = tuple(SECTIONS)
_MEMBERS: Final[Sequence[tuple[str, int, bytes]]] = tuple(
    (name, _ORDER.index(service), nothing)
    for name, service, nothing in (
        ("user", "profile", b"null"),
        ("stats", "purchases", b"null"),
        ("recent_activities", "activity", b"[]"),
        ("active_deployments", "purchases", b"[]"),
        ("insights", "analytics", b"null"),
        ("wallet", "purchases", b"null"),
    )
)
_SECTIONS: Final[Sequence[tuple[Section, int]]] = tuple(
    (section, place) for place, service in enumerate(_ORDER) for section in SECTIONS[service]
)


def joined(parts: Sequence[Part]) -> bytes:
    """The overview as JSON. `parts` are in the order of SECTIONS."""
    members = [b'"%s":%s' % (name.encode(), parts[n].members.get(name, empty)) for name, n, empty in _MEMBERS]
    states = [b'{"as_of":%s,"state":"%s"}' % (_quoted(part.as_of), part.state.encode()) for part in parts]
    sections = b",".join(b'"%s":%s' % (section.encode(), states[place]) for section, place in _SECTIONS)
    return b'{%s,"sections":{%s}}' % (b",".join(members), sections)


def etag(parts: Sequence[Part]) -> str:
    """A weak entity tag: overviews have the same one that say the same, though they say it as of another time."""
    return 'W/"' + "".join(f"{part.state[0]}{part.version}" for part in parts) + '"'


def is_known(if_none_match: str, tag: str) -> bool:
    """Whether `If-None-Match` names this tag, or any."""
    return if_none_match == tag or tag in (known.strip() for known in if_none_match.split(",")) or if_none_match == "*"


def _quoted(as_of: str | None) -> bytes:
    return b"null" if as_of is None else b'"%s"' % as_of.encode()


class ReadyOverviews:
    """Answers for an overview that is ready, before anything else looks at the request; passes all others on.

    Ready is one whose token was checked a moment ago and whose parts are all fresh. Everything else that is checked of
    a request there is checked here, too.
    """

    def __init__(self, app: ASGIApp, parts: Parts, sessions: Sessions) -> None:
        self._app, self._parts, self._sessions = app, parts, sessions
        self._heads = {scheme: raw_headers(_SAID, scheme) for scheme in ("http", "https")}
        self._seconds = {status: metrics.REQUEST_SECONDS.labels(_PATH, status) for status in (200, 304)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or passes the request on."""
        started, parts = time.perf_counter(), None
        if scope["type"] == "http" and scope["path"] == _PATH and scope["method"] == "GET" and not refusal(scope):
            headers = dict(scope["headers"])
            if len(headers.get(b"if-none-match", b"")) <= _MOST_TAGS:
                parts = self._ready(headers.get(b"authorization", b""))
        if parts is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        tag, given = etag(parts), headers.get(b"if-none-match")
        status = 304 if given and is_known(given.decode("latin-1"), tag) else 200
        body, head = b"", [*_STILL, (b"etag", tag.encode())]
        if status == 200:
            body = joined(parts)
            head = [(b"etag", tag.encode()), *self._heads[scope["scheme"]], (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": body})
        self._seconds[status].observe(time.perf_counter() - started)

    def _ready(self, authorization: bytes) -> Sequence[Part] | None:
        if not authorization.startswith(b"Bearer "):
            return None
        identity = self._sessions.remembered(authorization[7:].decode("latin-1"))
        return self._parts.ready(identity.user) if identity else None


_IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=_MOST_TAGS, description="An `ETag` that you have; 304 if it still holds."),
]
_TAGGED = {"ETag": {"schema": {"type": "string"}, "description": "Of what it says.", "example": 'W/"f5a1f09cf42b"'}}


def routes(parts: Parts, sessions: Sessions) -> APIRouter:
    """`GET /overview`."""
    router = APIRouter(prefix=PREFIX, tags=["overview"])
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)
    said = answer(200, "As much of it as there is.", examples_overview.OVERVIEW)

    @router.get(
        "/overview",
        response_model=Overview,
        summary="Everything at a glance",
        responses={200: said[200] | {"headers": _TAGGED}}
        | answer(304, "What you have still holds.")
        | invalid("#/If-None-Match", "String should have at most 1000 characters")
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def overview(identity: Asking, if_none_match: _IfNoneMatch = None) -> Response:
        """A part that does not answer within 0.8 seconds never fails the whole: `sections` says what is `stale` (as it
        was last known) or `unavailable` (null, or an empty list), and as of when each is true.
        """
        found = list((await parts.all_of(identity.user)).values())
        headers = _HEADERS | {"ETag": etag(found)}
        if if_none_match and is_known(if_none_match, headers["ETag"]):
            return Response(None, 304, headers)
        return Response(joined(found), 200, headers, "application/json")

    return router
