"""What our own processes are given, and when they are at rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from mycelium.stack.services import Addresses, at_rest, health, programs
from shared.contracts.topics import SERVICES

SECRETS = {"INTERNAL_KEY": "inside", "TOKEN_KEY": "token", "DEMO_PASSWORD": "demo"}
ADDRESSES = Addresses("127.0.0.1:9", "mongodb://127.0.0.1:7", {"activity": 1, "profile": 2, "gateway": 3})


@asynccontextmanager
async def answering(answer: Callable[[], Any]) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response(answer())

    app = web.Application()
    app.router.add_get("/readyz", readyz)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        yield http, str(server.make_url("")).rstrip("/")


async def test_each_process_is_given_what_it_needs_and_no_other_secret() -> None:
    async with aiohttp.ClientSession() as http:
        made = {program.name: program.env for program in programs(ADDRESSES, SECRETS, {"EXTRA": "1"}, http)}
    assert set(made) == {*SERVICES, "gateway"}
    activity, gateway = made["activity"], made["gateway"]
    assert (activity["HOST"], activity["PORT"], gateway["PORT"]) == ("127.0.0.1", "1", "3")
    assert activity["MONGO_URL"] == "mongodb://127.0.0.1:7"
    assert (gateway["ACTIVITY_URL"], gateway["PROFILE_URL"]) == ("http://127.0.0.1:1", "http://127.0.0.1:2")
    assert all(env["INTERNAL_KEY"] == "inside" and env["EXTRA"] == "1" for env in made.values())
    assert gateway["TOKEN_KEY"] == "token"
    assert "MONGO_URL" not in gateway
    assert "TOKEN_KEY" not in activity
    assert not any("DEMO_PASSWORD" in env for env in made.values())


async def test_no_secret_is_on_a_command_line() -> None:
    async with aiohttp.ClientSession() as http:
        for program in programs(ADDRESSES, SECRETS, {}, http):
            assert not {*SECRETS.values()} & {*program.argv}


async def test_health_is_empty_where_nothing_answers() -> None:
    async with aiohttp.ClientSession() as http:
        assert await health(http, "http://127.0.0.1:1") == {}
    async with answering(lambda: ["no object"]) as (http, url):
        assert await health(http, url) == {}


async def test_at_rest_when_both_figures_stay_zero() -> None:
    lags = iter([None, 7, 0, 3])  # the second 0 is the first one that lasts

    def answer() -> dict[str, object]:
        asked.append(lag := next(lags, 0))
        return {"lag": lag, "outbox": 0}

    asked: list[int | None] = []
    async with answering(answer) as (http, url):
        assert await at_rest(http, [url], ("lag", "outbox"), 10)
    assert len(asked) > 5


async def test_not_at_rest_while_one_figure_is_not_zero_or_not_known() -> None:
    for figures in ({"lag": 0, "outbox": 1}, {"lag": 1, "outbox": 0}, {"lag": None}):
        async with answering(lambda found=figures: found) as (http, url):
            assert not await at_rest(http, [url], ("lag", "outbox"), 0.7)


async def test_only_the_figures_that_are_asked_for_count() -> None:
    async with answering(lambda: {"lag": 5, "outbox": 0}) as (http, url):
        assert await at_rest(http, [url], ("outbox",), 10)


async def test_a_process_that_does_not_answer_is_not_at_rest() -> None:
    async with answering(lambda: {"lag": 0, "outbox": 0}) as (http, url):
        assert not await at_rest(http, [url, "http://127.0.0.1:1"], ("lag",), 0.7)
