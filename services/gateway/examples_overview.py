"""One example of an overview, for the API's description."""

from typing import Any, Final

from services.gateway.analytics_examples import PRODUCT, RECOMMENDATIONS, SAVINGS
from services.gateway.description import ACTIVITY
from services.gateway.examples import DEPLOYMENT, WALLET

_FRESH: Final = {"as_of": "2026-01-31T09:30:01.250000Z", "state": "fresh"}
_STALE: Final = {"as_of": "2026-01-31T09:12:44.090000Z", "state": "stale"}
OVERVIEW: Final[dict[str, Any]] = {  # any JSON
    "user": {
        "user_id": "0c6a7a52-3d1e-4f6b-9a58-7e2d1c0b9a81",
        "user_email": "ada@example.org",
        "display_name": "Ada",
        "avatar_url": "https://example.org/ada.png",
        "country": "SE",
        "timezone": "Europe/Stockholm",
        "created_at": "2026-01-02T10:00:00Z",
        "last_login": "2026-01-30T07:45:12Z",
        "preferred_currency": "EUR",
        "language": "sv",
        "theme": "dark",
        "dashboard_layout": "cards",
        "items_per_page": 50,
        "push_notifications": True,
        "activity_tracking": True,
        "has_chosen": True,
    },
    "stats": {
        "active_services": 1,
        "month": "2026-01",
        "spent_this_month": {"TFP": "62.40", "EUR": "5.00"},
        "spent_last_month": {"TFP": "12.50"},
        "wallet_change_this_month": {"TFP": "-87.65"},
    },
    "recent_activities": [ACTIVITY],
    "active_deployments": [DEPLOYMENT],
    "insights": {
        "currency": "TFP",
        "month": "2026-01",
        "spent_this_month": "62.40",
        "spent_last_month": "12.50",
        "average_monthly_spending": "37.45",
        "top_category": {"category": "service", "total_spent": "49.90", "percentage_of_total": 66.6},
        "biggest_change": {"category": "service", "this_month": "49.90", "last_month": "0"},
        "potential_savings": "598.80",
        "ideas": SAVINGS["items"],
        "recommended_products": [
            {
                "product": PRODUCT,
                "reason": "Bought together with Object Store by 12 others",
                "confidence": 0.6,
                "evidence": RECOMMENDATIONS["items"][0]["evidence"][0],
            }
        ],
        "unread_notifications": 2,
    },
    "wallet": WALLET,
    "sections": {
        "activity": _FRESH,
        "purchases": _FRESH,
        "deployments": _FRESH,
        "wallet": _FRESH,
        "profile": _FRESH,
        "preferences": _FRESH,
        "analytics": _STALE,
        "recommendations": _STALE,
    },
}
