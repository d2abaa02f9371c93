"""The live simulator answers commands on a real broker, also those that come while it is away."""

import secrets
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from joserfc import jwe
from joserfc.jwk import ECKey

from mycelium.simulator import publish
from mycelium.simulator.desk import DASHBOARD
from shared.contracts.build import make_event
from shared.contracts.credentials import ALGORITHMS
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.purchases import PurchaseCancelRequested, PurchaseRequested
from shared.contracts.topics import COMMANDS, IDENTITY, Topic
from tests.integration.test_simulator import ledger_of, simulating
from tests.waiting import eventually

WELCOMED = "Welcome to the marketplace"
KEY = ECKey.generate_key("P-256", {"use": "enc", "kid": "k1"}, private=True)


@pytest_asyncio.fixture(loop_scope="session")
async def jwks() -> AsyncIterator[str]:
    """Where the public key is."""

    async def keys(_: web.Request) -> web.Response:
        return web.json_response({"keys": [KEY.as_dict(private=False)]})

    app = web.Application()
    app.router.add_get("/jwks.json", keys)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    await runner.cleanup()


async def test_a_new_user_buys_and_after_a_kill_cancels(
    client_settings: dict[str, object], kafka: str, tmp_path: Path, jwks: str
) -> None:
    user, ledger = f"{secrets.token_hex(6)}@example.org", tmp_path / "ledger.jsonl"
    arguments = (
        *("--users", 2, "--days", 5, "--seed", secrets.randbelow(10**9), "--live", "inf", "--jwks", jwks),
        *("--ledger", ledger, "--state", tmp_path / "state.json"),
    )

    async def ask(topic: Topic, payload: UserPayload) -> None:
        event = make_event(payload, source=DASHBOARD)
        idempotence = client_settings.get("kafka_enable_idempotence") != "false"
        await publish([(topic, event)], kafka, idempotence=idempotence)

    def said(kind: str, **data: object) -> list[Mapping[str, Any]]:  # Any: JSON
        ours = [event["data"] for event in ledger_of(ledger) if event["type"] == kind and event["subject"] == user]
        return [found for found in ours if data.items() <= found.items()]

    async with simulating(client_settings, *arguments) as process:
        await ask(IDENTITY, UserRegistered(user_email=user))
        await eventually(lambda: ledger.exists() and said("wallet.transaction_posted.v1"), timeout=60)
        listed = [event["data"] for event in ledger_of(ledger) if event["type"] == "product.listed.v1"]
        retired = {event["data"]["product_id"] for event in ledger_of(ledger) if event["type"] == "product.retired.v1"}
        offers = [offer for offer in listed if offer["product_id"] not in retired]
        product = min(
            (offer for offer in offers if offer["product_type"] == "service"), key=lambda offer: Decimal(offer["price"])
        )
        await ask(
            COMMANDS,
            PurchaseRequested(user_email=user, command_id="buy", product_id=product["product_id"], quantity=1),
        )
        await eventually(lambda: said("purchase.status_changed.v1", status="active", command_id="buy"), timeout=60)
        process.kill()
    bought = said("purchase.created.v1")[0]
    await ask(COMMANDS, PurchaseCancelRequested(user_email=user, command_id="end", purchase_id=bought["purchase_id"]))
    async with simulating(client_settings, *arguments) as process:
        await eventually(lambda: said("purchase.status_changed.v1", status="cancelled", command_id="end"), timeout=60)
        process.terminate()
        assert await process.wait() == 0

    sealed = said("deployment.credentials_issued.v1")[0]["credentials_jwe"]
    assert b"password" in (jwe.decrypt_compact(sealed, KEY, ALGORITHMS).plaintext or b"")
    assert said("deployment.status_changed.v1")[-1]["status"] == "stopped"
    balances = {line["sequence"]: line["balance_after"] for line in said("wallet.transaction_posted.v1")}
    assert sorted(balances) == [1, 2, 3]
    assert balances[3] == balances[1] == "500.00"


async def test_nothing_more_is_said_of_who_was_erased_until_they_register_anew(
    client_settings: dict[str, object], kafka: str, tmp_path: Path
) -> None:
    user, other = (f"{secrets.token_hex(6)}@example.org" for _ in range(2))
    ledger, state = tmp_path / "ledger.jsonl", tmp_path / "state.json"
    arguments = (
        *("--users", 1, "--days", 2, "--seed", secrets.randbelow(10**9), "--live", "inf"),
        *("--ledger", ledger, "--state", state, "--user", user),
    )

    async def ask(payload: UserPayload) -> None:
        idempotence = client_settings.get("kafka_enable_idempotence") != "false"
        await publish([(IDENTITY, make_event(payload, source=DASHBOARD))], kafka, idempotence=idempotence)

    def said_of(email: str) -> list[Mapping[str, Any]]:  # Any: JSON
        return [event for event in ledger_of(ledger) if event["subject"] == email] if ledger.exists() else []

    async def until_answered(email: str, number: int) -> None:
        await ask(UserRegistered(user_email=email))
        await eventually(lambda: len(said_of(email)) >= number, timeout=60)

    async with simulating(client_settings, *arguments):
        await until_answered(other, 1)  # it is live
        assert said_of(user)
        await ask(UserErased(user_email=user))
        await eventually(lambda: '"left": {}' not in state.read_text(), timeout=60)
        before = len(said_of(user))
        await ask(UserErased(user_email=other))
        await until_answered(other, 2)
        assert len(said_of(user)) <= before + 1  # one that was under way
        welcomed = [event["data"] for event in said_of(other)]
        assert [(line["sequence"], line["balance_after"]) for line in welcomed] == [(1, "500.00"), (1, "500.00")]
        await ask(UserRegistered(user_email=user))
        await eventually(lambda: said_of(user)[-1]["data"].get("description") == WELCOMED, timeout=60)
    assert user not in state.read_text()
