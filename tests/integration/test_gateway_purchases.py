"""What the user bought, runs and owns, as the gateway's clients see it: every answer as its description says."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest_asyncio

from services.gateway import main as gateway_main
from services.gateway.settings import Settings as GatewaySettings
from shared.contracts.build import make_event
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import DeploymentCreated, DeploymentCredentialsIssued, PurchaseCreated
from shared.contracts.topics import MARKETPLACE, PURCHASES, WALLET, Topic
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.servers.dashboard import (
    API,
    PASSWORD,
    Json,
    Reply,
    Site,
    User,
    assert_problem,
    gateway_keys,
    ready,
    settings_of,
    sign_up,
    site,
)
from tests.servers.running import Running, arrived
from tests.waiting import eventually

BOUGHT = {
    "purchase_id": "pur 1 ü",
    "product_id": "prod-1",
    "product_name": "Object Store",
    "product_type": "storage",
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "amount": "12.50",
    "currency": "TFP",
    "status": "active",
}
PURCHASE = f"{API}/purchases/pur%201%20%C3%BC"
RESOURCES = {"cpu_cores": 1, "memory_gb": 2, "storage_gb": 10, "bandwidth_mbps": 100}
DEPLOYED = {"deployment_id": "dep-1", "purchase_id": "pur 1 ü", "kind": "service", "region": "eu"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shop(client_settings: dict[str, object], profile: Site, purchases_service: Running) -> AsyncIterator[Site]:
    """A gateway before a purchases service."""
    addresses = {
        "activity_url": "http://127.0.0.1:9",
        "purchases_url": purchases_service.url,
        "profile_url": profile.url,
        "analytics_url": "http://127.0.0.1:1",  # nothing there
    }
    settings = settings_of(GatewaySettings, client_settings, **gateway_keys(), **addresses)
    async with site(gateway_main.build_app(settings), described=True) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def ada(shop: Site) -> User:
    return await sign_up(shop)


async def publish(service: Running, user: User, topic: Topic, kind: type[UserPayload], data: Json) -> None:
    payload = kind.model_validate_json(orjson.dumps({**data, "user_email": user.email}))
    await service.publish(topic, make_event(payload, source="/shop", time=datetime.now(UTC)))


async def shown(shop: Site, user: User, path: str) -> Any:
    """What is at `path`, once there is something."""

    async def found() -> Reply | None:
        reply = await shop.ask("GET", path, token=user.token)
        return reply if reply.status == 200 else None

    reply = await eventually(found, what=path)
    assert reply is not None
    return reply.json


async def test_purchases_deployments_and_the_wallet(shop: Site, ada: User, purchases_service: Running) -> None:
    await publish(purchases_service, ada, MARKETPLACE, PurchaseCreated, BOUGHT)
    await publish(purchases_service, ada, MARKETPLACE, DeploymentCreated, DEPLOYED | {"resources_allocated": RESOURCES})
    line = {
        "transaction_id": "t",
        "sequence": 1,
        "kind": "top_up",
        "amount": "9",
        "currency": "TFP",
        "balance_after": "9",
    }
    await publish(purchases_service, ada, WALLET, WalletTransactionPosted, line)
    pool = {
        "pool_id": "p",
        "pool_name": "Solar",
        "invested": "1",
        "current_value": "2",
        "currency": "TFP",
        "status": "open",
    }
    await publish(purchases_service, ada, WALLET, WalletPoolPositionChanged, pool)
    assert (await shown(shop, ada, f"{API}/deployments/dep-1"))["product_name"] == "Object Store"
    assert (await shown(shop, ada, PURCHASE))["status_history"][0]["status"] == "active"
    assert len((await shown(shop, ada, f"{API}/purchases?status=active&q=object"))["items"]) == 1
    assert (await shown(shop, ada, f"{API}/purchases?status=refunded"))["items"] == []
    assert len((await shown(shop, ada, f"{API}/deployments"))["items"]) == 1
    assert (await shown(shop, ada, f"{API}/deployments/dep-1/health?from=2026-01-01"))["intervals"]

    async def has_a_pool() -> bool:
        return len((await shown(shop, ada, f"{API}/wallet/pools"))["items"]) == 1

    await eventually(has_a_pool)
    assert (await shown(shop, ada, f"{API}/wallet"))["balance"] == "9"
    assert len((await shown(shop, ada, f"{API}/wallet/transactions?kind=top_up"))["items"]) == 1
    rated = await shop.ask("PUT", f"{PURCHASE}/rating", token=ada.token, json={"rating": 4.5})
    assert (rated.status, rated.json["rating"]) == (200, 4.5)


async def test_commands_are_followed_at_their_location(shop: Site, ada: User, purchases_service: Running) -> None:
    key = {"Idempotency-Key": "once"}
    order = {"product_id": "prod-1"}
    bought = await shop.ask("POST", f"{API}/purchases", token=ada.token, json=order, headers=key)
    again = await shop.ask("POST", f"{API}/purchases", token=ada.token, json=order, headers=key)
    assert (bought.status, bought.json) == (202, again.json)
    assert (await shown(shop, ada, bought.headers["Location"]))["action"] == "buy"
    other = await shop.ask("POST", f"{API}/purchases", token=ada.token, json={"product_id": "q"}, headers=key)
    assert_problem(other, 422, "idempotency-key-reused")
    await publish(purchases_service, ada, MARKETPLACE, PurchaseCreated, BOUGHT)
    await publish(purchases_service, ada, MARKETPLACE, DeploymentCreated, DEPLOYED | {"resources_allocated": RESOURCES})
    await shown(shop, ada, f"{API}/deployments/dep-1")
    await shown(shop, ada, PURCHASE)
    commands: list[tuple[str, Json]] = [
        (f"{PURCHASE}/cancel", {}),
        (f"{PURCHASE}/cancel", {"json": {"reason": "Too much"}}),
        (f"{API}/deployments/dep-1/commands", {"json": {"action": "scale", "resources": RESOURCES}}),
    ]
    for path, how in commands:
        reply = await shop.ask("POST", path, token=ada.token, **how)
        assert reply.status == 202, reply.body
        assert (await shop.ask("GET", reply.headers["Location"], token=ada.token)).json["state"] != "failed"


async def test_wrong_requests(shop: Site, ada: User) -> None:
    wrong = [
        ("GET", f"{API}/purchases?status=lost", None, 422, "invalid", "#/status"),
        ("GET", f"{API}/purchases?cursor=x", None, 400, "bad-cursor", None),
        ("GET", f"{API}/purchases/none", None, 404, "not-found", None),
        ("GET", f"{API}/deployments/none/health", None, 404, "not-found", None),
        ("GET", f"{API}/commands/none", None, 404, "not-found", None),
        ("PUT", f"{API}/purchases/none/rating", {"rating": 4}, 404, "not-found", None),
        ("PUT", f"{API}/purchases/none/rating", {"rating": 9}, 422, "invalid", "#/rating"),
        ("POST", f"{API}/purchases", {}, 422, "invalid", "#/product_id"),
        ("POST", f"{API}/purchases", {"product_id": "p", "quantity": 0}, 422, "invalid", "#/quantity"),
        ("POST", f"{API}/purchases/none/cancel", None, 404, "not-found", None),
        ("POST", f"{API}/deployments/none/commands", {"action": "stop"}, 404, "not-found", None),
        ("POST", f"{API}/deployments/none/commands", {"action": "sing"}, 422, "invalid", "#/action"),
    ]
    for method, path, body, status, code, pointer in wrong:
        how: Json = {} if body is None else {"json": body}
        assert_problem(await shop.ask(method, path, token=ada.token, **how), status, code, pointer)
        assert (await shop.ask(method, path, **how)).status == 401


async def test_credentials_are_revealed_for_the_password(
    shop: Site, ada: User, purchases_service: Running, kafka: str
) -> None:
    (public,) = (await shop.ask("GET", "/.well-known/jwks.json")).json["keys"]
    jwe = seal_for(public, AccessCredentials.model_validate({"api_key": f"key-of-{ada.email}"}))
    await publish(purchases_service, ada, MARKETPLACE, PurchaseCreated, BOUGHT)
    await publish(purchases_service, ada, MARKETPLACE, DeploymentCreated, DEPLOYED | {"resources_allocated": RESOURCES})
    issued = {"deployment_id": "dep-1", "credentials_jwe": jwe}
    await publish(purchases_service, ada, MARKETPLACE, DeploymentCredentialsIssued, issued)
    await shown(shop, ada, f"{API}/deployments/dep-1")
    path = f"{API}/deployments/dep-1/credentials/reveal"

    async def revealed() -> Reply | None:
        reply = await shop.ask("POST", path, token=ada.token, json={"password": PASSWORD})
        return reply if reply.status == 200 else None

    reply = await eventually(revealed)
    assert reply is not None
    assert reply.json["api_key"] == f"key-of-{ada.email}"
    assert reply.headers["Cache-Control"] == "no-store"
    wrong = await shop.ask("POST", path, token=ada.token, json={"password": "not the one"})
    assert_problem(wrong, 403, "wrong-password")
    assert await arrived(kafka, PURCHASES.name, lambda record: record.key == ada.email.encode())
