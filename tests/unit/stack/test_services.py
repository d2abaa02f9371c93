"""What our own processes are given, and when they are at rest."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from mycelium.stack.services import FIGURES, NAMES, Addresses, answers, at_rest, health, programs
from shared.contracts.topics import SERVICES

SECRETS = {
    "INTERNAL_KEY": "inside",
    "TOKEN_KEY": "token",
    "EXPORT_KEY": "export",
    "DEMO_PASSWORD": "demo",
    "CREDENTIALS_PRIVATE_JWK": "jwk",
    "CREDENTIALS_KEKS": "keks",
}
OF_ONE = {
    "TOKEN_KEY": "gateway",
    "EXPORT_KEY": "gateway",
    "CREDENTIALS_PRIVATE_JWK": "purchases",
    "CREDENTIALS_KEKS": "purchases",
}
PORTS = {name: number for number, name in enumerate(NAMES, start=1)}
ADDRESSES = Addresses("127.0.0.1:9", "mongodb://127.0.0.1:7", PORTS)


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
    assert {env["HOST"] for env in made.values()} == {"127.0.0.1"}
    assert {name: int(env["PORT"]) for name, env in made.items()} == PORTS
    assert activity["MONGO_URL"] == "mongodb://127.0.0.1:7"
    assert all(gateway[f"{name.upper()}_URL"] == f"http://127.0.0.1:{PORTS[name]}" for name in SERVICES)
    assert all(env["INTERNAL_KEY"] == "inside" and env["EXTRA"] == "1" for env in made.values())
    for name, owner in OF_ONE.items():
        assert {process for process, env in made.items() if name in env} == {owner}
        assert made[owner][name] == SECRETS[name]
    assert "MONGO_URL" not in gateway
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


async def test_whatever_a_process_says_it_answers() -> None:
    async with answering(dict) as (http, url):
        assert await answers(http, url)
        assert await answers(http, f"{url}/not/there")
        assert not await answers(http, "http://127.0.0.1:1")


async def test_our_own_processes_are_asked_whether_they_live() -> None:
    async with answering(dict) as (http, url):
        addresses = Addresses("nowhere", "nowhere", PORTS | {"analytics": int(url.rpartition(":")[2])})
        made = {program.name: program.is_alive for program in programs(addresses, SECRETS, {}, http)}
        assert {name: asked and await asked() for name, asked in made.items()} == {
            name: name == "analytics" for name in NAMES
        }


async def test_at_rest_as_soon_as_both_figures_are_zero() -> None:
    told = iter([(None, 0), (7, 3), (0, 3), (7, 0), (0, 0)])

    def answer() -> dict[str, object]:
        return dict(zip(FIGURES, next(told), strict=True))

    async with answering(answer) as (http, url):
        assert await at_rest(http, [url], FIGURES, 10)
    assert list(told) == []


@pytest.mark.parametrize("told", [{"lag": 0, "outbox": 1}, {"lag": 1, "outbox": 0}, {"lag": None}, {"ready": True}])
async def test_not_at_rest_while_a_figure_is_not_zero_or_not_known(told: dict[str, object]) -> None:
    async with answering(lambda: told) as (http, url):
        assert not await at_rest(http, [url], FIGURES, 0.7)


@pytest.mark.parametrize("told", [{"lag": 0, "outbox": 0}, {"lag": 0}, {"outbox": 0}])
async def test_a_service_tells_the_figures_that_it_has(told: dict[str, object]) -> None:
    async with answering(lambda: told) as (http, url):
        assert await at_rest(http, [url], FIGURES, 10)


async def test_only_the_figures_that_are_asked_for_count() -> None:
    async with answering(lambda: {"lag": 5, "outbox": 0}) as (http, url):
        assert await at_rest(http, [url], ("outbox",), 10)


async def test_a_process_that_does_not_answer_is_not_at_rest() -> None:
    async with answering(lambda: {"lag": 0, "outbox": 0}) as (http, url):
        assert not await at_rest(http, [url, "http://127.0.0.1:1"], ("lag",), 0.7)
