"""What every service needs to give a user's things away as lines of JSON, and to take them back."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, TypeVar

import orjson
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter, ValidationError

from shared.contracts.portable import MOST_ITEMS, PortedItem, name_of
from shared.plumbing.problems import ProblemError, json_pointer

Thing = tuple[str, Any]  # the part that an item belongs to, and the item: JSON
I = TypeVar("I", bound=PortedItem[Any, Any])  # noqa: E741  (any part, any item)

_CHUNK_BYTES = 65_536
_MOST_BYTES = 32 * 1024 * 1024
_MOST_ERRORS = 20
_TOO_LARGE = ProblemError(413, "too-large", f"Send at most {MOST_ITEMS} items and 32 MiB at once.")
NOT_YOURS = ProblemError(403, "not-yours", "This file holds another user's data; import one that you exported.")


def stream_of(parts: Sequence[str], things: AsyncIterator[Thing]) -> Response:
    """The things as lines of JSON, and a last line that counts them by part.

    A failure in between ends the answer without the last line, and without the end of an HTTP body.
    """
    return StreamingResponse(_lines(parts, things), media_type="application/x-ndjson")


async def _lines(parts: Sequence[str], things: AsyncIterator[Thing]) -> AsyncIterator[bytes]:
    counts, waiting = dict.fromkeys(parts, 0), bytearray()
    async for part, item in things:
        counts[part] += 1
        waiting += orjson.dumps({"part": part, "item": item}, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
        if len(waiting) >= _CHUNK_BYTES:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting) + orjson.dumps({"end": True, "counts": counts}, option=orjson.OPT_APPEND_NEWLINE)


async def items_in(request: Request, adapter: TypeAdapter[list[I]]) -> list[I]:
    """The items that the gateway sends. Raises a 413 problem for too much, 422 where one is not valid or comes twice.

    The problem's pointers begin with the place of the item: `#/3/item/timestamp`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise _TOO_LARGE
    try:
        items = adapter.validate_json(bytes(body))
    except ValidationError as error:
        raise invalid(_sentences(error)) from None
    if len(items) > MOST_ITEMS:
        raise _TOO_LARGE
    if twice := list(_twice(items)):
        raise invalid((f"#/{place}/item", "is there twice; a file has everything once") for place in twice)
    return items


def _sentences(error: ValidationError) -> Iterable[tuple[str, str]]:
    for problem in error.errors(include_url=False, include_context=False, include_input=False):
        place, *location = problem["loc"] or ("",)
        if len(location) > 1 and location[0] not in ("part", "item"):
            location = location[1:]  # the part's name, which pydantic puts in where several are possible
        yield json_pointer([place, *location]), problem["msg"].removeprefix("Value error, ")


def _twice(items: Iterable[PortedItem[Any, Any]]) -> Iterable[int]:
    seen = set[tuple[object, ...]]()
    for place, item in enumerate(items):
        name = name_of(item)
        if name in seen:
            yield place
        seen.add(name)


def invalid(sentences: Iterable[tuple[str, str]]) -> ProblemError:
    """A 422 problem with a sentence for each pointer; the first twenty."""
    errors = [{"pointer": pointer, "detail": detail} for pointer, detail in sentences][:_MOST_ERRORS]
    return ProblemError(422, "invalid", "Some items are not valid; see errors.", errors=errors)
