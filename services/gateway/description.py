"""What the OpenAPI document says besides the routes' own models: the problems, and an example of everything."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, Field

Responses = dict[int | str, dict[str, Any]]  # FastAPI's own type
PREFIX = "/api/v1"
_PROBLEM_JSON = "application/problem+json"

ABOUT = """\
Everything a marketplace user did, bought, runs and spent.

Log in to get a token, and send it as `Authorization: Bearer …`; a browser may keep it in the cookie `session`. The user
is the token's and nothing else: no path or parameter names a user. Lists answer `{"items": […], "next_cursor": …}`,
newest first. Errors are RFC 9457 problems: `type` is stable, `detail` says what to do, and `errors` names the fields.
Times are RFC 3339, in UTC.
"""
TAGS = [
    {"name": "auth", "description": "Signing in and out."},
    {"name": "account", "description": "Where the user is signed in, and how they leave."},
    {"name": "overview", "description": "Everything at a glance, and what changes as it changes."},
    {"name": "profile", "description": "Who the user is, and what they prefer."},
    {"name": "activities", "description": "What the user did, as one timeline."},
    {"name": "purchases", "description": "What the user bought."},
    {"name": "deployments", "description": "What the user runs, and how it is."},
    {"name": "wallet", "description": "Balance, ledger and pool positions."},
    {"name": "commands", "description": "What only the marketplace can do: asked for here, followed here."},
    {"name": "analytics", "description": "What it all comes to, why, and what is to come."},
    {"name": "notifications", "description": "What needs the user's attention."},
    {"name": "recommendations", "description": "What the user might want next, and where they could spend less."},
    {"name": "catalog", "description": "What is on offer."},
    {"name": "operators", "description": "For those who run it: the records that a service could not use."},
    {"name": "keys", "description": "For publishers."},
]

ACTIVITY = {
    "id": "9b2c1f0e5d7a4c3b8e6f1a2b3c4d5e6f",
    "user_email": "ada@example.org",
    "activity_type": "purchase",
    "description": "Bought Solar Forecast for 49.90 TFP",
    "timestamp": "2026-01-31T09:30:00Z",
    "metadata": {"amount": "49.90", "currency": "TFP"},
    "related_entity_id": "pur-1042",
    "related_entity_type": "purchase",
    "impact_level": "high",
    "session_id": "s-20260131-7",
}


class FieldError(BaseModel):
    """What is wrong with one field. `pointer` is a JSON pointer into the body or, by name, into the parameters."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem. `type` is stable, `detail` says what to do."""

    type: str = Field(pattern="^urn:mycelium:problem:[a-z0-9-]+$")
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: list[FieldError] = []


def answer(status: int, description: str, example: object = None) -> Responses:
    """A good answer; without an example it has no body."""
    content = {} if example is None else {"content": {"application/json": {"example": example}}}
    return {status: {"description": description, **content}}


def problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> Responses:
    """A problem that a route may answer."""
    title = HTTPStatus(status).phrase
    example = {"type": f"urn:mycelium:problem:{code}", "title": title, "status": status, "detail": detail}
    if errors:
        example["errors"] = errors
    schema = {"$ref": "#/components/schemas/Problem"}
    described: dict[str, Any] = {
        "description": title,
        "content": {_PROBLEM_JSON: {"schema": schema, "example": example}},
    }
    if status == 401:
        described["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "example": "Bearer"}}
    if status in (429, 503):
        described["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds.", "example": 1}}
    return {status: described}


def invalid(pointer: str, detail: str) -> Responses:
    """The 422 of a route, with one field as the example."""
    return problem(422, "invalid", "Some fields are not valid; see errors.", [{"pointer": pointer, "detail": detail}])


BAD_TOKEN = problem(401, "bad-token", "The token is not valid, or not any more; log in again.")
UNAVAILABLE = problem(503, "profile-unavailable", "The profile part does not answer right now; try again in a moment.")
TOO_MANY_FAILURES = problem(429, "too-many-failures", "There were too many failures; try again later.")
ELSEWHERE = problem(404, "accounts-elsewhere", "Accounts are the identity provider's here; register and sign in there.")
BAD_BODY = (
    problem(400, "not-json", "The body should be one JSON text in UTF-8.")
    | problem(408, "too-slow", "The body did not come within 30 seconds; send it again.")
    | problem(413, "too-large", "A body may have 65536 bytes; send less at once.")
    | problem(415, "unsupported-media-type", "Send the body as JSON, with `Content-Type: application/json`.")
)


_CROSS_SITE = problem(403, "cross-site", "A change that is signed in by the cookie is taken from own pages only.")
_HEAD = problem(414, "uri-too-long", "An address may have 8192 bytes; shorten it.") | problem(
    431, "headers-too-large", "A request may have 100 headers of 16384 bytes in all; send less, fewer cookies for one."
)


def describe(app: FastAPI) -> None:
    """Makes `app` describe itself with the schema of a problem, which no route returns as a model."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            _add_what_any_may_answer(app.openapi_schema["paths"])
            schemas = app.openapi_schema["components"]["schemas"]
            problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas |= problem_schema.pop("$defs")
            schemas["Problem"] = problem_schema
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI documents it so


def _add_what_any_may_answer(paths: dict[str, dict[str, Any]]) -> None:
    for item in paths.values():
        for method, operation in item.items():
            for status, described in (_HEAD if method == "get" else _HEAD | _CROSS_SITE).items():
                operation["responses"].setdefault(str(status), described)
