"""An order from the first click to running, in a whole stack with its simulated marketplace, to the cent."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.servers.up import mycelium_up
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

        return await eventually(settled, timeout=30)


async def test_buy_run_stop_cancel(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    async with mycelium_up(tmp_path / "data", "--demo") as up:
        await up.is_up()
        client = Client(http, up.stack["gateway"])
        await client.sign_up()
        await eventually(lambda: client.wallet_has("500.00"), timeout=60, what="the welcome of the marketplace")

        bought = await client.outcome(await client.ask("POST", "/purchases", {"product_id": "alder-cloud-bare-node"}))
        assert bought["state"] == "succeeded"
        record = await client.ask("GET", f"/purchases/{bought['purchase_id']}")
        assert record["status"] == "active"
        deployment = record["deployment_info"]["deployment_id"]
        stopped = await client.outcome(
            await client.ask("POST", f"/deployments/{deployment}/commands", {"action": "stop"})
        )
        assert stopped["state"] == "succeeded"

        too_much = {"product_id": "alder-cloud-bare-node", "quantity": 500}
        refused = await client.outcome(await client.ask("POST", "/purchases", too_much))
        assert refused["state"] == "failed"
        assert "does not cover" in refused["reason"]

        cancelled = await client.outcome(await client.ask("POST", f"/purchases/{bought['purchase_id']}/cancel", {}))
        assert cancelled["state"] == "succeeded"
        await eventually(lambda: client.wallet_has("500.00"), what="the refund")
        assert (await client.ask("GET", "/wallet"))["difference"] is None
