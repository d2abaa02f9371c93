"""Whatever belongs to one user looks to another as if it did not exist, in every operation that names a thing."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest_asyncio

from services.gateway.main import build_app
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import DeploymentCreated, PurchaseCreated
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.topics import MARKETPLACE, PURCHASES, WALLET, Topic
from shared.contracts.wallet import WalletTransactionPosted
from tests.servers.dashboard import API, PASSWORD, Json, Site, User, assert_problem, report, sign_up
from tests.servers.routes import operations
from tests.servers.running import Running
from tests.unit.gateway.app import SETTINGS
from tests.waiting import eventually

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPERATIONS = [each for each in operations(build_app(SETTINGS)) if not each.is_page]  # pages: test_security_pages.py
OPS = "/ops/"  # nobody's things: test_dead_letters.py
NOBODYS = {"erasure_id", "product_id"}  # the id is the secret; an offer is the same for everybody
ON_THINGS = [each for each in OPERATIONS if each.parameters - NOBODYS and not each.path.startswith(OPS)]
PAGED = ("activities", "purchases", "deployments", "wallet/transactions", "notifications")
FIGURES = ("analytics/report", "analytics/spending", "recommendations/spending")
OWN = ("analytics/usage", "analytics/anomalies", "analytics/budget", "analytics/alerts", "analytics/runway")
BODIES: Mapping[str, Json] = {
    "rating": {"rating": 1.0},
    "cancel": {},
    "commands": {"action": "stop"},
    "reveal": {"password": PASSWORD},
}
RESOURCES = {"cpu_cores": 1, "memory_gb": 2, "storage_gb": 10, "bandwidth_mbps": 100}


async def publish(service: Running, user: User, topic: Topic, kind: type[UserPayload], /, **data: Any) -> None:  # JSON
    payload = kind.model_validate_json(orjson.dumps({**data, "user_email": user.email}))
    await service.publish(topic, make_event(payload, source="/shop", time=datetime.now(UTC)))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(whole: Site, purchases_service: Running) -> AsyncIterator[User]:
    """Someone who has at least two of everything."""
    user = await sign_up(whole)
    await whole.ask("POST", f"{API}/auth/login", json={"email": user.email, "password": PASSWORD})
    for n in (1, 2):
        names = {"product_id": f"prod-{n}", "product_name": "A secret purchase", "product_type": "storage"}
        paid = {"provider_id": "hypha", "provider_name": "Hypha", "amount": "1", "currency": "TFP", "status": "active"}
        paid |= {"billing_cycle": "monthly", "purchase_date": f"{datetime.now(UTC) - timedelta(days=100):%FT%TZ}"}
        mine = f"{user.email}-{n}"
        await publish(purchases_service, user, MARKETPLACE, PurchaseCreated, purchase_id=f"pur-{mine}", **names, **paid)
        deployed = {"purchase_id": f"pur-{mine}", "kind": "service", "region": "eu", "resources_allocated": RESOURCES}
        await publish(purchases_service, user, MARKETPLACE, DeploymentCreated, deployment_id=f"dep-{mine}", **deployed)
        line = {"kind": "top_up", "amount": "9", "currency": "TFP", "balance_after": f"{9 * n}"}
        await publish(purchases_service, user, PURCHASES, CredentialsRevealed, deployment_id=f"dep-{mine}")
        await publish(
            purchases_service, user, WALLET, WalletTransactionPosted, transaction_id=f"tx-{mine}", sequence=n, **line
        )
        await report(whole, user, activity_type="product_view", description="A secret view")

    async def all_there() -> bool:
        lists = (*PAGED, "recommendations/spending")
        pages = [(await whole.ask("GET", f"{API}/{path}", token=user.token)).json["items"] for path in lists]
        return all(len(items) >= 2 for items in pages)

    await eventually(all_there, what="two of everything")
    yield user


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def things(whole: Site, owner: User) -> Mapping[str, str]:
    """The owner's things, by the name that a path gives them."""

    async def mine(path: str) -> Any:  # JSON
        return (await whole.ask("GET", f"{API}/{path}", token=owner.token)).json

    ordered = await whole.ask("POST", f"{API}/purchases", token=owner.token, json={"product_id": "prod-1"})
    sessions = (await mine("sessions"))["items"]
    return {
        "purchase_id": (await mine("purchases"))["items"][0]["id"],
        "deployment_id": (await mine("deployments"))["items"][0]["deployment_id"],
        "command_id": ordered.json["command_id"],
        "session_id": next(session["id"] for session in sessions if not session["current"]),
        "user_id": (await mine("profile"))["user_id"],
        "idea_id": (await mine("recommendations/spending"))["items"][0]["id"],
        "notification_id": (await mine("notifications"))["items"][0]["id"],
    }


async def everything(whole: Site, user: User) -> list[Json]:
    """What the owner sees of their things."""
    paths = ("purchases", "deployments", "wallet", "wallet/transactions", "profile", "preferences", *FIGURES)
    return [(await whole.ask("GET", f"{API}/{path}", token=user.token)).json for path in paths]


async def test_nothing_of_another_is_seen_or_changed(whole: Site, owner: User, things: Mapping[str, str]) -> None:
    before = await everything(whole, owner)
    other = await sign_up(whole)
    assert len(ON_THINGS) > 8
    for operation in ON_THINGS:
        path = operation.at(things)
        for method in METHODS:
            how: Json = {} if method in ("GET", "DELETE") else {"json": BODIES.get(path.rpartition("/")[2], {})}
            reply = await whole.ask(method, path, token=other.token, **how)
            assert reply.status == (404 if method == operation.method else reply.status), (operation, reply.body)
            assert reply.status in (404, 405), (method, path, reply.status, reply.body)
            assert b"secret" not in reply.body
            assert owner.email.encode() not in reply.body.replace(path.encode(), b"")
    assert await everything(whole, owner) == before
    sessions = (await whole.ask("GET", f"{API}/sessions", token=owner.token)).json["items"]
    assert things["session_id"] in {session["id"] for session in sessions}


async def test_the_owner_reaches_all_of_it(whole: Site, owner: User, things: Mapping[str, str]) -> None:
    """Else the test above would be content with a service that knows nothing."""
    for operation in ON_THINGS:
        if operation.method == "GET" and operation.parameters != {"user_id"}:
            reply = await whole.ask("GET", operation.at(things), token=owner.token)
            assert reply.status in (200, 204) or operation.parameters == {"session_id"}, (operation, reply.body)


async def test_a_cursor_is_its_users_own(whole: Site, owner: User) -> None:
    described = whole.description or {}
    paged = {
        path.removeprefix(f"{API}/")
        for path, item in described["paths"].items()
        if not path.startswith(OPS)
        and any(parameter["name"] == "cursor" for parameter in item.get("get", {}).get("parameters", []))
    }
    assert paged == {*PAGED, "catalog"}  # which is the same for everybody
    other = await sign_up(whole)
    for path in PAGED:
        cursor = (await whole.ask("GET", f"{API}/{path}?limit=1", token=owner.token)).json["next_cursor"]
        assert cursor
        assert (await whole.ask("GET", f"{API}/{path}?cursor={cursor}", token=owner.token)).status == 200
        assert_problem(await whole.ask("GET", f"{API}/{path}?cursor={cursor}", token=other.token), 400, "bad-cursor")


async def test_no_list_takes_another_user_for_a_parameter(whole: Site, owner: User) -> None:
    other = await sign_up(whole)
    for path in (*PAGED, *FIGURES, *OWN, "wallet", "wallet/pools", "profile", "preferences", "sessions", "overview"):
        for name in ("user", "user_email", "email", "sub", "user_id"):
            reply = await whole.ask("GET", f"{API}/{path}", token=other.token, params={name: owner.email})
            assert reply.status in (200, 404)
            assert owner.email.encode() not in reply.body
            assert b"secret" not in reply.body
