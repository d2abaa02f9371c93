"""One example of everything that the analytics part answers, for the API's description."""

from typing import Any, Final

Json = dict[str, Any]  # any JSON object

MONTH: Final[Json] = {
    "month": "2026-01",
    "total_spent": "62.40",
    "purchase_count": 3,
    "categories": {"service": "49.90", "storage": "12.50"},
    "providers": {"hypha": "49.90", "spore": "12.50"},
    "average_per_purchase": "20.80",
}
USAGE: Final[Json] = {
    "user_email": "ada@example.org",
    "currency": "TFP",
    "timezone": "Europe/Stockholm",
    "total_purchases": 3,
    "total_spent": "62.40",
    "other_currencies": {"EUR": "5.00"},
    "average_monthly_spending": "62.40",
    "favorite_categories": [
        {
            "category": "service",
            "purchase_count": 2,
            "total_spent": "49.90",
            "percentage_of_total": 80.0,
            "last_purchase": "2026-01-02T11:00:00Z",
            "average_rating": 4.5,
        }
    ],
    "preferred_providers": [
        {
            "provider_id": "hypha",
            "provider_name": "Hypha Cloud",
            "purchase_count": 2,
            "total_spent": "49.90",
            "average_rating": 4.5,
            "last_purchase": "2026-01-02T11:00:00Z",
            "satisfaction_score": 62.5,
        }
    ],
    "spending_trends": [MONTH],
    "deployment_stats": {
        "total_deployments": 1,
        "active_deployments": 1,
        "average_uptime": 99.93,
        "total_resource_hours": 695.5,
        "monthly_costs": "49.90",
        "cost_efficiency_score": 41.2,
    },
    "activity_patterns": {
        "most_active_hours": [10, 9, 20],
        "most_active_days": ["Tuesday", "Sunday"],
        "session_frequency": 4.5,
        "average_session_duration": 12,
        "peak_usage_times": ["Tuesday 10:00-11:00"],
    },
    "last_calculated": "2026-01-31T09:30:00Z",
}
EXPLANATION: Final[Json] = {
    "figure": "spending_trends/2026-01/total_spent",
    "value": "62.40",
    "formula": "The sum of the amounts of the purchases that are active or completed, less the refunds that name them.",
    "facts": [
        {
            "kind": "purchase",
            "id": "pur-1042",
            "label": "Solar Forecast",
            "amount": "49.90",
            "currency": "TFP",
            "value": 4.5,
            "at": "2026-01-02T11:00:00Z",
            "event_ids": ["0193b2a7-1111-7f01-90e1-9daebfc0d2a2"],
        }
    ],
    "total_facts": 1,
    "not_counted": 0,
}
REPORT: Final[Json] = {
    "from": "2026-01-01",
    "to": "2026-01-31",
    "timezone": "Europe/Stockholm",
    "total_spent": "49.90",
    "lines": [
        {
            "date": "2026-01-02",
            "purchase_id": "pur-1042",
            "product_name": "Solar Forecast",
            "product_type": "service",
            "provider_name": "Hypha Cloud",
            "status": "active",
            "amount": "49.90",
            "refunded": "0",
            "spent": "49.90",
            "currency": "TFP",
        }
    ],
    "months": {"2026-01": "49.90"},
    "categories": {"service": "49.90"},
    "providers": {"Hypha Cloud": "49.90"},
}
CSV: Final = (
    "date,purchase_id,product_name,product_type,provider_name,status,amount,refunded,spent,currency\r\n"
    "2026-01-02,pur-1042,Solar Forecast,service,Hypha Cloud,active,49.90,0,49.90,TFP\r\n"
)
FORECAST: Final[Json] = {
    "currency": "TFP",
    "history_months": 10,
    "method": "combination",
    "error": {"mae": "22.12", "mase": 0.55},
    "baseline": {"method": "mean", "error": {"mae": "24.13", "mase": 0.61}},
    "items": [{"month": "2026-02", "expected": "72.62", "low": "35.16", "high": "123.52"}],
}
ANOMALY: Final[Json] = {
    "id": "2026-01:hypha:above",
    "month": "2026-01",
    "running": True,
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "direction": "above",
    "spent": "69.50",
    "usual": "10.00",
    "difference": "59.50",
    "score": 8.1,
    "summary": "Hypha Cloud: 69.50 TFP in 2026-01 so far, 59.50 TFP more than usual.",
    "drivers": [
        {"kind": "purchase", "id": "pur-1042", "name": "Solar Forecast", "amount": "49.90", "event_ids": ["0193b2a7"]}
    ],
}
ALERT: Final[Json] = {
    "id": "4d66a5382d82d5251b770f57",
    "kind": "budget_reached",
    "month": "2026-01",
    "threshold": 50,
    "message": "You have spent 62.40 TFP: 50 % of your 100.00 TFP for 2026-01 is reached.",
}
TOLD_ALERT: Final[Json] = {**ALERT, "raised_at": "2026-01-20T08:00:00Z"}
BUDGET: Final[Json] = {
    "month": "2026-01",
    "monthly_limit": "100.00",
    "currency": "TFP",
    "spent": "62.40",
    "used_percent": 62.4,
    "left": "37.60",
    "expected": "71.20",
    "thresholds": [{"percent": 50, "state": "reached"}, {"percent": 80, "state": "clear"}],
    "alerts": [ALERT],
}
RUNWAY: Final[Json] = {
    "balance": "412.35",
    "currency": "TFP",
    "as_of": "2026-01-31T09:30:00Z",
    "window_days": 90,
    "burn_per_day": "4.78",
    "days_left": 86,
    "runs_out_on": "2026-04-27",
    "basis": "What purchases took, net of refunds, over the last 90 days.",
    "deployments": [
        {"deployment_id": "dep-311", "product_name": "Solar Forecast", "per_day": "1.64", "monthly_cost": "49.90"}
    ],
}
SAVINGS: Final[Json] = {
    "items": [
        {
            "id": "b1946ac92492d2347c6235b4",
            "type_": "idle_deployment",
            "title": "Stop the idle deployment of Solar Forecast",
            "description": "The deployment in eu-west does next to nothing and costs 49.90 TFP a month.",
            "potential_savings": "598.80",
            "currency": "TFP",
            "confidence": 0.8,
            "effort": "low",
            "reasons": ["Its mean load was 2 % in 60 health reports on 30 days."],
            "evidence": ["dep-311", "pur-1042"],
            "command": {"method": "POST", "path": "/api/v1/deployments/dep-311/commands", "body": {"action": "stop"}},
            "reason_codes": ["mean_load"],
            "params": {
                "product": "Solar Forecast",
                "region": "eu-west",
                "cost": "49.90",
                "currency": "TFP",
                "load": "2",
                "checks": "60",
                "days": "30",
                "idle_below": "5",
            },
        }
    ],
    "total_savings": "598.80",
    "currency": "TFP",
}
PRODUCT: Final[Json] = {
    "id": "prod-7",
    "name": "Solar Forecast",
    "description": "Knows when the sun shines.",
    "product_type": "service",
    "category": "forecasting",
    "provider_id": "hypha",
    "provider_name": "Hypha Cloud",
    "price": "49.90",
    "currency": "TFP",
    "billing_cycle": "monthly",
    "annual_price": "508.98",
    "tags": ["weather"],
    "rating": 4.5,
}
CATALOG: Final[Json] = {"items": [PRODUCT], "next_cursor": "WyJzb2xhciIsNTBd", "corrected": "solar"}
RECOMMENDATIONS: Final[Json] = {
    "items": [
        {
            "product": PRODUCT,
            "score": 0.08,
            "confidence": 0.6,
            "reasons": ["Bought together with Object Store by 12 others"],
            "evidence": [
                {
                    "kind": "bought_together",
                    "product_ids": ["prod-9"],
                    "count": 12,
                    "params": {"product": "Object Store"},
                }
            ],
        }
    ],
    "model_from": "2026-01-31T03:00:00Z",
}
BENCHMARKS: Final[Json] = {
    "cohort": "service",
    "measures": [
        {
            "measure": "monthly_spending",
            "value": "62.40",
            "percentile": 55,
            "others": 120,
            "as_of": "2026-01-26T00:00:00Z",
            "text": "You spend more a month than 55 % of 120 or more others who mostly buy services.",
            "code": "compared",
        }
    ],
}
