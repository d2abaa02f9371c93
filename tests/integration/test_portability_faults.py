"""An export and an import when something fails on the way. The purchases service is a process here, to be killed."""

from collections.abc import AsyncIterator, Mapping
from io import BytesIO
from pathlib import Path
from signal import SIGKILL
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response
from pydantic import SecretStr

from services.gateway import main as gateway_main
from services.gateway.sealing import Contents, canonical
from services.gateway.settings import Settings as GatewaySettings
from services.purchases.store import PurchaseStore
from shared.contracts.build import make_event
from shared.contracts.portable import LEFT_OUT, PARTS
from shared.contracts.wallet import WalletTransactionPosted
from shared.folds import wallet
from shared.folds.facts import facts_of
from shared.folds.ported import facts_shown
from shared.folds.state import empty, merge
from shared.plumbing import mongo
from tests.servers.dashboard import (
    API,
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
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import Running
from tests.servers.serving import serving

LINES = 4_000
KEYS = gateway_keys()
SEAL = SecretStr(str(KEYS["export_key"]))


class Between:
    """A proxy before a service that can be told to fail: the next `broken` requests to `path` are a 502."""

    def __init__(self, target: str) -> None:
        self.path, self.broken = "", 0
        self._target = target

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)

        @app.api_route("/{path:path}", methods=["GET", "POST"])
        async def pass_on(request: Request, path: str) -> Response:
            if f"/{path}" == self.path and self.broken:
                self.broken -= 1
                return Response(status_code=502)
            headers = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
            how: dict[str, Any] = {"headers": headers, "data": await request.body()}
            async with (
                aiohttp.ClientSession() as http,
                http.request(request.method, f"{self._target}/{path}?{request.url.query}", **how) as answered,
            ):
                return Response(await answered.read(), answered.status, media_type=answered.content_type)

        return app


@pytest_asyncio.fixture(loop_scope="session")
async def purchases(
    mongo_url: str, client_settings: dict[str, object], vault_keys: dict[str, object], tmp_path: Path
) -> AsyncIterator[ServiceProcess]:
    settings = {**client_settings, **vault_keys, "mongo_url": mongo_url}
    async with service_process("purchases", settings, tmp_path / "log") as process:
        await process.start()
        await process.ready()
        yield process


@pytest_asyncio.fixture(loop_scope="session")
async def whole(
    client_settings: Mapping[str, object],
    activity_service: Running,
    purchases: ServiceProcess,
    analytics_service: Running,
    profile: Site,
) -> AsyncIterator[Site]:
    urls = {"purchases_url": purchases.url, "analytics_url": analytics_service.url}
    async with gateway(client_settings, activity_url=activity_service.url, profile_url=profile.url, **urls) as served:
        yield served


def gateway(client_settings: Mapping[str, object], **urls: str) -> Any:  # Any: see site
    return site(gateway_main.build_app(settings_of(GatewaySettings, client_settings, **KEYS, **urls)))


@pytest_asyncio.fixture(loop_scope="session")
async def ada(whole: Site, mongo_url: str) -> User:
    """Someone with a ledger that no buffer on the way holds: 18 MB."""
    await ready(whole)
    user = await sign_up(whole)
    client = mongo.connect(mongo_url)
    store = PurchaseStore(client["purchases"])
    for first in range(0, LINES, 500):
        posted = [line(user.email, number) for number in range(first, first + 500)]
        await store.merge([fact for event in posted for fact in facts_of(event)])
    client.close()
    return user


@pytest_asyncio.fixture(loop_scope="session")
async def bob(whole: Site) -> User:
    """Someone with nothing yet."""
    await ready(whole)
    return await sign_up(whole)


def line(user: str, number: int) -> Any:
    data = {"user_email": user, "transaction_id": f"tx-{number}", "sequence": number, "kind": "top_up"}
    amounts = {"amount": "1.00", "balance_after": f"{number + 1}.00", "currency": "TFP", "description": "x" * 2_000}
    return make_event(WalletTransactionPosted.model_validate({**data, **amounts}), source="/tests")


async def test_a_large_export_comes_in_small_pieces_and_goes_back_in(whole: Site, ada: User) -> None:
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with whole.http.get(f"{whole.url}{API}/export", headers=headers) as response:
        assert "Content-Length" not in response.headers
        pieces = [piece async for piece, _ in response.content.iter_chunks()]
    text = b"".join(pieces)
    assert len(text) > 16 * 1024 * 1024
    assert len(pieces) > 100
    assert max(map(len, pieces)) < 1024 * 1024
    file = orjson.loads(text)
    assert len(file["parts"]["transactions"]) == LINES
    reply = await imported(whole, ada, text)
    assert reply.status == 200, reply.body
    assert reply.json["parts"]["transactions"] == {"items": LINES, "added": 0}


async def test_when_a_service_is_killed_in_the_middle_the_body_is_broken(
    whole: Site, ada: User, purchases: ServiceProcess
) -> None:
    headers = {"Authorization": f"Bearer {ada.token}"}
    async with whole.http.get(f"{whole.url}{API}/export", headers=headers) as response:
        assert response.status == 200
        text = await response.content.readexactly(100_000)
        await purchases.signal(SIGKILL)
        with pytest.raises(aiohttp.ClientPayloadError):
            text += await response.read()
    assert b'"manifest"' not in text
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)
    assert_problem(await whole.ask("GET", f"{API}/export", token=ada.token), 503, "purchases-unavailable")


async def imported(site: Site, user: User, body: bytes) -> Reply:
    how: Json = {"data": BytesIO(body), "headers": {"Content-Type": "application/json"}}
    return await site.ask("POST", f"{API}/import", token=user.token, **how)


def sealed(user: str, **parts: list[Json]) -> bytes:
    """A file of these items, sealed by a gateway that lost its mind: the services check on their own."""
    contents = Contents()
    every = {name: parts.get(name, []) for names in PARTS.values() for name in names}
    for name, items in every.items():
        contents.open(name)
        for item in items:
            contents.add(name, canonical(item))
    about = {"format": "mycelium-export", "version": 1, "schema": "s", "user_email": user, "exported_at": "now"}
    manifest = {"counts": contents.counts, "left_out": list(LEFT_OUT)}
    signature = contents.seal(SEAL, {**about, "left_out": manifest["left_out"]})
    return orjson.dumps({**about, "parts": every, "manifest": {**manifest, "signature": signature}})


def activity(user: str, number: int, **other: object) -> Json:
    told: Json = {
        "id": f"{number:032x}",
        "user_email": user,
        "activity_type": "login",
        "description": "Signed in",
        "timestamp": "2026-01-31T09:30:00Z",
        "metadata": {},
        "related_entity_id": None,
        "related_entity_type": None,
        "impact_level": "medium",
        "session_id": None,
    }
    return told | other


async def test_the_services_check_on_their_own_and_nothing_is_written(whole: Site, bob: User, mongo_url: str) -> None:
    profile = (await whole.ask("GET", f"{API}/profile", token=bob.token)).json
    filled = {**profile, "bio": "New here"}
    wrongs: list[tuple[Json, str]] = [
        ({"timestamp": "2026-01-31T09:30:00"}, "timestamp"),
        ({"activity_type": "sleep"}, "activity_type"),
        ({"id": "short"}, "id"),
        ({"metadata": {"a\u0000b": 1}}, "metadata"),
    ]
    for wrong, pointer in wrongs:
        activities = [activity(bob.email, number) for number in range(700)]
        activities[600] |= wrong
        reply = await imported(whole, bob, sealed(bob.email, profile=[filled], activities=activities))
        assert_problem(reply, 422, "invalid", f"#/parts/activities/600/{pointer}")
    twice = sealed(bob.email, profile=[filled], activities=[activity(bob.email, 1)] * 2)
    assert_problem(await imported(whole, bob, twice), 422, "invalid", "#/parts/activities/1")
    others = sealed(bob.email, profile=[filled], activities=[activity("eve@example.org", 1)])
    assert_problem(await imported(whole, bob, others), 403, "not-yours")
    nobody = sealed(bob.email, profile=[{**filled, "timezone": "Mars/Olympus"}])
    assert_problem(await imported(whole, bob, nobody), 422, "invalid", "#/parts/profile/0/timezone")
    pool: Json = {"pool_id": "p", "pool_name": "P", "invested": "1", "current_value": "1", "currency": "TFP"}
    pool |= {"status": "open", "share_percent": None, "apy_percent": None, "as_of": "2026-01-31T09:30:00Z", "facts": {}}
    strange = sealed(bob.email, profile=[filled], pools=[pool])
    assert_problem(await imported(whole, bob, strange), 422, "invalid", "#/parts/pools/0/facts/position")
    assert (await whole.ask("GET", f"{API}/profile", token=bob.token)).json == profile
    client = mongo.connect(mongo_url)
    assert await client["activity"]["activities"].find_one({"_id": f"{0:032x}"}) is None
    client.close()


async def test_after_a_failure_in_between_the_same_file_finishes_it(
    client_settings: dict[str, object],
    activity_service: Running,
    purchases: ServiceProcess,
    analytics_service: Running,
    profile: Site,
) -> None:
    between = Between(purchases.url)
    urls = {"activity_url": activity_service.url, "profile_url": profile.url, "analytics_url": analytics_service.url}
    async with (
        serving(between.app()) as url,
        gateway(client_settings, purchases_url=url, **urls) as served,
    ):
        await ready(served)
        user = await sign_up(served)
        ledger = [ported(user.email, number) for number in range(600)]
        file = sealed(user.email, activities=[activity(user.email, 7)], transactions=ledger)
        between.path, between.broken = "/imports", 1
        assert_problem(await imported(served, user, file), 503, "purchases-unavailable")
        assert len(await transactions(served, user)) == 0
        reply = await imported(served, user, file)
        assert reply.status == 200, reply.body
        assert reply.json["parts"]["transactions"] == {"items": 600, "added": 600}
        assert reply.json["parts"]["activities"] == {"items": 1, "added": 0}
        assert (await imported(served, user, file)).json["added"] == 0
        assert len(await transactions(served, user)) == 200


async def transactions(site: Site, user: User) -> list[Json]:
    found: list[Json] = (await site.ask("GET", f"{API}/wallet/transactions?limit=200", token=user.token)).json["items"]
    return found


def ported(user: str, number: int) -> Json:
    """A line of the ledger as a file has it."""
    state = empty()
    merge(state, [fact for fact in facts_of(line(user, number)) if fact.kind == "transaction"])
    return wallet.transaction_of(f"tx-{number}", state) | {"facts": facts_shown("transaction", state)}
