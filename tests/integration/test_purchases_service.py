"""The purchases service as publishers and the gateway see it, on a real broker and a real mongod."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
import pytest_asyncio

from shared.contracts.build import make_event
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import (
    CommandRefused,
    DeploymentCreated,
    DeploymentCredentialsIssued,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseDetails,
    PurchaseRated,
    PurchaseStatusChanged,
    ResourceAllocation,
)
from shared.contracts.topics import COMMANDS, MARKETPLACE, PURCHASES, UPDATES, WALLET, Topic, dead_letters
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.servers.running import Running, arrived
from tests.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=654_321)
SMALL = ResourceAllocation(cpu_cores=1, memory_gb=2, storage_gb=10, bandwidth_mbps=100)
LARGE = SMALL.model_copy(update={"cpu_cores": 8.0})
_numbers = count(1)


def ago(minutes: float) -> datetime:
    """So many minutes before the tests began; what is negative is still to come, as seen from this moment."""
    return (datetime.now(UTC) if minutes < 0 else NOW) - timedelta(minutes=minutes)


def details(id: str = "pur-1", **more: Any) -> dict[str, Any]:
    return {
        "purchase_id": id,
        "product_id": "prod-1",
        "product_name": "Object Store",
        "product_type": "storage",
        "provider_id": "hypha",
        "provider_name": "Hypha Cloud",
        "amount": "12.50",
        "currency": "TFP",
        **more,
    }


class Shop:
    """A marketplace and a wallet for one user."""

    def __init__(self, service: Running) -> None:
        self.service = service
        self.user = f"owner{next(_numbers)}@example.org"

    async def tell(self, topic: Topic, kind: type[UserPayload], minutes: float, /, **data: Any) -> None:
        payload = kind.model_validate({"user_email": self.user, **data})
        await self.service.publish(topic, make_event(payload, source="/shop", time=ago(minutes)))

    async def buy(self, id: str = "pur-1", minutes: float = 60, **more: Any) -> None:
        await self.tell(MARKETPLACE, PurchaseCreated, minutes, **details(id, **more))

    async def move(self, status: str, minutes: float, id: str = "pur-1", **more: Any) -> None:
        await self.tell(MARKETPLACE, PurchaseStatusChanged, minutes, purchase_id=id, status=status, **more)

    async def deploy(self, id: str = "dep-1", minutes: float = 50, **more: Any) -> None:
        made = {"deployment_id": id, "purchase_id": "pur-1", "kind": "service", "region": "eu-west", **more}
        await self.tell(MARKETPLACE, DeploymentCreated, minutes, resources_allocated=SMALL, **made)

    async def run(self, status: str, minutes: float, id: str = "dep-1", **more: Any) -> None:
        await self.tell(MARKETPLACE, DeploymentStatusChanged, minutes, deployment_id=id, status=status, **more)

    async def post(self, sequence: int, amount: str, balance: str, minutes: float = 10, **more: Any) -> None:
        line = {"transaction_id": f"tx-{sequence}", "sequence": sequence, "kind": "top_up", **more}
        money = {"amount": amount, "balance_after": balance, "currency": "TFP"}
        await self.tell(WALLET, WalletTransactionPosted, minutes, **line, **money)

    async def get(self, path: str, **params: Any) -> Any:
        status, found = await self.service.get(path, self.user, params)
        assert status == 200, found
        return found

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        token = {"authorization": f"Bearer {self.service.tokens.sign('purchases', self.user)}"}
        request = self.service.http.request(method, f"{self.service.url}{path}", json=body, headers=token | headers)
        async with request as response:
            return response.status, await response.json(content_type=None)

    async def shows(self, path: str, **expected: Any) -> Any:
        """Waits until the thing at `path` has these members."""

        async def found() -> Any:
            status, thing = await self.service.get(path, self.user)
            return thing if status == 200 and expected.items() <= thing.items() else None

        return await eventually(found, what=f"{path} shows {expected}")

    async def overview(self, **expected: Any) -> Any:
        """Waits until the overview's figures have these members; the overview."""

        async def found() -> Any:
            part = await self.service.overview(self.user)
            return part if expected.items() <= part["stats"].items() else None

        return await eventually(found, what=f"the overview shows {expected}")


@pytest.fixture
def shop(purchases_service: Running) -> Shop:
    return Shop(purchases_service)


async def test_a_purchase_from_its_event(shop: Shop) -> None:
    await shop.buy(billing_cycle="monthly")
    await shop.move("active", 55, reason="Paid")
    record = await shop.shows("/purchases/pur-1", status="active")
    assert record["amount"] == "12.50"
    assert record["purchase_date"] == ago(60).isoformat().replace("+00:00", "Z")
    assert [(m["status"], m["reason"], m["legal"]) for m in record["status_history"]] == [
        ("pending", None, True),
        ("active", "Paid", True),
    ]
    (listed,) = (await shop.get("/purchases"))["items"]
    assert listed == {name: value for name, value in record.items() if name != "status_history"}


async def test_a_purchase_from_the_wallet_alone_and_one_record_from_both(shop: Shop) -> None:
    bought = PurchaseDetails.model_validate(details())
    await shop.post(1, "-12.50", "87.50", 60, kind="purchase", purchase=bought)
    await shop.shows("/purchases/pur-1", transaction_id="tx-1")
    await shop.buy(minutes=59, billing_cycle="annual")
    await shop.shows("/purchases/pur-1", transaction_id="tx-1", billing_cycle="annual")
    assert len((await shop.get("/purchases"))["items"]) == 1


async def test_what_comes_before_its_purchase_is_not_listed_until_it_comes(shop: Shop) -> None:
    await shop.move("active", 50)
    await shop.buy("pur-2")
    await shop.shows("/purchases/pur-2", status="pending")
    assert [p["id"] for p in (await shop.get("/purchases"))["items"]] == ["pur-2"]
    assert (await shop.service.get("/purchases/pur-1", shop.user))[0] == 404
    await shop.buy("pur-1")
    await shop.shows("/purchases/pur-1", status="active")


async def test_an_illegal_move_is_shown_and_counted(shop: Shop) -> None:
    before = await illegal_moves(shop)
    await shop.buy()
    await shop.move("refunded", 50)
    await shop.move("active", 40)
    record = await shop.shows("/purchases/pur-1", status="active")
    assert [move["legal"] for move in record["status_history"]] == [True, True, False]

    async def is_counted() -> bool:
        return await illegal_moves(shop) == before + 1

    await eventually(is_counted)


async def illegal_moves(shop: Shop) -> float:
    async with shop.service.http.get(f"{shop.service.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("mycelium_illegal_moves_total"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(purchases_service: Running) -> Shop:
    """A user with 24 purchases of every status, type and provider, one a day."""
    shop = Shop(purchases_service)
    statuses, types = ("active", "completed", "cancelled"), ("storage", "network")
    for n in range(24):
        more = {"product_type": types[n % 2], "provider_id": f"prov-{n % 4}", "product_name": f"Größe {n}"}
        await shop.buy(f"pur-{n}", minutes=n * 1440, status=statuses[n % 3], **more)
    await eventually(lambda: has(shop, 24))
    return shop


async def has(shop: Shop, number: int) -> bool:
    return len((await shop.get("/purchases", limit=200))["items"]) == number


@pytest.mark.parametrize(
    ("params", "numbers"),
    [
        ({"status": "active"}, range(0, 24, 3)),
        ({"type": "network"}, range(1, 24, 2)),
        ({"provider": "prov-2"}, range(2, 24, 4)),
        ({"status": "active", "type": "storage", "provider": "prov-0"}, range(0, 24, 12)),
        ({"q": "GRÖSSE 7"}, [7]),
        ({"q": "hypha größe", "status": "completed"}, range(1, 24, 3)),
        ({"q": "nothing"}, []),
        ({"q": "..."}, []),
        ({"status": "refunded"}, []),
        ({"from": ago(3 * 1440 + 1).isoformat(), "to": ago(1440 - 1).isoformat()}, [1, 2, 3]),
    ],
)
async def test_filters(owner: Shop, params: dict[str, Any], numbers: Any) -> None:
    found = [item["id"] for item in (await owner.get("/purchases", **params))["items"]]
    assert found == [f"pur-{n}" for n in numbers]


@pytest.mark.parametrize("limit", [1, 5, 23, 24])
async def test_pages_neither_skip_nor_repeat(owner: Shop, limit: int) -> None:
    shown: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await owner.get("/purchases", limit=limit, **cursor)
        shown += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert shown == [f"pur-{n}" for n in range(24)]


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/purchases", {"status": "lost"}, 422),
        ("/purchases", {"limit": 0}, 422),
        ("/purchases", {"cursor": "made-up"}, 400),
        ("/purchases", {"from": "2026-02-01", "to": "2026-01-01"}, 422),
        ("/purchases/none", {}, 404),
        ("/deployments", {"status": "lost"}, 422),
        ("/deployments/none", {}, 404),
        ("/deployments/none/health", {}, 404),
        ("/wallet/transactions", {"kind": "theft"}, 422),
        ("/commands/none", {}, 404),
    ],
)
async def test_wrong_questions(owner: Shop, path: str, params: dict[str, Any], status: int) -> None:
    assert (await owner.service.get(path, owner.user, params))[0] == status


async def test_nothing_of_another_user_is_found(owner: Shop, shop: Shop) -> None:
    for path in ("/purchases/pur-1", "/deployments/dep-1", "/deployments/dep-1/health"):
        assert (await shop.service.get(path, shop.user))[0] == 404
    assert (await shop.send("PUT", "/purchases/pur-1/rating", {"rating": 5}))[0] == 404
    assert (await shop.send("POST", "/purchases/pur-1/cancel", {}))[0] == 404
    assert (await shop.send("POST", "/deployments/dep-1/commands", {"action": "stop"}))[0] == 404
    cursor = (await owner.get("/purchases", limit=1))["next_cursor"]
    assert (await shop.service.get("/purchases", shop.user, {"cursor": cursor}))[0] == 400


async def test_a_deployment_and_its_uptime(shop: Shop) -> None:
    await shop.buy(billing_cycle="annual")
    await shop.move("active", 59)
    await shop.deploy(minutes=50, deployment_url="https://d.example.org")
    await shop.run("running", 40)
    for minutes, healthy in ((40, True), (24, False), (8, True)):  # a slot keeps one check
        report = {"deployment_id": "dep-1", "healthy": healthy, "cpu_percent": 20.0}
        await shop.tell(MARKETPLACE, DeploymentHealthReported, minutes, **report)
    shown = await shop.shows("/deployments/dep-1", status="running", last_health_check=zulu(8))
    assert (shown["product_name"], shown["provider_name"], shown["purchase_id"]) == (
        "Object Store",
        "Hypha Cloud",
        "pur-1",
    )
    assert shown["monthly_cost"] == "1.04"
    assert shown["access_credentials"] is None
    window = {"from": ago(50).isoformat(), "to": NOW.isoformat()}

    async def all_checked() -> Any:
        found = await shop.get("/deployments/dep-1/health", **window)
        return found if len(found["checks"]) == 3 else None

    health = await eventually(all_checked)
    assert [i["status"] for i in health["intervals"]] == ["deploying", "running"]
    assert [c["healthy"] for c in health["checks"]] == [True, False, True]
    assert (health["expected_seconds"], health["up_seconds"], health["uptime_percentage"]) == (2400, 1440, 60.0)
    first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"
    of_all_time = await shop.get("/deployments/dep-1/health", **{"from": first, "to": last})
    assert of_all_time["checks"] == health["checks"]
    assert of_all_time["expected_seconds"] < 10_000  # up to now and no further
    assert (await shop.get("/deployments/dep-1/health", to=first))["checks"] == []

    async def is_worked_out() -> bool:
        return bool(50 < (await shop.get("/deployments/dep-1"))["uptime_percentage"] < 75)

    await eventually(is_worked_out)
    (record,) = (await shop.get("/purchases"))["items"]
    assert record["deployment_info"]["deployment_id"] == "dep-1"
    assert [d["deployment_id"] for d in (await shop.get("/deployments", status="running"))["items"]] == ["dep-1"]
    assert (await shop.get("/deployments", status="stopped"))["items"] == []


def zulu(minutes: float) -> str:
    return ago(minutes).isoformat().replace("+00:00", "Z")


async def test_why_it_stopped_is_told(shop: Shop) -> None:
    await shop.buy()
    await shop.deploy()
    await shop.run("stopped", 5, reason="The balance ran out")
    await shop.shows("/deployments/dep-1", status="stopped", status_reason="The balance ran out")


async def test_the_wallet(shop: Shop) -> None:
    await shop.post(1, "100.00", "100.00", 30)
    await shop.post(3, "-0.05", "89.95", 10, kind="fee")
    await shop.tell(
        WALLET, WalletPoolPositionChanged, 5, pool_id="p", pool_name="Solar", invested="10", current_value="10.5",
        currency="TFP", status="open",
    )  # fmt: skip
    wallet = await shop.shows("/wallet", balance="89.95")
    assert wallet["sequence_gaps"] == [{"first": 2, "last": 2}]
    assert wallet["difference"] == "-10.00"
    await shop.post(2, "-10.00", "90.00", 20, kind="withdrawal", description="Rent")
    wallet = await shop.shows("/wallet", transactions=3)
    assert (wallet["balance"], wallet["sequence_gaps"], wallet["difference"]) == ("89.95", [], None)
    ledger = (await shop.get("/wallet/transactions"))["items"]
    assert [line["sequence"] for line in ledger] == [3, 2, 1]
    assert ledger[1]["description"] == "Rent"
    (fee,) = (await shop.get("/wallet/transactions", kind="fee"))["items"]
    assert fee["amount"] == "-0.05"
    (pool,) = (await shop.get("/wallet/pools"))["items"]
    assert (pool["pool_name"], pool["invested"], pool["current_value"]) == ("Solar", "10", "10.5")


async def test_the_overview_is_never_behind(shop: Shop) -> None:
    await shop.buy(minutes=0, status="active")
    await shop.deploy(minutes=0)
    await shop.post(1, "100", "100", 0)
    overview = await shop.overview(active_services=1, spent_this_month={"TFP": "12.50"})
    assert overview["active_deployments"][0]["product_name"] == "Object Store"
    await shop.shows("/wallet", balance="100")
    overview = await shop.overview(wallet_change_this_month={"TFP": "100"})
    assert overview["wallet"]["balance"] == "100"
    await shop.move("cancelled", -1)
    await shop.overview(active_services=0, spent_this_month={})


async def test_a_rating_of_ones_own_is_stored_and_told(shop: Shop, kafka: str) -> None:
    await shop.buy()
    await shop.shows("/purchases/pur-1", rating=None)
    status, record = await shop.send("PUT", "/purchases/pur-1/rating", {"rating": 4.5, "review": "Good"})
    assert (status, record["rating"], record["review"]) == (200, 4.5, "Good")
    (told,) = await arrived(kafka, PURCHASES.name, lambda r: r.key == shop.user.encode())
    assert orjson.loads(told.value or b"")["data"] == {
        "user_email": shop.user, "purchase_id": "pur-1", "rating": 4.5, "review": "Good"
    }  # fmt: skip
    await shop.tell(MARKETPLACE, PurchaseRated, -1, purchase_id="pur-1", rating=2)
    await shop.shows("/purchases/pur-1", rating=2.0)
    await shop.tell(MARKETPLACE, PurchaseRated, 100, purchase_id="pur-1", rating=1)
    await shop.buy("pur-2")
    await shop.shows("/purchases/pur-2", status="pending")
    assert (await shop.get("/purchases/pur-1"))["rating"] == 2.0


@pytest.mark.parametrize("body", [{"rating": 0.5}, {"rating": 5.5}, {"rating": 4.2}, {}, {"rating": 4, "stars": 1}])
async def test_a_wrong_rating_is_refused(shop: Shop, body: dict[str, Any]) -> None:
    assert (await shop.send("PUT", "/purchases/pur-1/rating", body))[0] == 422


async def test_a_buy_is_asked_for_and_followed(shop: Shop, kafka: str) -> None:
    status, accepted = await shop.send("POST", "/purchases", {"product_id": "prod-1"})
    assert status == 202
    (record,) = await arrived(kafka, COMMANDS.name, lambda r: r.key == shop.user.encode())
    asked = orjson.loads(record.value or b"")
    assert (asked["type"], asked["data"]["product_id"], asked["data"]["quantity"]) == (
        "purchase.requested.v1",
        "prod-1",
        1,
    )
    assert asked["data"]["command_id"] == accepted["command_id"]
    path = f"/commands/{accepted['command_id']}"
    assert (await shop.get(path))["state"] == "pending"
    await shop.buy(minutes=-1, command_id=accepted["command_id"])
    await shop.shows(path, state="pending", purchase_id="pur-1")
    await shop.move("active", -2)
    await shop.shows(path, state="succeeded", purchase_id="pur-1")


async def test_an_answer_need_not_name_the_command(shop: Shop) -> None:
    _, accepted = await shop.send("POST", "/purchases", {"product_id": "prod-1"})
    await shop.buy("pur-9", minutes=-1, status="active")
    await shop.shows(f"/commands/{accepted['command_id']}", state="succeeded", purchase_id="pur-9")


async def test_a_refusal_is_a_failure_with_its_reason(shop: Shop) -> None:
    _, accepted = await shop.send("POST", "/purchases", {"product_id": "prod-1"})
    refused = {"command_id": accepted["command_id"], "reason": "The balance does not cover it."}
    await shop.tell(MARKETPLACE, CommandRefused, -1, **refused)
    await shop.shows(f"/commands/{accepted['command_id']}", state="failed", reason="The balance does not cover it.")


async def test_a_command_that_nobody_answers_has_failed(shop: Shop) -> None:
    _, accepted = await shop.send("POST", "/purchases", {"product_id": "prod-1"})
    failed = await shop.shows(f"/commands/{accepted['command_id']}", state="failed")
    assert "did not answer in time" in failed["reason"]


@pytest.mark.parametrize(("action", "status"), [("stop", "stopped"), ("start", "running"), ("restart", "running")])
async def test_deployment_commands(shop: Shop, action: str, status: str) -> None:
    await shop.buy()
    await shop.deploy()
    await shop.run(status, 40)
    await shop.shows("/deployments/dep-1", status=status)
    _, accepted = await shop.send("POST", "/deployments/dep-1/commands", {"action": action})
    path = f"/commands/{accepted['command_id']}"
    assert (await shop.get(path))["state"] == "pending"
    await shop.run(status, -1)
    await shop.shows(path, state="succeeded", deployment_id="dep-1")


async def test_scaling_and_cancelling(shop: Shop) -> None:
    await shop.buy()
    await shop.deploy()
    await shop.shows("/deployments/dep-1", status="deploying")
    assert (await shop.send("POST", "/deployments/dep-1/commands", {"action": "scale"}))[0] == 422
    scale = {"action": "scale", "resources": LARGE.model_dump()}
    _, accepted = await shop.send("POST", "/deployments/dep-1/commands", scale)
    await shop.tell(MARKETPLACE, DeploymentScaled, -1, deployment_id="dep-1", resources_allocated=LARGE)
    await shop.shows(f"/commands/{accepted['command_id']}", state="succeeded")
    assert (await shop.get("/deployments/dep-1"))["resources_allocated"]["cpu_cores"] == 8.0
    _, accepted = await shop.send("POST", "/purchases/pur-1/cancel")
    await shop.move("cancelled", -1, reason="As you asked")
    await shop.shows(f"/commands/{accepted['command_id']}", state="succeeded", purchase_id="pur-1")


async def test_one_key_is_one_command(shop: Shop) -> None:
    async def buy(product: str, key: str) -> tuple[int, Any]:
        return await shop.send("POST", "/purchases", {"product_id": product}, **{"idempotency-key": key})

    first, again, other_key = await buy("p", "k1"), await buy("p", "k1"), await buy("p", "k2")
    assert first == again
    assert first[1] != other_key[1]
    assert (await buy("q", "k1"))[0] == 422
    other = Shop(shop.service)
    assert (await other.send("POST", "/purchases", {"product_id": "p"}, **{"idempotency-key": "k1"}))[1] != first[1]


async def test_credentials_are_revealed_and_nowhere_else(shop: Shop, kafka: str) -> None:
    async with shop.service.http.get(f"{shop.service.url}/jwks.json") as response:
        (public,) = (await response.json(content_type=None))["keys"]
    secret = f"hunter2-{shop.user}"
    jwe = seal_for(public, AccessCredentials.model_validate({"username": "root", "password": secret}))
    await shop.buy()
    await shop.deploy()
    await shop.tell(MARKETPLACE, DeploymentCredentialsIssued, 1, deployment_id="dep-1", credentials_jwe=jwe)
    await shop.shows("/deployments/dep-1", access_credentials=None)

    async def revealed() -> Any:
        status, found = await shop.send("POST", "/deployments/dep-1/credentials/reveal")
        return found if status == 200 else None

    assert await eventually(revealed) == {"username": "root", "password": secret, "api_key": None, "ssh_key": None}
    (told,) = await arrived(kafka, PURCHASES.name, lambda r: r.key == shop.user.encode())
    assert orjson.loads(told.value or b"")["type"] == "credentials.revealed.v1"
    assert secret.encode() not in (told.value or b"")


async def test_credentials_that_are_not_for_us_are_dead_letters(shop: Shop, kafka: str) -> None:
    await shop.tell(MARKETPLACE, DeploymentCredentialsIssued, 1, deployment_id="dep-1", credentials_jwe="a.b.c.d.e")
    (letter,) = await arrived(kafka, dead_letters("purchases").name, lambda r: r.key == shop.user.encode())
    assert dict(letter.headers)["dlq_reason"] == b"undecryptable"


async def test_the_gateways_are_told_which_sections_changed(shop: Shop, kafka: str) -> None:
    await shop.buy()
    await shop.deploy()
    await shop.post(1, "1", "1")

    def is_mine(record: Any) -> bool:
        return bool(record.key == shop.user.encode())

    async def sections() -> bool:
        records = await arrived(kafka, UPDATES.name, is_mine)
        found = {orjson.loads(r.value or b"")["data"]["section"] for r in records}
        return found == {"purchases", "deployments", "wallet"}

    await eventually(sections, timeout=60)
