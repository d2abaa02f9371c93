"""Deployments live as their purchases and their providers let them."""

from collections import defaultdict
from datetime import datetime, timedelta

from mycelium.simulator.diary import Entry
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseStatusChanged,
)
from tests.unit.simulator.picking import of

ENDED = ("completed", "cancelled", "refunded", "expired")


def test_deployments_go_through_every_status_and_report_only_while_they_can(entries: list[Entry]) -> None:
    status: dict[str, str] = {}
    seen = set()
    for _, event in entries:
        match event.data:
            case DeploymentCreated() as created:
                status[created.deployment_id] = "deploying"
            case DeploymentStatusChanged() as changed:
                assert changed.status != status[changed.deployment_id]
                status[changed.deployment_id] = changed.status
                seen.add(changed.status)
            case DeploymentScaled() as scaled:
                assert status[scaled.deployment_id] == "scaling"
            case DeploymentHealthReported() as report:
                assert status[report.deployment_id] in ("running", "error")
                assert status[report.deployment_id] == "running" or not report.healthy
    assert seen == {"running", "stopped", "error", "maintenance", "scaling"}


def test_what_is_bought_as_an_application_is_deployed_as_an_app(entries: list[Entry]) -> None:
    types = {purchase.purchase_id: purchase.product_type for _, purchase in of(entries, PurchaseCreated)}
    created = [deployment for _, deployment in of(entries, DeploymentCreated)]
    assert {d.kind for d in created} == {"app", "service"}
    assert all((d.kind == "app") == (types[d.purchase_id] == "application") for d in created)


def test_a_deployment_stops_with_its_purchase_and_stays_so(entries: list[Entry]) -> None:
    of_purchase = {d.purchase_id: d.deployment_id for _, d in of(entries, DeploymentCreated)}
    endings = [
        (time, change)
        for time, change in of(entries, PurchaseStatusChanged)
        if change.status in ENDED and change.purchase_id in of_purchase
    ]
    ends = {of_purchase[change.purchase_id]: time for time, change in endings}
    last = {change.deployment_id: (time, change.status) for time, change in of(entries, DeploymentStatusChanged)}
    assert {change.status for _, change in endings} == {"completed", "expired", "refunded"}
    assert all(last[deployment_id][1] == "stopped" for deployment_id in ends)
    assert all(last[deployment_id][0] <= end for deployment_id, end in ends.items())


def test_health_comes_a_few_times_a_day_and_mostly_good(entries: list[Entry]) -> None:
    times: dict[str, list[datetime]] = defaultdict(list)
    for time, report in of(entries, DeploymentHealthReported):
        times[report.deployment_id].append(time)
    long_lived = [t for t in times.values() if t[-1] - t[0] > timedelta(days=10)]
    assert len(long_lived) > 10
    assert all(1 <= len(t) / ((t[-1] - t[0]) / timedelta(days=1)) <= 5 for t in long_lived)
    healthy = [report.healthy for _, report in of(entries, DeploymentHealthReported)]
    assert 0.95 < sum(healthy) / len(healthy) < 1


def test_some_deployments_are_idle_and_some_are_not(entries: list[Entry]) -> None:
    cpu: dict[str, list[float]] = defaultdict(list)
    for _, report in of(entries, DeploymentHealthReported):
        if report.cpu_percent is not None:
            cpu[report.deployment_id].append(report.cpu_percent)
    means = [sum(values) / len(values) for values in cpu.values() if len(values) > 10]
    assert any(mean < 5 for mean in means)
    assert any(mean > 50 for mean in means)
