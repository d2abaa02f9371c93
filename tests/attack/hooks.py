"""Loaded by schemathesis, in its own process."""

import time
from typing import Any, Final

import schemathesis
from schemathesis import Case, CheckContext, Response

_TRIES: Final = 20


@schemathesis.check
def no_fault(_context: CheckContext, response: Response, case: Case[Any]) -> None:
    """No 5xx, but for a problem that says when to come back, and that is gone then. (Any: of schemathesis' own.)"""
    for _ in range(_TRIES):
        if response.status_code != 503:
            break
        assert response.headers["content-type"] == ["application/problem+json"], "a 503 is a problem"
        time.sleep(float(response.headers["retry-after"][0]))
        response = case.call()
    assert response.status_code < 500, f"{response.status_code}: {response.text}"
