"""One example of everything that the purchases part answers, for the API's description."""

from typing import Any, Final

Json = dict[str, Any]  # any JSON object

CURSOR: Final = "AAZKc9x0QgCbLB8OXXpMO45vGis8TV5vkq1wX2u8Qc0="
RESOURCES: Final[Json] = {"cpu_cores": 2.0, "memory_gb": 4.0, "storage_gb": 40.0, "bandwidth_mbps": 200.0}
INFO: Final[Json] = {
    "deployment_id": "dep-311",
    "purchase_id": "pur-1042",
    "kind": "service",
    "status": "running",
    "status_reason": "Installed",
    "region": "eu-west",
    "node_id": "node-17",
    "resources_allocated": RESOURCES,
    "uptime_percentage": 99.93,
    "last_health_check": "2026-01-31T09:15:00Z",
    "deployment_url": "https://dep-311.example.org",
    "monthly_cost": "49.90",
    "created_at": "2026-01-02T11:05:00Z",
}
DEPLOYMENT: Final[Json] = INFO | {
    "product_name": "Solar Forecast",
    "provider_name": "Hypha Cloud",
    "currency": "TFP",
}
PURCHASE: Final[Json] = {
    "id": "pur-1042",
    "transaction_id": "tx-5501",
    "product_id": "prod-7",
    "product_name": "Solar Forecast",
    "product_type": "service",
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "amount": "49.90",
    "currency": "TFP",
    "purchase_date": "2026-01-02T11:00:00Z",
    "status": "active",
    "billing_cycle": "monthly",
    "deployment_info": INFO,
    "service_period": {
        "start_date": "2026-01-02T11:00:00Z",
        "end_date": "2027-01-02T11:00:00Z",
        "auto_renewal": True,
        "hours_used": 695.5,
        "sessions_completed": 0,
        "next_billing_date": "2026-02-02T11:00:00Z",
    },
    "rating": 4.5,
    "review": "It knows when the sun shines.",
    "support_tickets": [],
}
MOVE: Final[Json] = {"status": "active", "at": "2026-01-02T11:01:00Z", "reason": "Paid", "legal": True}
HEALTH: Final[Json] = {
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-01-31T00:00:00Z",
    "uptime_percentage": 99.93,
    "expected_seconds": 2458500.0,
    "up_seconds": 2456700.0,
    "intervals": [
        {"status": "running", "start": "2026-01-02T11:06:00Z", "end": "2026-01-30T00:00:00Z", "reason": "Installed"}
    ],
    "checks": [
        {"at": "2026-01-31T09:15:00Z", "healthy": True, "latency_ms": 21.5, "cpu_percent": 12.0, "memory_percent": 40.0}
    ],
}
CREDENTIALS: Final[Json] = {"username": "root", "password": "…", "api_key": "…", "ssh_key": "…"}
ACCEPTED: Final[Json] = {"command_id": "5f0c954e-8b1d-4c7a-a2e6-93d4f1b07c65"}
COMMAND: Final[Json] = ACCEPTED | {
    "action": "buy",
    "state": "failed",
    "reason": "The balance of 12.50 TFP does not cover 49.90 TFP; top up the wallet first.",
    "requested_at": "2026-01-02T10:59:58Z",
    "product_id": "prod-7",
}
WALLET: Final[Json] = {
    "balance": "412.35",
    "currency": "TFP",
    "as_of": "2026-01-31T08:12:00Z",
    "transactions": 57,
    "sequence_gaps": [{"first": 12, "last": 13}],
    "difference": "-4.00",
    "change_this_month": {"TFP": "-87.65"},
}
TRANSACTION: Final[Json] = {
    "transaction_id": "tx-5501",
    "sequence": 57,
    "kind": "purchase",
    "amount": "-49.90",
    "currency": "TFP",
    "balance_after": "412.35",
    "timestamp": "2026-01-02T11:00:00Z",
    "related_entity_id": "pur-1042",
    "related_entity_type": "purchase",
    "description": "Solar Forecast, January",
}
POOL: Final[Json] = {
    "pool_id": "pool-3",
    "pool_name": "Community Solar",
    "invested": "200.00",
    "current_value": "206.10",
    "currency": "TFP",
    "share_percent": 0.4,
    "apy_percent": 6.1,
    "status": "open",
    "as_of": "2026-01-30T00:00:00Z",
}
JWKS: Final[Json] = {
    "keys": [{"kty": "EC", "crv": "P-256", "x": "…", "y": "…", "kid": "…", "use": "enc", "alg": "ECDH-ES+A256KW"}]
}
