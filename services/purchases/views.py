"""Documents as the API shows them: each thing with what belongs to it of its neighbour."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from shared.contracts.times import microseconds
from shared.folds import deployment, purchase
from shared.folds.state import value
from shared.plumbing.mongo import Document

UPTIME_WINDOW: Final = timedelta(days=30)


def purchase_view(document: Document, deployments: Iterable[Document], now: datetime) -> Document:
    """A `PurchaseRecord` with the newest of its deployments, if it has one."""
    record = purchase.record_of(document["id"], document)
    newest = max((d for d in deployments if d["tags"]), key=lambda d: (d["at"], d["_id"]), default=None)
    return record | {"deployment_info": newest and deployment_info(newest, now)}


def deployment_info(document: Document, now: datetime) -> Document:
    """A `DeploymentInfo`; its uptime is that of the last thirty days before `now` (UTC)."""
    checks = [deployment.Check(at, healthy) for at, healthy in document.get("decisive", ())]
    end = microseconds(now)
    up = deployment.uptime(deployment.intervals(document), checks, end - microseconds_in(UPTIME_WINDOW), end)
    return deployment.info_of(document["id"], document, up.percentage)


def deployment_view(document: Document, bought: Mapping[str, Any] | None, now: datetime) -> Document:
    """A `DeploymentInfo` with what its purchase says: the names, and a monthly cost where the deployment has none."""
    info = deployment_info(document, now)
    details = value(dict(bought), "details", {}) if bought else {}
    return info | {
        "product_name": details.get("product_name"),
        "provider_name": details.get("provider_name"),
        "currency": details.get("currency"),
        "monthly_cost": info["monthly_cost"] or (purchase.monthly_cost(dict(bought)) if bought else None),
    }


def microseconds_in(span: timedelta) -> int:
    """A span of time in whole microseconds."""
    return span // timedelta(microseconds=1)
