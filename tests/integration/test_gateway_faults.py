"""The gateway while something behind it is slow, silent or gone. Every answer is held against its description."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from mycelium.stack.ports import free_ports
from services.gateway.main import build_app
from services.gateway.settings import Settings
from tests.servers.dashboard import (
    API,
    PASSWORD,
    Site,
    User,
    assert_problem,
    ready,
    report,
    sign_up,
    site,
)
from tests.servers.embedded import embedded_kafka
from tests.servers.proxy import proxied
from tests.waiting import eventually


async def test_a_check_that_a_logout_overtakes_is_not_remembered(
    gateway_settings: Settings, gateway: Site, ada: User
) -> None:
    held, let_go = asyncio.Event(), asyncio.Event()

    async def holding_the_first_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = gateway_settings.profile_url.removeprefix("http://").partition(":")
        from_profile, to_profile = await asyncio.open_connection(host, int(port))
        while asked := await reader.read(65_536):
            to_profile.write(asked)
            answer = await from_profile.read(65_536)
            if not held.is_set():
                held.set()
                await let_go.wait()
            writer.write(answer)
        to_profile.close()
        writer.close()

    between = await asyncio.start_server(holding_the_first_answer, "127.0.0.1", 0)
    port = between.sockets[0].getsockname()[1]
    through_it = gateway_settings.model_copy(update={"profile_url": f"http://127.0.0.1:{port}"})
    async with between, site(build_app(through_it), described=True) as slow:
        await ready(slow)
        overtaken = asyncio.create_task(slow.ask("GET", f"{API}/activities", token=ada.token))
        await held.wait()
        assert (await slow.ask("POST", f"{API}/auth/logout", token=ada.token)).status == 204
        let_go.set()
        assert (await overtaken).status == 200  # it was alive when it asked
        assert (await slow.ask("GET", f"{API}/activities", token=ada.token)).status == 401


async def test_a_dead_profile_service_is_a_503_and_never_a_login(
    gateway_settings: Settings, gateway: Site, ada: User
) -> None:
    (nothing_listens,) = free_ports(1)
    alone = gateway_settings.model_copy(update={"profile_url": f"http://127.0.0.1:{nothing_listens}"})
    async with site(build_app(alone), described=True) as cut_off:
        await ready(cut_off)
        credentials = {"email": ada.email, "password": PASSWORD}
        for method, path, json in (
            ("GET", "/activities", None),
            ("POST", "/auth/logout", None),
            ("POST", "/auth/login", credentials),
            ("POST", "/auth/register", credentials),
        ):
            reply = await cut_off.ask(method, f"{API}{path}", token=ada.token, json=json)
            assert_problem(reply, 503, "profile-unavailable")
            assert reply.headers["Retry-After"] == "1"
    assert (await gateway.ask("GET", f"{API}/activities", token=ada.token)).status == 200


async def test_a_session_is_remembered_for_seconds_and_not_longer(gateway_settings: Settings) -> None:
    async with proxied(int(gateway_settings.profile_url.rpartition(":")[2])) as profile:
        through_it = gateway_settings.model_copy(update={"profile_url": f"http://127.0.0.1:{profile.port}"})
        async with site(build_app(through_it), described=True) as gateway:
            await ready(gateway)
            user = await sign_up(gateway)
            assert (await gateway.ask("GET", f"{API}/activities", token=user.token)).status == 200
            await profile.cut()
            assert (await gateway.ask("GET", f"{API}/activities", token=user.token)).status == 200

            async def forgotten() -> bool:
                return (await gateway.ask("GET", f"{API}/activities", token=user.token)).status == 503

            await eventually(forgotten, what="the session is not remembered any more")


async def test_a_dead_activity_service_is_a_503(gateway_settings: Settings, ada: User) -> None:
    (nothing_listens,) = free_ports(1)
    alone = gateway_settings.model_copy(update={"activity_url": f"http://127.0.0.1:{nothing_listens}"})
    async with site(build_app(alone), described=True) as cut_off:
        await ready(cut_off)
        for path in ("/activities", "/activities/summary"):
            reply = await cut_off.ask("GET", f"{API}{path}", token=ada.token)
            assert_problem(reply, 503, "activity-unavailable")
            assert reply.headers["Retry-After"] == "1"


async def test_a_service_that_is_silent_is_a_503_within_seconds(gateway_settings: Settings, ada: User) -> None:
    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    silent = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with (
        silent,
        site(build_app(gateway_settings.model_copy(update={"activity_url": f"http://127.0.0.1:{port}"}))) as cut,
    ):
        await ready(cut)
        async with asyncio.timeout(8):
            reply = await cut.ask("GET", f"{API}/activities", token=ada.token)
        assert_problem(reply, 503, "activity-unavailable")


async def test_a_key_that_the_services_refuse_is_our_fault_and_not_the_clients(
    gateway_settings: Settings, ada: User
) -> None:
    wrong = gateway_settings.model_copy(
        update={"internal_key": type(gateway_settings.internal_key)("another key " * 4)}
    )
    async with site(build_app(wrong), described=True) as gateway:
        await ready(gateway)
        assert_problem(await gateway.ask("GET", f"{API}/activities", token=ada.token), 503, "profile-unavailable")
        for path in ("/auth/login", "/auth/register"):
            credentials = {"email": ada.email, "password": PASSWORD}
            assert_problem(await gateway.ask("POST", f"{API}{path}", json=credentials), 503, "profile-unavailable")


async def test_without_kafka_reading_goes_on_and_reporting_says_so(gateway_settings: Settings, ada: User) -> None:
    (nothing_listens,) = free_ports(1)
    alone = gateway_settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{nothing_listens}"})
    async with site(build_app(alone), described=True) as gateway:
        assert (await gateway.ask("GET", "/livez")).status == 200
        health = await gateway.ask("GET", "/readyz")
        assert (health.status, health.json["ready"]) == (503, False)
        assert (await gateway.ask("GET", f"{API}/activities", token=ada.token)).status == 200
        reply = await report(gateway, ada, activity_type="cart_add")
        assert_problem(reply, 503, "events-unavailable")
        assert reply.headers["Retry-After"] == "1"


async def test_a_broker_that_goes_away_is_not_waited_for(
    gateway_settings: Settings, ada: User, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with AsyncExitStack() as running:
        broker = await running.enter_async_context(embedded_kafka(tmp_path_factory.mktemp("own-kafka")))
        own = gateway_settings.model_copy(update={"kafka_bootstrap_servers": broker, "kafka_enable_idempotence": False})
        async with site(build_app(own), described=True) as gateway:
            await ready(gateway)
            assert (await report(gateway, ada, activity_type="cart_add")).status == 202
            await running.aclose()
            async with asyncio.timeout(15):
                reply = await report(gateway, ada, activity_type="cart_add")
            assert_problem(reply, 503, "events-unavailable")
            assert (await gateway.ask("GET", "/readyz")).status == 503
