"""Errors as RFC 9457 problem details, made in one place for every route of every process."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.plumbing.logs import get

_MEDIA_TYPE = "application/problem+json"
_MAX_ERRORS = 20
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_NEXT_STEPS = {
    404: "There is nothing at this address; check its spelling.",
    405: "This address does not take this method; the Allow header has those that it takes.",
}
_log = get(__name__)


class ProblemError(Exception):
    """What went wrong with a request. `code` is the stable name of the kind of problem, `detail` the next step."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers


def field_problem(pointer: str, detail: str) -> ProblemError:
    """A 422 about one field, named by a JSON pointer such as `#/limit`."""
    return ProblemError(422, "invalid", "A field is not valid.", errors=[{"pointer": pointer, "detail": detail}])


def problem_response(problem: ProblemError) -> Response:
    """The problem as application/problem+json."""
    body: dict[str, Any] = {
        "type": f"urn:mycelium:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    return Response(orjson.dumps(body), problem.status, problem.headers, _MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Makes every error of `app` a problem: ours, the framework's, and the ones nobody expected."""
    app.add_exception_handler(ProblemError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)  # noqa: S101  (registered for this type)
    return problem_response(error)


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    problems = error.errors()
    if any(p["type"] == "json_invalid" for p in problems):
        return problem_response(ProblemError(400, "not-json", "The body should be one JSON text in UTF-8."))
    errors = [
        {"pointer": json_pointer(p["loc"][1:]), "detail": p["msg"].removeprefix("Value error, ")}
        for p in problems[:_MAX_ERRORS]
    ]
    return problem_response(ProblemError(422, "invalid", "Some fields are not valid; see errors.", errors=errors))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    detail = _NEXT_STEPS.get(error.status_code, str(error.detail))
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problem_response(ProblemError(error.status_code, code, detail, headers=headers))


def _allowed(request: Request) -> str:
    """The methods of all routes at this address; the framework names those of the first one."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.routes
    return ", ".join(m for m, scope in scopes.items() if any(each.matches(scope)[0] is Match.FULL for each in routes))


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("request_failed", route=route_of(request), exc_info=error)
    return problem_response(ProblemError(500, "internal", "Something failed on our side; nothing was changed by half."))


def route_of(request: Request) -> str:
    """The route's template, which never holds what a user sent."""
    return getattr(request.scope.get("route"), "path", "unmatched")


def json_pointer(steps: Sequence[int | str]) -> str:
    """A JSON pointer (RFC 6901) into the body, or the parameter's name."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
