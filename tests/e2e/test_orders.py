"""An order from the first click to running, in a whole stack with a simulated marketplace, to the cent."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from mycelium.stack.broker import CLIENT_SETTINGS
from tests.servers.up import Up, mycelium_up
from tests.waiting import eventually

CREDENTIALS = {"email": "orders@example.test", "password": "correct horse battery"}


class Client:
    """A client of the gateway at `url`, logged in with `token`."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, f"{url}/api/v1"
        self._token: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # Any: JSON
        async with self._http.request(method, f"{self._url}{path}", json=body, headers=self._token) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def sign_up(self) -> None:
        await self.ask("POST", "/auth/register", CREDENTIALS)
        token = (await self.ask("POST", "/auth/login", CREDENTIALS))["access_token"]
        self._token = {"Authorization": f"Bearer {token}"}

    async def wallet_has(self, balance: str) -> bool:
        return bool((await self.ask("GET", "/wallet"))["balance"] == balance)

    async def outcome(self, command: Any) -> Any:
        """What a command came to."""

        async def settled() -> Any:
            found = await self.ask("GET", f"/commands/{command['command_id']}")
            return found if found["state"] != "pending" else None

        return await eventually(settled, timeout=60)


@asynccontextmanager
async def marketplace(up: Up) -> AsyncIterator[None]:
    """The simulated marketplace, live, as the demo has it, but with hardly anybody else there."""
    stack = up.stack
    others = ("--users", "1", "--days", "1", "--live", "inf")
    where = ("--kafka", stack["kafka"], "--jwks", f"{stack['gateway']}/.well-known/jwks.json")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mycelium", "simulate", *others, *where), env={**os.environ, **CLIENT_SETTINGS}
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_buy_run_stop_cancel(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data") as up:
        await up.is_up()
        async with marketplace(up):
            await buys_runs_stops_and_cancels(Client(http, up.stack["gateway"]))


async def buys_runs_stops_and_cancels(client: Client) -> None:
    await client.sign_up()
    await eventually(lambda: client.wallet_has("500.00"), timeout=60, what="the welcome of the marketplace")

    bought = await client.outcome(await client.ask("POST", "/purchases", {"product_id": "alder-cloud-bare-node"}))
    assert bought["state"] == "succeeded"
    record = await client.ask("GET", f"/purchases/{bought['purchase_id']}")
    assert record["status"] == "active"
    deployment = record["deployment_info"]["deployment_id"]
    stopped = await client.outcome(await client.ask("POST", f"/deployments/{deployment}/commands", {"action": "stop"}))
    assert stopped["state"] == "succeeded"

    too_much = {"product_id": "alder-cloud-bare-node", "quantity": 500}
    refused = await client.outcome(await client.ask("POST", "/purchases", too_much))
    assert refused["state"] == "failed"
    assert "does not cover" in refused["reason"]

    cancelled = await client.outcome(await client.ask("POST", f"/purchases/{bought['purchase_id']}/cancel", {}))
    assert cancelled["state"] == "succeeded"
    await eventually(lambda: client.wallet_has("500.00"), what="the refund")
    assert (await client.ask("GET", "/wallet"))["difference"] is None
