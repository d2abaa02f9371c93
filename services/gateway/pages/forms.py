"""What a form sent, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.datastructures import FormData

from services.gateway.bodies import MAX_BODY_BYTES, small_body
from services.gateway.services import Answer
from shared.plumbing.problems import ProblemError

_MOST_FIELDS: Final = 300
_TOO_LARGE = ProblemError(413, "too-large", f"A form may have {MAX_BODY_BYTES} bytes; send less at once.")
_NOT_A_FORM = ProblemError(415, "unsupported-media-type", "Send the form as a browser does.")


async def form_of(request: Request) -> FormData:
    """The fields of a form. Raises a 408, 413 or 415 problem."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise _NOT_A_FORM
    request._body = await small_body(request, _TOO_LARGE)
    return await request.form(max_fields=_MOST_FIELDS, max_files=0)


@dataclass(frozen=True)
class Sent:
    """What a service answered to a change: `problem` says what is wrong with it, `errors` with which field."""

    status: int
    body: Any = None  # Any: JSON
    problem: str | None = None
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        """Whether it was taken."""
        return self.status < 300

    @classmethod
    def of(cls, answer: Answer) -> "Sent":
        """Reads an answer; the fields of its errors by their JSON pointers without `#/`."""
        body: Any = orjson.loads(answer.body) if answer.body else {}
        if answer.status < 300:
            return cls(answer.status, body)
        errors = {error["pointer"].removeprefix("#/"): error["detail"] for error in body.get("errors", ())}
        return cls(answer.status, body, body.get("detail", ""), errors)
