"""The OpenAPI document: complete, with an example of everything that is true to its schema."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from services.gateway.main import build_app
from tests.unit.gateway.app import SETTINGS

Json = dict[str, Any]  # Any: JSON
DESCRIPTION: Json = build_app(SETTINGS).openapi()
OPERATIONS = {
    f"{method} {path}": operation for path, item in DESCRIPTION["paths"].items() for method, operation in item.items()
}


OPEN = {
    "post /api/v1/auth/register",
    "post /api/v1/auth/login",
    "get /api/v1/erasures/{erasure_id}",
    "get /.well-known/jwks.json",
}


def contents(operation: Json) -> Iterator[tuple[str, Json]]:
    """Every body that goes in or comes out."""
    if body := operation.get("requestBody"):
        yield from body["content"].items()
    for response in operation["responses"].values():
        yield from response.get("content", {}).items()


def test_it_is_openapi_3_1_and_has_the_contracts_operations() -> None:
    assert DESCRIPTION["openapi"].startswith("3.1")
    assert set(OPERATIONS) == {
        "post /api/v1/auth/register",
        "post /api/v1/auth/login",
        "post /api/v1/auth/logout",
        "post /api/v1/auth/password",
        "get /api/v1/sessions",
        "delete /api/v1/sessions/{session_id}",
        "delete /api/v1/account",
        "get /api/v1/erasures/{erasure_id}",
        "get /api/v1/overview",
        "get /api/v1/stream",
        "get /api/v1/profile",
        "patch /api/v1/profile",
        "get /api/v1/preferences",
        "patch /api/v1/preferences",
        "get /api/v1/profiles/{user_id}",
        "get /api/v1/activities",
        "post /api/v1/activities",
        "get /api/v1/activities/summary",
        "get /api/v1/purchases",
        "post /api/v1/purchases",
        "get /api/v1/purchases/{purchase_id}",
        "put /api/v1/purchases/{purchase_id}/rating",
        "post /api/v1/purchases/{purchase_id}/cancel",
        "get /api/v1/commands/{command_id}",
        "get /api/v1/deployments",
        "get /api/v1/deployments/{deployment_id}",
        "get /api/v1/deployments/{deployment_id}/health",
        "post /api/v1/deployments/{deployment_id}/commands",
        "post /api/v1/deployments/{deployment_id}/credentials/reveal",
        "get /api/v1/wallet",
        "get /api/v1/wallet/transactions",
        "get /api/v1/wallet/pools",
        "get /.well-known/jwks.json",
        "get /api/v1/export",
        "post /api/v1/import",
        "get /api/v1/analytics/usage",
        "get /api/v1/analytics/usage/explain",
        "get /api/v1/analytics/spending",
        "get /api/v1/analytics/forecast",
        "get /api/v1/analytics/anomalies",
        "get /api/v1/analytics/budget",
        "put /api/v1/analytics/budget",
        "get /api/v1/analytics/alerts",
        "get /api/v1/analytics/runway",
        "get /api/v1/analytics/report",
        "get /api/v1/analytics/benchmarks",
        "get /api/v1/recommendations/products",
        "get /api/v1/recommendations/spending",
        "post /api/v1/recommendations/spending/{idea_id}/dismiss",
        "get /api/v1/catalog",
        "get /api/v1/catalog/{product_id}",
        "get /api/v1/notifications",
        "post /api/v1/notifications/read",
        "post /api/v1/notifications/{notification_id}/read",
        "get /ops/v1/dead-letters",
        "get /ops/v1/dead-letters/{id}",
        "post /ops/v1/dead-letters/{id}/retry",
        "post /ops/v1/dead-letters/retry",
        "post /ops/v1/dead-letters/{id}/discard",
        "post /ops/v1/dead-letters/discard",
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_explained(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"][0] in {tag["name"] for tag in DESCRIPTION["tags"]}
    assert operation["operationId"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_that_is_true_to_its_schema(name: str) -> None:
    for _, content in contents(OPERATIONS[name]):
        examples = [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
        schema = content["schema"] | {"components": DESCRIPTION["components"]}
        for example in examples:
            Draft202012Validator(schema).validate(example)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_is_a_problem(name: str) -> None:
    for status, response in OPERATIONS[name]["responses"].items():
        if status >= "400":
            assert list(response["content"]) == ["application/problem+json"]
            example = response["content"]["application/problem+json"]["example"]
            assert str(example["status"]) == status
            assert bool(example.get("errors")) == (status == "422")


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_needs_a_token_says_so(name: str) -> None:
    operation = OPERATIONS[name]
    is_open = name in OPEN
    assert operation.get("security", []) == ([] if is_open else [{"bearer": []}, {"cookie": []}])
    assert is_open or "401" in operation["responses"]
    assert DESCRIPTION["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_no_schema_is_the_frameworks_own_error() -> None:
    assert {"HTTPValidationError", "ValidationError"}.isdisjoint(DESCRIPTION["components"]["schemas"])
