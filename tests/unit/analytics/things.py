"""Things to reckon with, with defaults that matter to nobody."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.analytics.domain.things import Deployment, Load, Period, Product, Purchase
from services.analytics.domain.usage import DeploymentFigures

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    """So many days before NOW."""
    return NOW - timedelta(days=days)


def purchase(id: str = "pur-1", **given: Any) -> Purchase:
    """An active monthly purchase of 10 TFP, a hundred days old."""
    defaults: dict[str, Any] = {
        "product_id": f"prod-{id}",
        "product_name": f"Product {id}",
        "product_type": "service",
        "provider_id": "prov-1",
        "provider_name": "Hypha",
        "amount": Decimal(10),
        "currency": "TFP",
        "at": days_ago(100),
        "status": "active",
        "billing_cycle": "monthly",
    }
    return Purchase(id=id, **(defaults | given))


def period(used: float = 50.0, *, since: float = 100, billed_in: float = 20, renews: bool = True) -> Period:
    """A service period that began so many days ago and is billed in so many."""
    billed = days_ago(-billed_in)
    return Period(days_ago(since), billed, renews, used, 3, billed if renews else None)


def product(id: str, **given: Any) -> Product:
    """A monthly product of 10 TFP."""
    defaults: dict[str, Any] = {
        "name": f"Product {id}",
        "description": "",
        "product_type": "service",
        "category": "backup",
        "provider_id": "prov-1",
        "provider_name": "Hypha",
        "price": Decimal(10),
        "currency": "TFP",
        "billing_cycle": "monthly",
        "annual_price": None,
        "rating": 4.0,
    }
    return Product(id=id, **(defaults | given))


def running(purchase_id: str, load: float, *, cost: int = 20, days: int = 14) -> tuple[Deployment, DeploymentFigures]:
    """A running deployment with that load, measured twice a day."""
    loads = tuple(Load(days_ago(n), 2, 2, load, load / 2) for n in range(days))
    deployment = Deployment(
        id=f"dep-{purchase_id}",
        purchase_id=purchase_id,
        kind="service",
        region="eu-1",
        status="running",
        created=days_ago(90),
        monthly_cost=Decimal(cost),
        loads=loads,
        cpu_cores=4.0,
        memory_gb=8.0,
        storage_gb=50.0,
        bandwidth_mbps=100.0,
    )
    return deployment, DeploymentFigures(True, 2_000.0, 99.0, Decimal(cost), loads)
