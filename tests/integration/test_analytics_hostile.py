"""One event that is valid and makes no sense neither ends the service nor fills it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.analytics import consumer
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import AnalyticsStore
from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn, UserRegistered
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    PurchaseCreated,
    ResourceAllocation,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing.mongo import Database

ADA = "ada@example.test"
NOW = datetime.now(UTC)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
LARGEST = "9" * 16 + "." + "9" * 18


def bought(id: str, at: datetime = NOW, **more: Any) -> AnyEvent:
    said = {
        "purchase_id": id,
        "product_id": "prod-1",
        "product_name": "Solar Forecast",
        "product_type": "service",
        "provider_id": "hypha",
        "provider_name": "Hypha Cloud",
        "amount": "10.00",
        "currency": "TFP",
        "status": "active",
        **more,
    }
    return make_event(PurchaseCreated.model_validate({"user_email": ADA, **said}), source="/shop", time=at)


async def usage_of(database: Database, *events: AnyEvent) -> Any:
    seen = Presences(database)
    facts, products = AnalyticsStore(database), Catalogue(database)
    await consumer.apply(facts, seen, products, Notifications(database), events)
    reckoning = Reckoning(database, seen)
    await reckoning.work_off()
    assert "dirty" not in (await database["users"].find_one({"_id": ADA}) or {"dirty": True})
    return (await reckoning.of(ADA))["usage"]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("at", [FIRST, LAST])
async def test_times_at_the_ends_of_time(database: Database, at: datetime, zone: str) -> None:
    resources = ResourceAllocation(cpu_cores=1, memory_gb=1, storage_gb=1, bandwidth_mbps=1)
    deployed = DeploymentCreated(
        user_email=ADA,
        deployment_id="dep-1",
        purchase_id="pur-1",
        kind="app",
        region="eu",
        resources_allocated=resources,
    )
    usage = await usage_of(
        database,
        make_event(UserRegistered(user_email=ADA, timezone=zone), source="/idp", time=NOW),
        bought("pur-1", at),
        bought("pur-2", purchase_date=at),
        bought("pur-3"),
        make_event(UserLoggedIn(user_email=ADA, session_id="s"), source="/idp", time=at),
        make_event(deployed, source="/shop", time=at),
        make_event(
            DeploymentHealthReported(user_email=ADA, deployment_id="dep-1", healthy=False), source="/s", time=at
        ),
    )
    assert (usage["total_spent"], usage["total_purchases"], usage["timezone"]) == ("30.00", 3, zone)
    assert len(usage["spending_trends"]) <= 1_201
    assert sum(month["purchase_count"] for month in usage["spending_trends"]) == 3


@pytest.mark.parametrize("name", ["a.b", "$x", "$x.y", ".", "a..b", "months", "ö/☃"])
async def test_any_provider_id_is_a_name_and_no_path(database: Database, name: str) -> None:
    usage = await usage_of(database, bought("pur-1", provider_id=name), bought(name, product_id=name))
    assert {each["provider_id"]: each["total_spent"] for each in usage["preferred_providers"]} == {
        name: "10.00",
        "hypha": "10.00",
    }
    assert usage["spending_trends"][-1]["providers"][name] == "10.00"


async def test_the_largest_amounts(database: Database) -> None:
    back = {"transaction_id": "tx", "sequence": 1, "kind": "refund", "amount": LARGEST, "currency": "TFP"}
    refund = WalletTransactionPosted.model_validate(
        {"user_email": ADA, **back, "balance_after": f"-{LARGEST}", "related_entity_id": "pur-0"}
    )
    many = [bought(f"pur-{n}", amount=LARGEST) for n in range(20)]
    usage = await usage_of(database, *many, make_event(refund, source="/wallet", time=NOW))
    assert usage["total_purchases"] == 20
    assert float(usage["total_spent"]) == pytest.approx(19 * float(LARGEST))


async def test_a_time_zone_that_there_is_not(database: Database) -> None:
    nowhere = UserRegistered(user_email=ADA, timezone="../../etc/passwd")
    usage = await usage_of(database, make_event(nowhere, source="/idp", time=NOW), bought("pur-1"))
    assert (usage["timezone"], usage["total_spent"]) == ("UTC", "10.00")


async def test_somebody_who_cannot_be_reckoned_keeps_nobody_else_waiting(database: Database) -> None:
    await database["users"].insert_one(
        {"_id": "broken@example.test", "version": 1, "dirty": True, "zone": "UTC", "months": 1}
    )
    usage = await usage_of(database, bought("pur-1"))
    assert usage["total_purchases"] == 1
    assert [each["_id"] async for each in database["users"].find({"dirty": True})] == ["broken@example.test"]
