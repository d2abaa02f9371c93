"""What every request passes on its way in, and every answer on its way out."""

from collections.abc import Callable, Mapping

import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Message

from services.gateway.cookies import NoCrossSite
from services.gateway.headers import SecurityHeaders

HERE = {"host": "dashboard.example"}
COOKIE = {"cookie": "other=1; session=x"}
OWN: list[dict[str, str]] = [{"sec-fetch-site": "same-origin"}, {"origin": "https://dashboard.example"}]
FOREIGN: list[dict[str, str]] = [
    {},
    {"sec-fetch-site": "cross-site"},
    {"origin": "https://evil.example"},
    {"origin": "http://dashboard.example"},
    {"origin": "https://dashboard.example", "sec-fetch-site": "same-site"},
]


async def answer(wrap: Callable[[ASGIApp], ASGIApp], method: str, sent: Mapping[str, str]) -> Message:
    """The head of the answer, where `wrap` stands before an app that takes everything."""
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    headers = [(name.encode(), value.encode()) for name, value in (HERE | dict(sent)).items()]
    scope = {"type": "http", "method": method, "scheme": "https", "path": "/", "headers": headers}
    await wrap(Response(status_code=204))(scope, receive, send)
    return said[0]


async def status(method: str, sent: Mapping[str, str]) -> int:
    taken: int = (await answer(NoCrossSite, method, sent))["status"]
    return taken


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_with_the_cookie_is_taken_from_our_own_pages_only(method: str) -> None:
    assert [await status(method, COOKIE | own) for own in OWN] == [204] * len(OWN)
    assert [await status(method, COOKIE | foreign) for foreign in FOREIGN] == [403] * len(FOREIGN)


async def test_reading_and_a_token_are_taken_from_anywhere() -> None:
    assert [await status("GET", COOKIE | foreign) for foreign in FOREIGN] == [204] * len(FOREIGN)
    token = {"authorization": "Bearer x"}
    assert [await status("POST", COOKIE | token | foreign) for foreign in FOREIGN] == [204] * len(FOREIGN)
    assert await status("POST", COOKIE | {"authorization": "Basic eA=="}) == 403


async def test_every_answer_says_that_nobody_is_to_keep_it() -> None:
    headers = dict((await answer(SecurityHeaders, "GET", {}))["headers"])
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"strict-transport-security"].startswith(b"max-age=")
