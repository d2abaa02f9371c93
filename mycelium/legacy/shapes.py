"""What the members of an old file look like: Rust's names and enums, times, and what cannot be read of them."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from shared.contracts.build import make_event
from shared.contracts.dashboard import Metadata
from shared.contracts.envelope import UserPayload
from shared.contracts.reading import AnyEvent
from shared.contracts.types import normalise_email, utc_time
from shared.folds.facts import digest

SOURCE = "/mycelium/import-legacy"
Record = Mapping[str, Any]  # JSON; numbers with a fraction are Decimals

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+")
_METADATA: TypeAdapter[dict[str, Any]] = TypeAdapter(Metadata)


class MisfitError(ValueError):
    """A record or a member of it cannot be read. The message begins with the member and quotes nothing."""


def snake(name: str) -> str:
    """`ProductView`, `product-view` and `PRODUCT_VIEW` are `product_view`."""
    return _HUMP.sub("_", name.strip()).lower()


def variant(value: object) -> tuple[str, Record]:
    """A Rust enum in any of serde's forms: its name in snake_case and its members. Raises MisfitError."""
    match value:
        case str(name):
            return snake(name), {}
        case {"type": str(name), **beside}:
            return snake(name), _named(beside)
        case dict() if len(value) == 1:
            [(name, inner)] = value.items()
            return snake(str(name)), _named(inner)
    raise MisfitError('should be a name such as "Purchase", or an object of it and its members')


def _named(members: object) -> Record:
    return {str(name): value for name, value in members.items()} if isinstance(members, dict) else {}


def record_of(value: object, email: str | None) -> Record:
    """A record of a list, which may not name another user than the file does. Raises MisfitError."""
    if not isinstance(value, dict):
        raise MisfitError("should be a JSON object")
    named = value.get("user_email")
    if isinstance(named, str) and email is not None and not _is_same(named, email):
        raise MisfitError("user_email: should be the file's own user")
    return value


def _is_same(named: str, email: str) -> bool:
    try:
        return normalise_email(named) == email
    except ValueError:
        return False


def time_of(record: Record, *names: str) -> datetime | None:
    """The time in the first of those members that there is. Raises MisfitError if it is none."""
    for name in names:
        if record.get(name) is not None:
            try:
                return utc_time(record[name])
            except ValueError as error:
                raise MisfitError(f"{name}: {error}") from None
    return None


def identity(record: Record) -> str:
    """What tells a record from all others of its user: its own id, else everything in it."""
    own = record.get("id")
    if isinstance(own, str) and own:
        return digest("id", own)
    return digest("record", json.dumps(record, default=str, sort_keys=True))


def event_of(payload: UserPayload, time: datetime, *parts: str) -> AnyEvent:
    """The event of a record, known by the user, the type and `parts`: the same every time. Raises ValidationError."""
    kind = payload.event_type.rpartition(".")[0]
    return make_event(payload, source=SOURCE, id=f"legacy-{digest(payload.user_email, kind, *parts)}", time=time)


def plain_metadata(record: Record) -> tuple[dict[str, Any], int]:
    """What of an old record's metadata an event can carry, and how many members it cannot."""
    given = record.get("metadata") or {}
    if not isinstance(given, dict):
        return {}, 1
    kept: dict[str, Any] = {}
    for name, value in given.items():
        member = {name: float(value) if isinstance(value, Decimal) else value}
        try:
            kept |= _METADATA.validate_python(member) if len(kept) < 20 else {}
        except ValidationError:
            continue
    return kept, len(given) - len(kept)


def why(error: ValidationError) -> str:
    """The problems of a record, each with its member; without what was in it."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(_problem(problem["loc"], problem["msg"]) for problem in problems[:3])


def _problem(loc: Iterable[int | str], message: str) -> str:
    member = ".".join(map(str, loc))
    message = message.removeprefix("Value error, ")
    return f"{member}: {message}" if member else message
