"""An erasure: asked for once, and completed when every service has said that it is done. No user is named in it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.contracts.topics import SERVICES


def completed_at(done: Mapping[str, datetime]) -> datetime | None:
    """When the last of all services was done, by the times (UTC) at which they were; None while one is not."""
    return max(done[service] for service in SERVICES) if done.keys() >= set(SERVICES) else None


def shown(erasure_id: str, requested_at: datetime | None, done: Mapping[str, datetime]) -> dict[str, Any]:
    """An `Erasure` as the API shows it. One that was asked for elsewhere was requested when the first receipt came."""
    completed = completed_at(done)
    return {
        "erasure_id": erasure_id,
        "state": "completed" if completed else "pending",
        "requested_at": requested_at or min(done.values()),
        "completed_at": completed,
        "services": {service: done.get(service) for service in SERVICES},
    }
