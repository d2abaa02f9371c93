"""A user with one of everything, as events and as what right services answer."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.contracts.build import make_event
from shared.contracts.identity import UserLoggedIn, UserRegistered
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseDetails,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    ResourceAllocation,
    ServicePeriod,
    SupportTicketClosed,
    SupportTicketOpened,
)
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.chaos.asking import Answers
from tests.chaos.truth import Truth

USER = "ada@example.org"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
NOW = START + timedelta(days=2)
DETAILS = {
    "product_id": "prod-1",
    "product_name": "Spore",
    "product_type": "application",
    "provider_id": "hypha",
    "provider_name": "Hypha",
    "currency": "TFP",
}
SMALL = ResourceAllocation(cpu_cores=1, memory_gb=2, storage_gb=20, bandwidth_mbps=100)
LARGE = ResourceAllocation(cpu_cores=2, memory_gb=4, storage_gb=40, bandwidth_mbps=250)


def at(hour: float) -> str:
    """So many hours after the start, as an answer says it."""
    return (START + timedelta(hours=hour)).isoformat().replace("+00:00", "Z")


def period(hours_used: float) -> ServicePeriod:
    return ServicePeriod(start_date=START, auto_renewal=True, hours_used=hours_used, sessions_completed=0)


def health(cpu: float, *, healthy: bool = True) -> DeploymentHealthReported:
    return DeploymentHealthReported(
        user_email=USER, deployment_id="dep-1", healthy=healthy, latency_ms=5.0, cpu_percent=cpu, memory_percent=10.0
    )


def status(name: str) -> DeploymentStatusChanged:
    return DeploymentStatusChanged.model_validate({"user_email": USER, "deployment_id": "dep-1", "status": name})


BOUGHT = PurchaseDetails.model_validate(
    {**DETAILS, "purchase_id": "pur-1", "amount": Decimal("12.50"), "billing_cycle": "monthly"}
)
EVENTS = (
    (0, UserRegistered(user_email=USER, display_name="Ada", country="BE", timezone="UTC", language="nl")),
    (0.1, UserLoggedIn(user_email=USER, session_id="s-1")),
    (
        1,
        WalletTransactionPosted(
            user_email=USER,
            transaction_id="tx-1",
            sequence=1,
            kind="purchase",
            amount=Decimal("-12.50"),
            currency="TFP",
            balance_after=Decimal("-12.50"),
            purchase=BOUGHT,
        ),
    ),
    (2, PurchaseStatusChanged(user_email=USER, purchase_id="pur-1", status="active", reason="paid")),
    (3, PurchaseServicePeriodChanged(user_email=USER, purchase_id="pur-1", service_period=period(1))),
    (4, PurchaseServicePeriodChanged(user_email=USER, purchase_id="pur-1", service_period=period(2))),
    (
        5,
        DeploymentCreated(
            user_email=USER,
            deployment_id="dep-1",
            purchase_id="pur-1",
            kind="app",
            region="be",
            resources_allocated=SMALL,
            monthly_cost=Decimal("12.50"),
        ),
    ),
    (6, status("running")),
    (7, health(20.0)),
    (8, DeploymentScaled(user_email=USER, deployment_id="dep-1", resources_allocated=LARGE)),
    (9, health(0.0, healthy=False)),
    (9.1, health(90.0)),  # in the same quarter of an hour, and not worse
    (10, health(40.0)),
    (11, PurchaseRated(user_email=USER, purchase_id="pur-1", rating=4.5, review="Grows well.")),
    (12, SupportTicketOpened(user_email=USER, ticket_id="t-1", purchase_id="pur-1")),
    (13, SupportTicketClosed(user_email=USER, ticket_id="t-1", purchase_id="pur-1")),
    (
        14,
        WalletPoolPositionChanged(
            user_email=USER,
            pool_id="pool-1",
            pool_name="Forest",
            invested=Decimal(5),
            current_value=Decimal(6),
            currency="TFP",
            status="open",
        ),
    ),
)


def truth() -> Truth:
    """What the events come to."""
    told = Truth()
    for number, (hour, data) in enumerate(EVENTS):
        told.hear(make_event(data, source="/test", id=f"e-{number}", time=START + timedelta(hours=hour)))
    return told


DEPLOYMENT = {
    "deployment_id": "dep-1",
    "purchase_id": "pur-1",
    "kind": "app",
    "status": "running",
    "status_reason": None,
    "region": "be",
    "node_id": None,
    "resources_allocated": LARGE.model_dump(),
    "uptime_percentage": 97.62,
    "last_health_check": at(10),
    "deployment_url": None,
    "monthly_cost": "12.50",
    "created_at": at(5),
    "product_name": "Spore",
    "provider_name": "Hypha",
    "currency": "TFP",
}
PURCHASE = DETAILS | {
    "id": "pur-1",
    "transaction_id": "tx-1",
    "amount": "12.50",
    "purchase_date": at(1),
    "status": "active",
    "billing_cycle": "monthly",
    "deployment_info": None,
    "service_period": {"start_date": at(0), "auto_renewal": True, "hours_used": 2.0, "sessions_completed": 0},
    "rating": 4.5,
    "review": "Grows well.",
    "support_tickets": ["t-1"],
}


def check(hour: float, cpu: float, *, healthy: bool = True) -> dict[str, object]:
    measured = {"latency_ms": 5.0, "cpu_percent": cpu, "memory_percent": 10.0}
    return {"at": at(hour), "healthy": healthy, **measured}


def share(**names: str) -> dict[str, object]:
    return {**names, "total_spent": "12.50", "purchase_count": 1, "average_rating": 4.5}


RIGHT = Answers(
    activities=[
        {"activity_type": kind, "timestamp": at(hour)}
        for kind, hour in (
            ("login", 0.1),
            ("purchase", 1),
            ("app_deploy", 5),
            ("service_rating", 11),
            ("support_request", 12),
        )
    ],
    purchases=[PURCHASE],
    details=[
        PURCHASE
        | {
            "status_history": [
                {"status": "pending", "at": at(1), "reason": None, "legal": True},
                {"status": "active", "at": at(2), "reason": "paid", "legal": True},
            ]
        }
    ],
    deployments=[DEPLOYMENT],
    health={
        "dep-1": {
            "from": at(0),
            "to": at(48),
            "uptime_percentage": 97.62,
            "expected_seconds": 1.0,
            "up_seconds": 1.0,
            "intervals": [
                {"status": "deploying", "start": at(5), "end": at(6), "reason": None},
                {"status": "running", "start": at(6), "end": None, "reason": None},
            ],
            "checks": [check(7, 20.0), check(9, 0.0, healthy=False), check(10, 40.0)],
        }
    },
    transactions=[
        {
            "transaction_id": "tx-1",
            "sequence": 1,
            "kind": "purchase",
            "amount": "-12.50",
            "currency": "TFP",
            "balance_after": "-12.50",
            "timestamp": at(1),
            "related_entity_id": None,
            "related_entity_type": None,
            "description": None,
        }
    ],
    wallet={"balance": "-12.50", "sequence_gaps": [], "difference": None, "transactions": 1},
    pools=[
        {
            "pool_id": "pool-1",
            "pool_name": "Forest",
            "invested": "5",
            "current_value": "6",
            "currency": "TFP",
            "share_percent": None,
            "apy_percent": None,
            "status": "open",
            "as_of": at(14),
        }
    ],
    usage={
        "timezone": "UTC",
        "total_spent": "12.50",
        "total_purchases": 1,
        "deployment_stats": {
            "total_deployments": 1,
            "active_deployments": 1,
            "average_uptime": 97.62,
            "total_resource_hours": 42.0,
            "monthly_costs": "12.50",
            "cost_efficiency_score": 19.5,
        },
        "spending_trends": [share(month="2026-03")],
        "favorite_categories": [share(category="application")],
        "preferred_providers": [share(provider_id="hypha")],
        "last_calculated": at(48),
    },
    why_purchases={"facts": [{"id": "pur-1", "amount": "12.50", "event_ids": ["e-2", "e-3", "e-5", "e-13", "e-15"]}]},
    why_deployments={"facts": [{"id": "dep-1", "event_ids": ["e-6", "e-7", "e-9", "e-12"]}]},
    why_minutes={"facts": [{"at": at(hour)} for hour in (0.1, 11, 12)]},
    profile={"display_name": "Ada", "country": "BE", "timezone": "UTC"},
    preferences={"language": "nl"},
)
