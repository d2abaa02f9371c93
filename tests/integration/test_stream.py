"""The live stream on real services: told within the second, on every gateway, to the right user, until the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGTERM
from statistics import median

import aiohttp
import pytest
import pytest_asyncio

from services.gateway import stream as module
from services.gateway.main import build_app
from services.gateway.settings import Settings
from tests.servers.dashboard import API, PASSWORD, Site, User, assert_problem, log_in, ready, report, site
from tests.servers.listening import listening
from tests.servers.processes import service_process
from tests.waiting import eventually

THEMES = ("dark", "light", "auto")


async def choose(gateway: Site, user: User, number: int) -> None:
    """Changes something that is told of."""
    chosen = {"theme": THEMES[number % 3]}
    reply = await gateway.ask("PATCH", f"{API}/preferences", token=user.token, json=chosen)
    assert reply.status == 200, reply.body


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def other(gateway_settings: Settings) -> AsyncIterator[Site]:
    """Another gateway before the same services."""
    async with site(build_app(gateway_settings), described=True) as served:
        await ready(served)
        yield served


async def settled(gateway: Site, user: User) -> str:
    """Waits until what signing up leads to is told; the id from which on nothing happens."""
    async with listening(gateway, user.token) as stream:
        known: list[str] = []

        def quiet() -> bool:
            known.append(stream.last)
            return bool(stream.last) and known[-40:] == [stream.last] * 40

        await eventually(quiet, what="nothing is told any more")
        return stream.last


async def test_a_change_is_told_within_the_second(gateway: Site, ada: User) -> None:
    await settled(gateway, ada)
    waits = []
    for number in range(5):
        async with listening(gateway, ada.token) as stream:
            started = asyncio.get_running_loop().time()
            await choose(gateway, ada, number)
            waits.append((await stream.hears("preferences")).at - started)
    assert median(waits) < 1, waits


async def test_only_the_right_user_is_told_and_every_gateway_tells(
    gateway: Site, other: Site, ada: User, bob: User
) -> None:
    await settled(gateway, bob)
    async with (
        listening(gateway, ada.token) as here,
        listening(other, ada.token) as there,
        listening(gateway, bob.token) as bobs,
        listening(other, bob.token) as bobs_too,
    ):
        await choose(gateway, ada, 0)
        heard = [await stream.hears("preferences") for stream in (here, there)]
        assert heard[0].id == heard[1].id
        assert heard[0].data == heard[1].data
        await report(gateway, ada, activity_type="cart_add")
        await there.hears("activity")
        assert bobs.heard == bobs_too.heard == []


async def test_it_goes_on_where_it_ended_on_another_gateway_too(gateway: Site, other: Site, ada: User) -> None:
    last = await settled(gateway, ada)
    await choose(gateway, ada, 0)
    await report(gateway, ada, activity_type="cart_add")
    async with listening(gateway, ada.token, last) as stream:
        await stream.hears("preferences")
        await stream.hears("activity")
        assert stream.resets() == 0
        last = stream.last

    async def is_as_far() -> bool:
        async with listening(other, ada.token, last) as stream:
            await eventually(lambda: stream.last, what="it begins")
            return stream.resets() == 0

    await eventually(is_as_far, what="the other gateway knows the place")
    await choose(gateway, ada, 1)
    async with listening(other, ada.token, last) as stream:
        await stream.hears("preferences")
        assert stream.resets() == 0


async def test_what_is_not_known_is_a_reset(gateway: Site, ada: User) -> None:
    last = await settled(gateway, ada)
    partition, offset, at = last.split("-")
    unknown = (f"{partition}-{int(offset) + 1_000}-{at}", f"{int(partition) + 1}-{offset}-{at}", "nonsense", "0-0-0")
    for made_up in unknown:
        async with listening(gateway, ada.token, made_up) as stream:
            await eventually(stream.resets, what=f"{made_up} is not known")
            assert stream.heard[0].data == {}
            known = stream.last
        async with listening(gateway, ada.token, known) as stream:
            await eventually(lambda: stream.last, what="it begins")
            assert stream.resets() == 0
    async with listening(gateway, ada.token, params={"last_event_id": "nonsense"}) as stream:
        await eventually(stream.resets, what="the parameter counts")
    async with listening(gateway, ada.token, last, params={"last_event_id": "nonsense"}) as stream:
        await choose(gateway, ada, 0)
        await stream.hears("preferences")
        assert stream.resets() == 0  # the header counts first


async def test_it_has_the_headers_of_a_stream_and_of_every_answer(gateway: Site, ada: User) -> None:
    async with listening(gateway, ada.token) as stream:
        assert stream.headers["Cache-Control"] == "no-store"
        assert stream.headers["X-Accel-Buffering"] == "no"
        assert stream.headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Length" not in stream.headers
    too_long = await gateway.ask("GET", f"{API}/stream", token=ada.token, params={"last_event_id": "x" * 101})
    assert_problem(too_long, 422, "invalid", "#/last_event_id")
    assert_problem(await gateway.ask("GET", f"{API}/stream"), 401, "no-token")


async def test_the_cookie_is_taken(gateway: Site, ada: User) -> None:
    async with listening(gateway, cookies={"session": ada.token}) as stream:
        await choose(gateway, ada, 0)
        await stream.hears("preferences")


async def test_it_ends_with_the_session_and_others_go_on(gateway: Site, ada: User) -> None:
    second = await log_in(gateway, ada.email)
    async with listening(gateway, ada.token) as first, listening(gateway, second) as ending:
        assert (await gateway.ask("POST", f"{API}/auth/logout", token=second)).status == 204
        await eventually(lambda: ending.ended, what="it ends")
        await choose(gateway, ada, 0)
        await first.hears("preferences")
        change = {"old": PASSWORD, "new": f"{PASSWORD} too"}
        third = await log_in(gateway, ada.email)
        async with listening(gateway, third) as of_another:
            await gateway.ask("POST", f"{API}/auth/password", token=ada.token, json=change)
            await eventually(lambda: of_another.ended, what="a new password ends it")


async def test_it_ends_with_the_account(gateway: Site, ada: User) -> None:
    async with listening(gateway, ada.token) as stream:
        erased = await gateway.ask("DELETE", f"{API}/account", token=ada.token, json={"password": PASSWORD})
        assert erased.status == 202
        await eventually(lambda: stream.ended, what="it ends")


async def test_a_session_that_ended_elsewhere_is_noticed(
    gateway: Site, other: Site, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHECK_SECONDS", 0.5)
    second = await log_in(gateway, ada.email)
    async with listening(other, ada.token) as ending, listening(other, second) as going_on:
        await gateway.ask("POST", f"{API}/auth/logout", token=ada.token)
        await eventually(lambda: ending.ended, what="the other gateway notices")
        assert not going_on.ended


async def test_it_says_that_it_is_alive(gateway: Site, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.2)
    await settled(gateway, ada)
    async with listening(gateway, ada.token) as stream:
        await eventually(lambda: stream.comments >= 2, what="comments come")


async def test_the_oldest_of_too_many_ends(gateway: Site, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_A_USER", 2)
    async with (
        listening(gateway, ada.token) as first,
        listening(gateway, ada.token) as second,
        listening(gateway, ada.token) as third,
    ):
        await eventually(lambda: first.ended, what="the first makes room")
        assert not second.ended
        assert not third.ended


async def test_a_process_with_open_streams_ends_at_once(
    gateway_settings: Settings, profile: Site, ada: User, tmp_path: Path
) -> None:
    given = {
        name: getattr(value, "get_secret_value", lambda value=value: value)()
        for name, value in gateway_settings.model_dump().items()
        if value not in (None, frozenset()) and name != "port"
    }
    async with (
        aiohttp.ClientSession() as http,
        service_process("gateway", given, tmp_path / "gateway.log") as process,
    ):
        await process.start()
        await process.ready()
        async with listening(Site(process.url, http), ada.token) as stream:
            await eventually(lambda: stream.last, what="it begins")
            assert await process.signal(SIGTERM) == 0
            await eventually(lambda: stream.ended, what="it ends")
    log = (tmp_path / "gateway.log").read_text()
    assert '"stopped"' in log
    assert "graceful shutdown exceeded" not in log, "nobody is waited for"
