"""What needs attention on the overview: the worst first, nothing twice, nothing that is over."""

from typing import Any

from services.gateway.pages.home import concerns_of
from services.gateway.pages.view import HOME
from tests.unit.gateway.pages.views import view

Json = dict[str, Any]  # Any: JSON


def said(id: str, at: str = "2026-01-30T10:00:00Z", **more: object) -> Json:
    return {
        "id": id,
        "code": "deployment_unhealthy",
        "params": {"product": id, "region": "eu"},
        "title": id,
        "body": "",
        "severity": "warning",
        "section": "deployments",
        "related_entity_id": f"dep-{id}",
        "related_entity_type": "deployment",
        "resolved_at": None,
        "at": at,
        **more,
    }


def deployment(id: str, status: str = "error", reason: str | None = None) -> Json:
    return {"deployment_id": id, "product_name": f"Product {id}", "status": status, "status_reason": reason}


def ids(notices: list[Json], deployments: list[Json]) -> list[str]:
    return [concern.id for concern in concerns_of(view(), notices, deployments)]


def test_the_worst_comes_first_then_the_newest() -> None:
    notices = [
        said("new", at="2026-01-31T08:00:00Z"),
        said("old", at="2026-01-29T08:00:00Z"),
        said("worst", at="2026-01-28T08:00:00Z", severity="critical"),
    ]
    assert ids(notices, []) == ["notification-worst", "notification-new", "notification-old"]


def test_what_is_over_or_only_for_information_needs_no_attention() -> None:
    refund = said("refund", code="refund", severity="info", params={"amount": "1", "currency": "TFP", "product": "X"})
    assert ids([said("over", resolved_at="2026-01-31T08:00:00Z"), refund], [deployment("d", "running")]) == []


def test_what_ends_soon_needs_attention_although_nothing_is_wrong() -> None:
    ending = said("e", code="service_ending", severity="info", params={"product": "X", "ends_on": "2026-02-01"})
    assert ids([ending], []) == ["notification-e"]


def test_a_failure_is_shown_once_whether_or_not_a_notification_tells_of_it() -> None:
    failing = [deployment("dep-a", reason="no disk"), deployment("dep-b")]
    assert ids([said("a", severity="critical")], failing) == ["failing-dep-b", "notification-a"]
    [concern] = concerns_of(view(), [], failing[:1])
    assert (concern.title, concern.body) == ("Product dep-a has failed", "no disk")
    assert concern.href == f"{HOME}/deployments/dep-a"
