"""The HTTP server's protocol, with an end to what one client can make it keep, and to how long.

The parser itself would keep a head, or what may follow a chunked body, of any size, and wait for either without end;
the transport would keep an answer for as long as its client takes none of it.
"""

import asyncio
from asyncio import TimerHandle
from typing import ClassVar, Literal

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
_LAST_WORDS = b"content-length: 0\r\nconnection: close\r\n\r\n"
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _LAST_WORDS
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _LAST_WORDS


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection that sends more than MOST_BYTES in a row that are neither a whole head nor a body, that takes
    longer than `seconds` for either, or whose client takes nothing of what it is sent for `stuck_seconds`.

    The app bounds the body, and should give up on a slow one earlier. Trailers are dropped: no app of ours reads them,
    and they would pass for headers that came after the checks.
    """

    seconds: ClassVar[dict[Literal["head", "body"], float]] = {"head": 15.0, "body": 330.0}
    stuck_seconds: ClassVar[float] = 120.0

    _awaited: Literal["head", "body"] | None = "head"
    _moved_on = False
    _bytes_in_a_row = _bytes_left = 0
    _deadline: TimerHandle | None = None
    _looking: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client is there."""
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        if self._deadline:
            self._deadline.cancel()
        self._look_no_more()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._await("head")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, is complete."""
        if self._awaited == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """What comes from now on is the body."""
        self._bytes_in_a_row = 0
        self._await("body")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of the body has come."""
        self._bytes_in_a_row = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The whole request is there."""
        self._bytes_in_a_row = 0
        self._await(None)
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Parses, and counts what leads nowhere."""
        self._bytes_in_a_row += len(data)
        super().data_received(data)
        if self._awaited is None and self._has_answered():  # blanks between two requests
            self._await("head")
        if self._moved_on:
            self._set_deadline()
        if self._bytes_in_a_row > MOST_BYTES:
            self._close_with(_TOO_LARGE)

    def pause_writing(self) -> None:
        """The client does not take what it is sent as fast as it is sent."""
        super().pause_writing()
        self._look_later()

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        self._look_no_more()

    def on_response_complete(self) -> None:
        """All of an answer is with the transport, which may have sent little of it."""
        super().on_response_complete()
        self._look_later()

    def _await(self, part: Literal["head", "body"] | None) -> None:
        self._awaited, self._moved_on = part, True

    def _has_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _set_deadline(self) -> None:
        self._moved_on = False
        if self._deadline:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(self.seconds[self._awaited], self._is_late) if self._awaited else None

    def _is_late(self) -> None:
        if self.flow.read_paused:  # it is we who are slow
            self._set_deadline()
        else:
            self._close_with(_TOO_SLOW)

    def _close_with(self, answer: bytes) -> None:
        """`answer` is for a client that has begun to ask, and waits for no other answer."""
        if self.transport.is_closing():
            return
        if self._awaited == "head" and self._bytes_in_a_row and self._has_answered():
            self.transport.write(answer)
        self.transport.close()
        self._look_later()

    def _look_later(self) -> None:
        self._look_no_more()
        self._bytes_left = self.transport.get_write_buffer_size()
        if self._bytes_left:
            self._looking = self.loop.call_later(self.stuck_seconds, self._look)

    def _look_no_more(self) -> None:
        if self._looking:
            self._looking.cancel()

    def _look(self) -> None:
        if self.transport.get_write_buffer_size() < self._bytes_left:
            self._look_later()
        else:
            self.transport.abort()
