"""How a timeline is shown and paged: documents to JSON, positions to cursors."""

from base64 import b64decode, urlsafe_b64encode
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

_POSITION = Struct(">q16s")
_CHECK_BYTES = 9  # with it a cursor fills its base64 letters exactly, so that no letter has bits to spare


class BadCursorError(ValueError):
    """The text is not a cursor that this user was given."""


class Position(NamedTuple):
    """A place in a timeline: that of the activity with this `id` at this time, in microseconds since 1970."""

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


def _check(user: str, packed: bytes) -> bytes:
    return blake2b(packed, key=blake2b(user.encode()).digest(), digest_size=_CHECK_BYTES).digest()
