"""Cursors: opaque texts that lead back to a place in a list, stable while new items arrive at its head."""

from base64 import b64decode, urlsafe_b64encode
from hashlib import blake2b
from struct import Struct
from typing import Any, NamedTuple

from shared.plumbing.mongo import Document
from shared.plumbing.problems import ProblemError

NEWEST_FIRST = {"at": -1, "_id": -1}
_POSITION = Struct(">q16s")
_CHECK_BYTES = 9  # with it a cursor fills its base64 letters exactly, so that no letter has bits to spare


class BadCursorError(ValueError):
    """The text is not a cursor that this user was given."""


class Position(NamedTuple):
    """A place in a list: that of the document with this id, 32 hexadecimal digits, at this time in microseconds."""

    at: int
    id: str


def cursor_of(user: str, position: Position) -> str:
    """An opaque text that leads back to `position`, for this user only. It holds nothing of the user."""
    packed = _POSITION.pack(position.at, bytes.fromhex(position.id))
    return urlsafe_b64encode(packed + _check(user, packed)).decode()


def position_of(user: str, cursor: str) -> Position:
    """The position that `cursor` leads to. Raises BadCursorError for anything that this user was not given."""
    try:
        raw = b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        raise BadCursorError from None
    packed, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
    if len(packed) != _POSITION.size or check != _check(user, packed):
        raise BadCursorError
    at, raw_id = _POSITION.unpack(packed)
    return Position(at, raw_id.hex())


def after(user: str, cursor: str | None) -> Position | None:
    """The position that a request's cursor leads to; None without one. Raises a 400 problem for a made-up one."""
    if cursor is None:
        return None
    try:
        return position_of(user, cursor)
    except BadCursorError:
        detail = "The cursor is not one that this list gave you; leave it out to start from the newest."
        raise ProblemError(400, "bad-cursor", detail) from None


def older_than(position: Position) -> Document:
    """The condition that selects what comes after `position` in a list that is sorted NEWEST_FIRST."""
    return {"$or": [{"at": {"$lt": position.at}}, {"at": position.at, "_id": {"$lt": position.id}}]}


def page(user: str, found: list[Document], limit: int, items: list[Any]) -> dict[str, Any]:  # Any: JSON
    """The answer of a list: `items` of the first `limit` documents of `found`, which has one more if there is one."""
    last = found[limit - 1] if len(found) > limit else None
    cursor = cursor_of(user, Position(last["at"], last["_id"])) if last else None
    return {"items": items, "next_cursor": cursor}


def _check(user: str, packed: bytes) -> bytes:
    return blake2b(packed, key=blake2b(user.encode()).digest(), digest_size=_CHECK_BYTES).digest()
