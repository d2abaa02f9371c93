"""What the simulator published and what the API shows agree to the cent and to the record, killed or not.

The oracle is not the service's fold: it takes the events in the order of their times and believes the last one.
"""

from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from signal import SIGKILL
from typing import Any

import aiohttp
from pydantic import SecretStr

from mycelium.simulator import Scenario, history
from services.purchases.settings import Settings
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseRated,
    PurchaseStatusChanged,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from shared.plumbing.internal_auth import InternalTokens
from tests.integration.conftest import INTERNAL_KEY
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import publishing
from tests.waiting import eventually

KILLS = 10


class Truth:
    """What one user has, believing the latest of what was said."""

    def __init__(self) -> None:
        self.purchases: dict[str, dict[str, Any]] = defaultdict(dict)
        self.deployments: dict[str, dict[str, Any]] = defaultdict(dict)
        self.lines: dict[str, tuple[int, Decimal, Decimal]] = {}
        self.pools: dict[str, Decimal] = {}

    def hear(self, event: AnyEvent) -> None:
        match event.data:
            case PurchaseCreated() as bought:
                self._bought(bought, bought.transaction_id)
            case PurchaseStatusChanged() as moved:
                self.purchases[moved.purchase_id]["status"] = moved.status
            case PurchaseRated() as rated:
                self.purchases[rated.purchase_id]["rating"] = rated.rating
            case DeploymentCreated() as made:
                self.deployments[made.deployment_id] |= {"purchase_id": made.purchase_id, "region": made.region}
                self.deployments[made.deployment_id].setdefault("status", "deploying")
            case DeploymentStatusChanged() as ran:
                self.deployments[ran.deployment_id]["status"] = ran.status
            case WalletTransactionPosted() as posted:
                self.lines[posted.transaction_id] = (posted.sequence, posted.amount, posted.balance_after)
                if posted.purchase:
                    self._bought(posted.purchase, posted.transaction_id)
            case WalletPoolPositionChanged() as pool:
                self.pools[pool.pool_id] = pool.current_value

    def _bought(self, bought: Any, transaction_id: str | None) -> None:
        known = self.purchases[bought.purchase_id]
        known |= {"amount": bought.amount, "product_id": bought.product_id}
        known["transaction_id"] = transaction_id or known.get("transaction_id")
        known["status"] = bought.status or known.get("status", "pending")


class Owner:
    """What the API shows one user."""

    def __init__(self, service: ServiceProcess, http: aiohttp.ClientSession, user: str) -> None:
        self._service, self._http = service, http
        self._token = InternalTokens(SecretStr(INTERNAL_KEY)).sign("purchases", user)

    async def get(self, path: str) -> Any:
        headers = {"authorization": f"Bearer {self._token}"}
        async with self._http.get(f"{self._service.url}{path}", headers=headers) as response:
            assert response.status == 200
            return await response.json(content_type=None)

    async def everything(self, path: str) -> list[dict[str, Any]]:
        items, cursor = [], ""
        while True:
            page = await self.get(f"{path}?limit=200{cursor}")
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = f"&cursor={page['next_cursor'].replace('=', '%3D')}"


async def test_the_ledger_and_the_api_agree_after_ten_kills(
    mongo_url: str, client_settings: dict[str, object], vault_keys: dict[str, object], tmp_path: Path
) -> None:
    scenario = Scenario(seed=4711, users=4, days=60, until=datetime.now(UTC).replace(microsecond=0))
    entries = list(history(scenario))
    truths: dict[str, Truth] = defaultdict(Truth)
    for _topic, event in sorted(entries, key=lambda entry: (entry[1].time, entry[1].rank)):
        if "@" in event.subject:
            truths[event.subject].hear(event)
    given = {**client_settings, **vault_keys, "mongo_url": mongo_url, "batch_max_records": 100}
    settings = Settings.model_validate(given)
    async with publishing(settings) as publisher:
        await publisher.records((t.name, e.subject.encode(), e.to_json(), (CONTENT_TYPE_HEADER,)) for t, e in entries)
    async with (
        service_process("purchases", given, tmp_path / "log") as service,
        aiohttp.ClientSession() as http,
    ):
        for _ in range(KILLS):
            await service.start()
            await eventually(lambda: consumes(service), timeout=60, interval=0.01)
            await service.signal(SIGKILL)
        await service.start()
        await eventually(lambda: is_done(service), timeout=120, what="everything is consumed")
        assert len(truths) == 4
        for user, truth in truths.items():
            await agrees(Owner(service, http, user), truth)


async def consumes(service: ServiceProcess) -> bool:
    lag = (await service.health()).get("lag")
    return isinstance(lag, int)


async def is_done(service: ServiceProcess) -> bool:
    health = await service.health()
    return health.get("ready") is True and health.get("lag") == 0


async def agrees(owner: Owner, truth: Truth) -> None:
    """Raises AssertionError unless the API shows what is true."""
    shown = {item["id"]: item for item in await owner.everything("/purchases")}
    bought = {key: known for key, known in truth.purchases.items() if "amount" in known}
    assert shown.keys() == bought.keys()
    for key, known in bought.items():
        record = shown[key]
        assert Decimal(record["amount"]) == known["amount"]
        assert record["product_id"] == known["product_id"]
        assert record["transaction_id"] == known["transaction_id"]
        assert (record["status"], record["rating"]) == (known["status"], known.get("rating"))
    deployed = {item["deployment_id"]: item for item in await owner.everything("/deployments")}
    made = {key: known for key, known in truth.deployments.items() if "region" in known}
    assert {key: (d["status"], d["purchase_id"], d["region"]) for key, d in deployed.items()} == {
        key: (known["status"], known["purchase_id"], known["region"]) for key, known in made.items()
    }
    ledger = await owner.everything("/wallet/transactions")
    assert {line["transaction_id"]: (line["sequence"], Decimal(line["amount"])) for line in ledger} == {
        key: line[:2] for key, line in truth.lines.items()
    }
    wallet = await owner.get("/wallet")
    assert Decimal(wallet["balance"]) == max(truth.lines.values())[2] == sum(line[1] for line in truth.lines.values())
    assert (wallet["sequence_gaps"], wallet["difference"]) == ([], None)
    pools = (await owner.get("/wallet/pools"))["items"]
    assert {pool["pool_id"]: Decimal(pool["current_value"]) for pool in pools} == truth.pools
