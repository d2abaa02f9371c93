"""The HTTP server's protocol, with an end to how much a client may send before its headers are complete."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST_BYTES = 65_536
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose request line and headers have no end; the parser would keep all of them in memory."""

    _in_the_head, _head_bytes = False, 0

    def on_message_begin(self) -> None:
        """The first byte of a request has come."""
        super().on_message_begin()
        self._in_the_head, self._head_bytes = True, 0

    def on_headers_complete(self) -> None:
        """What comes from now on is the body, which the app bounds."""
        self._in_the_head = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Parses, and counts what is not complete yet."""
        super().data_received(data)
        if self._in_the_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_BYTES and not self.transport.is_closing():
                self.transport.write(_TOO_LARGE)
                self.transport.close()
