"""`GET /stream`: Server-Sent Events that tell a user's pages which sections have changed.

A stream keeps for its client the latest change of each section, so a slow client costs next to nothing and is told the
latest. `Last-Event-ID` makes it go on where another one ended, on this gateway or on any other; where that cannot be
done it is told to `reset`, which means: read everything anew.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.types import Receive, Scope, Send

from services.gateway.changes import Change, Changes, Place
from services.gateway.description import BAD_TOKEN, PREFIX, Responses, invalid, problem
from services.gateway.sessions import Bearer, Cookie, Sessions
from services.gateway.tokens import Identity
from shared.contracts.types import Section
from shared.plumbing import metrics, tracing
from shared.plumbing.problems import ProblemError
from shared.plumbing.tracing import Trace
from shared.plumbing.waiting import set_within

RETRY_MS, HEARTBEAT_SECONDS, CHECK_SECONDS = 2_000, 15.0, 60.0
MOST_OF_A_USER, MOST_OF_ALL = 20, 5_000
_STUCK_SECONDS: Final = 30.0
_MOST_FOLLOWED: Final = 64  # traces of what a slow client is told at once
_CHECKED_AT_ONCE: Final = 16
_BUSY = ProblemError(
    503, "busy", "There are too many open streams; try again in a moment.", headers={"Retry-After": "5"}
)
_EXAMPLE = (
    "retry: 2000\nid: 3-1041-1769851799000\n\n"
    'event: section\nid: 3-1042-1769851800000\ndata: {"section":"purchases","as_of":"2026-01-31T09:30:00Z"}\n\n'
)


class Stream:
    """What the client of one connection has still to be told. `place` is the last place of what it was given to tell.

    Without one there is nothing that it could go on from. `traces` is where that is followed which `next` gave last.
    """

    def __init__(self, identity: Identity, token: str, place: Place | None) -> None:
        self.identity, self.token, self.place = identity, token, place
        self.has_ended = False
        self.traces: Sequence[Trace] = ()
        self._followed: list[Trace] = []
        self._pending: dict[Section, Change] = {}
        self._reset: Place | None = None
        self._text = f"retry: {_retry_ms()}\n" + (f"id: {place}\n" if place else "") + "\n"
        self._wake = asyncio.Event()
        self._wake.set()
        now = time.monotonic()
        self.beats_at, self.checked_at = now + HEARTBEAT_SECONDS, now

    def tell(self, change: Change) -> None:
        """The client is to know of this change."""
        self._pending[change.section] = change
        self.place = change.place
        if change.trace:
            self._followed = [*self._followed[1 - _MOST_FOLLOWED :], change.trace]
        self._wake.set()

    def reset(self, place: Place) -> None:
        """The client is to read everything anew; what it is told after that is after `place`."""
        self._pending.clear()
        self._reset = self.place = place
        self._wake.set()

    def beat(self, now: float) -> None:
        """The client is to be told that the stream is alive, unless it is told something anyway."""
        self.beats_at = now + HEARTBEAT_SECONDS
        self._wake.set()

    def end(self) -> None:
        """Ends the stream."""
        self.has_ended = True
        self._wake.set()

    async def next(self) -> bytes:
        """What to send next: once there is something to tell, or to beat, or the stream has ended."""
        await self._wake.wait()
        self._wake.clear()
        text, self._text = self._text, ""
        if self._reset:
            text += f"event: reset\nid: {self._reset}\ndata: {{}}\n\n"
            self._reset = None
        for change in sorted(self._pending.values(), key=lambda each: each.place):
            data = f'{{"section":"{change.section}","as_of":"{change.as_of}"}}'
            text += f"event: section\nid: {change.place}\ndata: {data}\n\n"
        self._pending.clear()
        self.traces, self._followed = self._followed, []
        return text.encode() or b":\n\n"


def _retry_ms() -> int:
    """When to come back: not the same for all who lose their streams at once."""
    return RETRY_MS // 2 + secrets.randbelow(RETRY_MS)


class Streams:
    """All the streams of this process, by user."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._open: dict[str, dict[Stream, None]] = {}
        self._number = 0
        self._changes: Changes | None = None
        self._partition_of: Callable[[str], int] = lambda _user: 0
        self._stopping = asyncio.Event()

    def follow(self, changes: Changes, partition_of: Callable[[str], int]) -> None:
        """Changes are told from now on, and `changes` holds those that were before: each stream goes on with them."""
        self._changes, self._partition_of = changes, partition_of
        for user, streams in self._open.items():
            for stream in streams:
                self._go_on(user, stream, changes)

    def lose_track(self) -> None:
        """Changes may be missed from now on, until `follow`."""
        self._changes = None

    def tell(self, user: str, change: Change) -> None:
        """A section of this user has changed."""
        for stream in self._open.get(user, ()):
            stream.tell(change)

    def place_of(self, user: str) -> Place | None:
        """Where a stream can go on from that is opened later, so that nothing that happens meanwhile is missed."""
        return self._changes.end(self._partition_of(user)) if self._changes else None

    def open(self, identity: Identity, token: str, last: str | None) -> Stream:
        """A stream of what changes from now on, or since `last`. Raises a 503 problem where there are too many."""
        if self._stopping.is_set() or self._number >= MOST_OF_ALL:
            raise _BUSY
        user = identity.user
        stream = Stream(identity, token, Place.parse(last) if last else self.place_of(user))
        mine = self._open.setdefault(user, {})
        going_on = [each for each in mine if not each.has_ended]
        if len(going_on) >= MOST_OF_A_USER:
            going_on[0].end()
        mine[stream] = None
        self._count(1)
        if self._changes:
            self._go_on(user, stream, self._changes)
        return stream

    def close(self, stream: Stream) -> None:
        """The stream's connection is gone."""
        mine = self._open[stream.identity.user]
        del mine[stream]
        if not mine:
            del self._open[stream.identity.user]
        self._count(-1)

    def end(self, user: str, is_ended: Callable[[Identity], bool]) -> None:
        """Ends the user's streams of sessions that were ended."""
        for stream in self._open.get(user, ()):
            if is_ended(stream.identity):
                stream.end()

    def leave(self) -> None:
        """Ends all streams, and opens no more."""
        self.stop()
        for stream in self._all():
            stream.end()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Lets the streams beat, and looks now and then whether their sessions are alive, until `stop`."""
        while not await set_within(self._stopping, 1.0):
            now = time.monotonic()
            for stream in self._all():
                if stream.beats_at <= now:
                    stream.beat(now)
            due = [stream for stream in self._all() if stream.checked_at <= now - CHECK_SECONDS]
            for first in range(0, len(due), _CHECKED_AT_ONCE):
                await asyncio.gather(*(self._check(stream) for stream in due[first : first + _CHECKED_AT_ONCE]))

    def _go_on(self, user: str, stream: Stream, changes: Changes) -> None:
        partition = self._partition_of(user)
        missed = changes.since(user, partition, stream.place) if stream.place else None
        if missed is None:
            stream.reset(changes.end(partition) or Place(partition, -1, 0))
        for change in sorted((missed or {}).values(), key=lambda each: each.place):
            stream.tell(change)

    async def _check(self, stream: Stream) -> None:
        """Ends the stream if its session has ended elsewhere. While that cannot be known it goes on."""
        stream.checked_at = time.monotonic()
        try:
            await self._sessions.check(stream.token, None)
        except ProblemError as error:
            if error.status == 401:
                stream.end()

    def _all(self) -> list[Stream]:
        return [stream for streams in self._open.values() for stream in streams]

    def _count(self, change: int) -> None:
        self._number += change
        metrics.STREAMS.set(self._number)


class EventStream(Response):
    """A stream as the answer to a request, for as long as its client listens and it has not ended."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, streams: Streams) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._stream, self._streams = stream, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Sends. A client that takes nothing for too long is left alone; it comes back if it is alive."""
        listening = asyncio.create_task(_end_with_the_client(self._stream, receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while not self._stream.has_ended:
                body = await self._stream.next()
                with tracing.current().writing(self._stream.traces):
                    async with asyncio.timeout(_STUCK_SECONDS):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(_STUCK_SECONDS):
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            return
        finally:
            listening.cancel()
            self._streams.close(self._stream)


async def _end_with_the_client(stream: Stream, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


_Last = Annotated[str | None, Header(alias="Last-Event-ID", max_length=100, description="The last `id` that came.")]
_LastToo = Annotated[
    str | None,
    Query(max_length=100, description="The same, for a client that cannot set the header; the header counts first."),
]


def routes(streams: Streams, sessions: Sessions) -> APIRouter:
    """`GET /stream`."""
    router = APIRouter(prefix=PREFIX, tags=["overview"])
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    @router.get(
        "/stream",
        status_code=200,
        summary="What changes, as it changes",
        response_class=EventStream,
        responses=_events()
        | problem(503, "busy", "There are too many open streams; try again in a moment.")
        | invalid("#/last_event_id", "String should have at most 100 characters")
        | BAD_TOKEN,
    )
    async def stream(
        identity: Asking, bearer: Bearer, cookie: Cookie, last: _Last = None, last_event_id: _LastToo = None
    ) -> Response:
        """Server-Sent Events: `section` names a section of `GET /overview` that has something new; `reset` says that
        some may have been missed, so that everything is to be read anew. A comment comes every 15 seconds.

        Open the stream first and read then, so that nothing falls in between. It ends with the session.
        """
        token = bearer.credentials if bearer else cookie or ""
        return EventStream(streams.open(identity, token, last or last_event_id), streams)

    return router


def _events() -> Responses:
    content: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}
    return {200: {"description": "Events without end.", "content": content}}
