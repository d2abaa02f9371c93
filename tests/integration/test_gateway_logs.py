"""What the processes write to their logs: never a user's data, never a secret."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import aiohttp

from mycelium.stack.ports import free_ports
from tests.servers.dashboard import Site, ready

API = "/api/v1"
ROOT = Path(__file__).parents[2]


async def start(service: str, environment: Mapping[str, str], log: Path) -> Process:
    with log.open("wb") as stderr:
        argv = (sys.executable, "-m", f"services.{service}")
        return await asyncio.create_subprocess_exec(*argv, env={**os.environ, **environment}, cwd=ROOT, stderr=stderr)


async def test_no_users_data_and_no_secret_is_ever_logged(
    mongo_url: str, client_settings: dict[str, object], tmp_path: Path
) -> None:
    gateway_port, profile_port, nothing_listens = free_ports(3)
    keys = {name: secrets.token_urlsafe(32) for name in ("INTERNAL_KEY", "TOKEN_KEY", "EXPORT_KEY")}
    common = {name.upper(): str(value) for name, value in client_settings.items()} | keys | {"LOG_LEVEL": "DEBUG"}
    profile = common | {"MONGO_URL": mongo_url, "PORT": str(profile_port)}
    gone = {f"{name}_URL": f"http://127.0.0.1:{nothing_listens}" for name in ("ACTIVITY", "PURCHASES", "ANALYTICS")}
    gateway = (
        common
        | gone
        | {
            "PROFILE_URL": f"http://127.0.0.1:{profile_port}",
            "PORT": str(gateway_port),
        }
    )
    logs = tmp_path / "profile.log", tmp_path / "gateway.log"
    running = [await start("profile", profile, logs[0]), await start("gateway", gateway, logs[1])]
    try:
        async with aiohttp.ClientSession() as http:
            await ready(Site(f"http://127.0.0.1:{profile_port}", http))
            sayings = await everything_that_can_go_wrong(Site(f"http://127.0.0.1:{gateway_port}", http))
    finally:
        for process in running:
            process.terminate()
        codes = [await process.wait() for process in running]
    assert codes == [0, 0]
    written = "".join(log.read_text() for log in logs)
    assert "service_unavailable" in written  # so that there is something to look at
    assert [said for said in (*sayings, *keys.values(), "@") if said in written] == []


async def everything_that_can_go_wrong(gateway: Site) -> list[str]:
    """Uses the gateway well and badly; returns what was said to it in confidence."""
    await ready(gateway)
    email, password, remark = f"{uuid4().hex}@example.test", f"secret-{uuid4().hex}", f"remark-{uuid4().hex}"
    good = {"email": email, "password": password}
    for body in (good, good, good | {"extra": remark}, good | {"email": remark}, good | {"password": remark * 20}):
        await gateway.ask("POST", f"{API}/auth/register", json=body)
    await gateway.ask("POST", f"{API}/auth/login", json=good | {"password": remark})
    login = await gateway.ask("POST", f"{API}/auth/login", json=good)
    token: str = login.json["access_token"]
    for query in (f"?q={remark}", f"?type={remark}", f"?cursor={email}"):
        await gateway.ask("GET", f"{API}/activities{query}", token=token)
    await gateway.ask("POST", f"{API}/activities", token=token, json={"activity_type": "cart_add", "note": remark})
    await gateway.ask("POST", f"{API}/activities", token=token, data=remark.encode())
    await gateway.ask("GET", f"/{email}", token=f"{token}x")
    await gateway.ask("POST", f"{API}/auth/logout", token=token)
    return [email, password, remark, token]


async def test_a_process_without_its_settings_says_which_and_ends(tmp_path: Path) -> None:
    bare = dict.fromkeys(("TOKEN_KEY", "INTERNAL_KEY", "MONGO_URL", "KAFKA_BOOTSTRAP_SERVERS"), "")
    needs = {"gateway": "TOKEN_KEY", "profile": "INTERNAL_KEY"}
    processes = [await start(service, bare, tmp_path / f"{service}.log") for service in needs]
    assert [await process.wait() for process in processes] == [2, 2]
    for service, needed in needs.items():
        assert f"Setting {needed}" in (tmp_path / f"{service}.log").read_text()
