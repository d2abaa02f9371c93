"""`mycelium up` for real: it starts, looks after its processes, and ends with nothing lost."""

import asyncio
import json
import os
import re
import signal
import stat
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiokafka import AIOKafkaProducer

from mycelium.stack.ports import free_ports, is_free
from shared.contracts.build import make_event
from shared.contracts.marketplace import ProductViewed
from shared.contracts.topics import MARKETPLACE, SERVICES
from tests.servers.up import STOP_SECONDS, Up, alive, mycelium_up
from tests.waiting import eventually

PASSWORD = "correct horse battery staple"


async def is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/readyz") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def all_are_ready(http: aiohttp.ClientSession, up: Up) -> None:
    for url in (up.stack["gateway"], *up.stack["services"].values()):
        await eventually(partial(is_ready, http, url), timeout=60, what=f"{url} is ready")


class User:
    """Somebody with an account at a stack's gateway."""

    def __init__(self, http: aiohttp.ClientSession, email: str) -> None:
        self._http, self.email = http, email

    async def register(self, up: Up) -> int:
        body = {"email": self.email, "password": PASSWORD}
        async with self._http.post(f"{up.stack['gateway']}/api/v1/auth/register", json=body) as response:
            return response.status

    async def log_in(self, up: Up) -> dict[str, str]:
        """The headers of requests from now on."""
        body = {"email": self.email, "password": PASSWORD}
        async with self._http.post(f"{up.stack['gateway']}/api/v1/auth/login", json=body) as response:
            assert response.status == 200
            return {"authorization": f"Bearer {(await response.json())['access_token']}"}

    async def views(self, up: Up) -> int:
        """How many product views the summary counts."""
        url = f"{up.stack['gateway']}/api/v1/activities/summary"
        async with self._http.get(url, headers=await self.log_in(up)) as response:
            summary: dict[str, Any] = await response.json()  # Any: JSON
        return int(summary.get("product_view", 0))


@pytest.fixture
def user(http: aiohttp.ClientSession) -> User:
    return User(http, f"{uuid4().hex}@example.org")


async def publish_views(up: Up, email: str, count: int) -> None:
    """Publishes so many product views of the user, and returns when the broker has all of them."""
    events = [make_event(ProductViewed(user_email=email, product_id="p"), source="/test") for _ in range(count)]
    producer = AIOKafkaProducer(bootstrap_servers=up.stack["kafka"], enable_idempotence=False, acks="all")
    await producer.start()
    try:
        sent = [await producer.send(MARKETPLACE.name, e.to_json(), key=e.subject.encode()) for e in events]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def died_and_came_back(http: aiohttp.ClientSession, up: Up, name: str) -> None:
    """Kills a process of the stack and waits until stack.json names its successor and everything is ready."""
    killed = up.stack["pids"][name]
    os.kill(killed, signal.SIGKILL)
    await eventually(lambda: up.stack["pids"][name] != killed and alive(up.stack["pids"][name]), timeout=60)
    await all_are_ready(http, up)


async def test_what_is_printed_and_written_is_true(stack: Up, http: aiohttp.ClientSession) -> None:
    told = stack.stack
    assert told["gateway"] == f"http://127.0.0.1:{stack.port}"
    assert told["gateway"] in stack.screen
    assert set(told["services"]) == set(SERVICES)
    assert set(told["pids"]) == {"mongod", "kafka", "gateway", *SERVICES}
    assert all(alive(pid) for pid in told["pids"].values())
    await all_are_ready(http, stack)


async def test_what_is_kept_is_its_owners_alone(stack: Up) -> None:
    assert stat.S_IMODE(stack.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((stack.data / "secrets.json").stat().st_mode) == 0o600


async def test_a_service_that_is_killed_is_started_again(stack: Up, http: aiohttp.ClientSession) -> None:
    before = stack.stack
    await died_and_came_back(http, stack, "activity")
    others = set(before["pids"]) - {"activity"}
    assert {name: stack.stack["pids"][name] for name in others} == {name: before["pids"][name] for name in others}
    assert stack.stack["services"] == before["services"]


async def test_the_gateway_and_the_database_too(stack: Up, http: aiohttp.ClientSession, user: User) -> None:
    assert await user.register(stack) == 201
    await died_and_came_back(http, stack, "gateway")
    await died_and_came_back(http, stack, "mongod")
    await user.log_in(stack)


async def test_after_the_broker_everything_that_uses_it_is_started_again(
    stack: Up, http: aiohttp.ClientSession, user: User
) -> None:
    assert await user.register(stack) == 201
    await publish_views(stack, user.email, 50)
    await eventually(partial(has_views, user, stack, 50), timeout=60)
    before = stack.stack["pids"]
    await died_and_came_back(http, stack, "kafka")
    await eventually(lambda: all(stack.stack["pids"][name] != before[name] for name in ("gateway", *SERVICES)))
    await all_are_ready(http, stack)
    assert "The embedded broker ended" in stack.screen
    await publish_views(stack, user.email, 5)  # fewer than before: a kept position would skip them
    await eventually(partial(has_views, user, stack, 55), timeout=60)


async def has_views(user: User, up: Up, count: int) -> bool:
    return await user.views(up) == count


async def test_a_second_stack_runs_beside_it(
    stack: Up, http: aiohttp.ClientSession, user: User, tmp_path: Path
) -> None:
    async with mycelium_up(tmp_path / "data") as second:
        await second.is_up()
        await all_are_ready(http, second)
        await all_are_ready(http, stack)
        assert not set(second.stack["pids"].values()) & set(stack.stack["pids"].values())
        assert await user.register(second) == 201
        assert await user.register(stack) == 201
        assert await second.stop() == 0
    await all_are_ready(http, stack)


async def test_a_second_stack_on_the_same_directory_is_refused(stack: Up, http: aiohttp.ClientSession) -> None:
    async with mycelium_up(stack.data) as second:
        assert await second.ends() == 1
        pid = stack.process.pid
        assert re.fullmatch(rf"Another stack \(process {pid}\) runs on .*--data-dir\.\n", second.screen)
    await all_are_ready(http, stack)


async def test_a_taken_port_is_refused_before_anything_is_started(stack: Up, tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data", port=stack.port) as second:
        assert await second.ends() == 1
        assert second.screen == f"Port {stack.port} is taken. Choose another one: mycelium up --port {stack.port + 1}\n"
        assert not any((second.data / "logs").iterdir())


async def test_an_end_loses_nothing_and_the_next_start_goes_on(
    http: aiohttp.ClientSession, user: User, tmp_path: Path
) -> None:
    async with mycelium_up(tmp_path / "data") as first:
        await first.is_up()
        pids, secrets = first.stack["pids"].values(), (first.data / "secrets.json").read_bytes()
        assert await user.register(first) == 201
        for number in range(20):
            await publish_views(first, f"{number}@example.org", 500)
        await publish_views(first, user.email, 900)
        asked_at = time.monotonic()
        assert await first.stop() == 0
        assert time.monotonic() - asked_at < STOP_SECONDS
        assert not any(alive(pid) for pid in pids)
        assert not (first.data / "stack.json").exists()
        assert is_free(first.port)
        assert first.screen.endswith("Ended. All that was published is stored.\n")
        logged = "".join(log.read_text() for log in (first.data / "logs").iterdir())
        assert user.email not in logged
        assert not any(secret in logged for secret in json.loads(secrets).values())
    async with mycelium_up(tmp_path / "data") as second:
        await second.is_up()
        assert (second.data / "secrets.json").read_bytes() == secrets
        assert await user.register(second) == 409
        assert await user.views(second) == 900


async def test_what_could_not_be_stored_in_time_is_stored_after_the_next_start(
    http: aiohttp.ClientSession, user: User, tmp_path: Path
) -> None:
    async with mycelium_up(tmp_path / "data") as first:
        await first.is_up()
        assert await user.register(first) == 201
        os.kill(first.stack["pids"]["activity"], signal.SIGSTOP)
        await publish_views(first, user.email, 300)
        assert await first.stop() == 0
        assert re.search(r"Not stored yet, kept, and read at the next start: 30\d records\.", first.screen)
    async with mycelium_up(tmp_path / "data") as second:
        await second.is_up()
        await eventually(partial(has_views, user, second, 300), timeout=60)
        assert await second.stop() == 0
        assert "All that was published is stored" in second.screen


async def test_ctrl_c_twice_ends_at_once(tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data") as up:
        await up.is_up()
        pids = up.stack["pids"].values()
        os.kill(up.stack["pids"]["activity"], signal.SIGSTOP)  # it can neither drain nor end
        up.process.send_signal(signal.SIGINT)
        await eventually(lambda: "Ctrl-C once more" in up.screen)
        up.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(5):  # far less than the stopped one would be waited for
            assert await up.process.wait() == 0
        assert not any(alive(pid) for pid in pids)


async def test_a_terminal_that_is_closed_during_the_start_ends_it(tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data") as up:
        await eventually((up.data / "logs" / "mongod.log").exists, timeout=60)
        await eventually(lambda: (up.data / "logs" / "mongod.log").stat().st_size, timeout=60)
        up.process.send_signal(signal.SIGHUP)
        assert await up.ends() == 0
        assert "Mycelium is up" not in up.screen


@pytest.mark.skipif(os.uname().sysname != "Linux", reason="only Linux ends a process with its parent")
async def test_a_killed_command_leaves_no_orphans_and_can_be_started_again(
    http: aiohttp.ClientSession, user: User, tmp_path: Path
) -> None:
    async with mycelium_up(tmp_path / "data") as first:
        await first.is_up()
        pids = first.stack["pids"].values()
        assert await user.register(first) == 201
        first.process.kill()
        await first.process.wait()
        await eventually(lambda: not any(alive(pid) for pid in pids))
    async with mycelium_up(tmp_path / "data", port=first.port) as second:
        await second.is_up()
        await all_are_ready(http, second)
        await user.log_in(second)


async def test_servers_of_ones_own_are_used_and_left_alone(
    kafka: str, mongo_url: str, http: aiohttp.ClientSession, user: User, tmp_path: Path
) -> None:
    embedded = {  # in case the tests' own broker is the embedded one
        "KAFKA_ENABLE_IDEMPOTENCE": "false",
        "KAFKA_SESSION_TIMEOUT_MS": "1500",
        "KAFKA_HEARTBEAT_INTERVAL_MS": "400",
    }
    async with mycelium_up(tmp_path / "data", "--kafka", kafka, "--mongo", mongo_url, env=embedded) as up:
        await up.is_up()
        assert up.stack["kafka"] == kafka
        assert up.stack["mongo"] == mongo_url
        assert set(up.stack["pids"]) == {"gateway", *SERVICES}
        assert await user.register(up) == 201
        assert await up.stop() == 0


@pytest.mark.parametrize("option", ["--kafka", "--mongo"])
async def test_servers_of_ones_own_that_do_not_answer_are_named(tmp_path: Path, option: str) -> None:
    (port,) = free_ports(1)
    address = {"--kafka": f"127.0.0.1:{port}", "--mongo": f"mongodb://127.0.0.1:{port}"}[option]
    async with mycelium_up(tmp_path / "data", option, address) as up:
        assert await asyncio.wait_for(up.process.wait(), 20) == 1
        assert option in up.screen
        assert len(up.screen.splitlines()) == 1


async def test_the_demo_shows_a_timeline_that_fills(tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data", "--demo") as up:
        await up.is_up()
        await eventually(lambda: "curl" in up.screen, timeout=60)
        line = up.screen[up.screen.index("curl") :]

        def timeline() -> str:
            return subprocess.run(["/bin/sh", "-c", line], capture_output=True, check=False, text=True).stdout

        await eventually(lambda: timeline().count('"activity_type"') == 5, timeout=60, interval=0.5)
        assert alive(up.stack["pids"]["simulator"])
        assert await up.stop() == 0
        assert (up.data / "demo.json").exists()
