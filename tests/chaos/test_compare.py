"""The comparison of a user: the answers of a right service are right, and whatever is lost or doubled is told."""

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal

import pytest

from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed, ProductRetired
from tests.chaos.asking import Answers
from tests.chaos.compare import wrong_of, wrong_of_catalogue
from tests.chaos.one_user import DETAILS, NOW, RIGHT, SMALL, at, check, truth
from tests.chaos.truth import Catalogue


def wrong(answers: Answers) -> list[str]:
    return [*wrong_of(truth(), answers, NOW, NOW)]


def test_right_answers_are_right() -> None:
    assert wrong(RIGHT) == []


Tamper = Callable[[Answers], object]
TAMPERED: dict[str, tuple[str, Tamper]] = {
    "an activity lost": ("activities", lambda a: a.activities.pop()),
    "an activity doubled": ("activities", lambda a: a.activities.append(a.activities[0])),
    "a purchase doubled": ("purchases, each once", lambda a: a.purchases.append(a.purchases[0])),
    "a service period lost": ("purchases", lambda a: a.purchases[0]["service_period"].update(hours_used=1.0)),
    "a review lost": ("purchases", lambda a: a.purchases[0].update(review=None)),
    "a ticket lost": ("purchases", lambda a: a.purchases[0]["support_tickets"].clear()),
    "a ticket doubled": ("purchases", lambda a: a.purchases[0]["support_tickets"].append("t-1")),
    "a move lost": ("purchases' history", lambda a: a.details[0]["status_history"].pop()),
    "a scaling lost": ("deployments", lambda a: a.deployments[0].update(resources_allocated=SMALL.model_dump())),
    "the last check lost": ("deployments", lambda a: a.deployments[0].update(last_health_check=at(9))),
    "a stale uptime": ("a deployment's uptime", lambda a: a.deployments[0].update(uptime_percentage=100.0)),
    "a check lost": ("health checks", lambda a: a.health["dep-1"]["checks"].pop(0)),
    "a check doubled": ("health checks", lambda a: a.health["dep-1"]["checks"].append(check(7, 20.0))),
    "a check changed": ("health checks", lambda a: a.health["dep-1"]["checks"][0].update(cpu_percent=21.0)),
    "a stay lost": ("deployments' history", lambda a: a.health["dep-1"]["intervals"].pop(0)),
    "a line doubled": ("ledger, each once", lambda a: a.transactions.append(a.transactions[0])),
    "a position lost": ("pools, each once", lambda a: a.pools.clear()),
    "an uptime of analytics": (
        "usage: average uptime",
        lambda a: a.usage["deployment_stats"].update(average_uptime=99),
    ),
    "hours of analytics": ("usage: hours run", lambda a: a.usage["deployment_stats"].update(total_resource_hours=43)),
    "a load of analytics": (
        "usage: cost efficiency",
        lambda a: a.usage["deployment_stats"].update(cost_efficiency_score=20.0),
    ),
    "a rating of analytics": ("usage", lambda a: a.usage["preferred_providers"][0].update(average_rating=None)),
    "an event of a purchase": ("analytics' purchases", lambda a: a.why_purchases["facts"][0]["event_ids"].pop()),
    "an event of a deployment": (
        "analytics' deployments",
        lambda a: a.why_deployments["facts"][0]["event_ids"].append("e-8"),
    ),
    "an active minute lost": ("analytics' active minutes", lambda a: a.why_minutes["facts"].pop()),
    "a language lost": ("language", lambda a: a.preferences.update(language="en")),
}


@pytest.mark.parametrize(("where", "tamper"), TAMPERED.values(), ids=TAMPERED)
def test_what_is_lost_or_doubled_is_told(where: str, tamper: Tamper) -> None:
    answers = deepcopy(RIGHT)
    tamper(answers)
    assert any(each.startswith(f"{where}: ") for each in wrong(answers))


OFFERED = DETAILS | {"name": "Spore", "price": Decimal("12.50")}
SHOWN: dict[str, object] = {
    "id": "prod-1",
    "name": "Spore",
    "description": "",
    "product_type": "application",
    "category": None,
    "provider_id": "hypha",
    "provider_name": "Hypha",
    "price": "12.50",
    "currency": "TFP",
    "billing_cycle": None,
    "annual_price": None,
    "tags": [],
    "rating": None,
}


def catalogue(*, retired: bool) -> Catalogue:
    told = Catalogue()
    told.hear(make_event(ProductListed.model_validate(OFFERED), source="/test"))
    if retired:
        told.hear(make_event(ProductRetired(product_id="prod-1"), source="/test"))
    return told


def test_the_catalogue_is_what_is_listed_and_not_retired() -> None:
    assert wrong_of_catalogue(catalogue(retired=False), [SHOWN]) == []
    assert wrong_of_catalogue(catalogue(retired=True), []) == []


@pytest.mark.parametrize("shown", [[], [SHOWN, SHOWN], [SHOWN | {"price": "12"}], [SHOWN, SHOWN | {"id": "prod-2"}]])
def test_a_product_that_is_lost_doubled_changed_or_of_nobody_is_told(shown: list[dict[str, object]]) -> None:
    assert wrong_of_catalogue(catalogue(retired=False), shown)


def test_a_retirement_that_is_lost_is_told() -> None:
    assert wrong_of_catalogue(catalogue(retired=True), [SHOWN])
