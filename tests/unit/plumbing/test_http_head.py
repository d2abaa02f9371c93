"""What one client can make the server keep, and for how long."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.requests import ClientDisconnect

from shared.plumbing.http_head import MOST_BYTES, BoundedHttp
from tests.servers.raw import raw
from tests.servers.serving import serving
from tests.waiting import eventually

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
GIVE = b"GET / HTTP/1.1\r\nHost: x\r\n"
LARGE = 20_000_000  # more than the system keeps for a client that reads nothing


class Served:
    """An app at `url`, and what came of its requests."""

    def __init__(self) -> None:
        self.url = ""
        self.broken_off = 0
        self.app = FastAPI()
        self.app.add_api_route("/", self.take, methods=["POST"])
        self.app.add_api_route("/", self.give, methods=["GET"])

    async def take(self, request: Request) -> PlainTextResponse:
        """Answers with the names of the headers that there are when the body has come."""
        try:
            await request.body()
        except ClientDisconnect:
            self.broken_off += 1
        return PlainTextResponse(",".join(request.headers))

    async def give(self) -> PlainTextResponse:
        """Answers with much."""
        return PlainTextResponse("x" * LARGE)

    def connections(self) -> int:
        """How many clients the server keeps."""
        port = int(self.url.rpartition(":")[2])
        found = psutil.Process().net_connections("tcp")
        return sum(each.laddr.port == port and each.status != psutil.CONN_LISTEN for each in found)


@pytest_asyncio.fixture(loop_scope="session")
async def served() -> AsyncIterator[Served]:
    found = Served()
    async with serving(found.app) as found.url:
        yield found


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedHttp, "seconds", {"head": 0.2, "body": 0.4})
    monkeypatch.setattr(BoundedHttp, "stuck_seconds", 0.2)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", b""),
        (b"\r\n", b"HTTP/1.1 408"),
        (b"GET / HT", b"HTTP/1.1 408"),
        (HEAD, b"HTTP/1.1 408"),
        (HEAD + b"Content-Length: 9\r\n\r\n12345678", b""),
        (CHUNKED + b"2\r\n{}\r\n", b""),
        (CHUNKED + b"0\r\nA-Trailer: 1\r\n", b""),
    ],
)
async def test_who_stops_in_the_middle_is_not_waited_for(served: Served, sent: bytes, said: bytes) -> None:
    async with raw(served.url) as client:
        await client.send(sent)
        assert (await client.rest())[:12] == said


@pytest.mark.usefixtures("_impatient")
async def test_nor_on_a_connection_that_was_used_before(served: Served) -> None:
    async with raw(served.url) as client:
        await client.send(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert await client.status() == 200
        await client.send(b"\r\n")
        assert b"HTTP/1.1 408" in await client.rest()


@pytest.mark.usefixtures("_impatient")
async def test_who_drips_is_not_waited_for(served: Served) -> None:
    async with raw(served.url) as client:
        await client.send(HEAD + b"Content-Length: 100000\r\n\r\n")
        await eventually(lambda: client.sends(b"x", 1), what="the connection is closed")
        await eventually(lambda: served.broken_off == 1, what="the app is told")


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_who_takes_nothing_is_let_go(served: Served, more: bytes) -> None:
    async with raw(served.url) as client:
        await client.send(GIVE + more + b"\r\n")
        assert await client.status() == 200
        await eventually(lambda: served.connections() == 0, what="the connection is closed")
        assert len(await client.rest()) < LARGE


async def test_who_takes_it_slowly_gets_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, look = asyncio.Event(), BoundedHttp._look

    def noted(self: BoundedHttp) -> None:
        look(self)
        looked.set()

    monkeypatch.setattr(BoundedHttp, "stuck_seconds", 0.5)
    monkeypatch.setattr(BoundedHttp, "_look", noted)
    async with raw(served.url) as client:
        await client.send(GIVE + b"Connection: close\r\n\r\n")
        assert await client.status() == 200
        taken = 0
        for most in (LARGE // 8, LARGE // 4):  # the system keeps less than the rest
            while taken < most:
                taken += len(piece := await client.some(65_536))
                assert piece
            looked.clear()
            await eventually(looked.is_set, what="the server looks whether the client takes any")
        assert taken + len(await client.rest()) == LARGE


@pytest.mark.parametrize("piece", [b"A: " + b"x" * 4_000 + b"\r\n", b"x" * 4_000], ids=["many", "one"])
@pytest.mark.parametrize("end", [b"\r\n0\r\nA: ", b"\r\n1;"], ids=["trailers", "extensions"])
async def test_what_is_neither_head_nor_body_is_cut_off(served: Served, piece: bytes, end: bytes) -> None:
    async with raw(served.url) as client:
        await client.send(CHUNKED + b"2\r\n{}" + end)
        assert await client.sends(piece, 100 * MOST_BYTES)


async def test_a_body_in_small_pieces_and_its_trailers_are_none_of_that(served: Served) -> None:
    async with raw(served.url) as client:
        await client.send(CHUNKED + b"1\r\nx\r\n" * MOST_BYTES + b"0\r\nLate: 1\r\n\r\n")
        assert await client.status() == 200
        assert await client.some(100) == b"host,transfer-encoding"
