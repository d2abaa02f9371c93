"""Walking through an old file: one entry at a time, so that its size makes no difference to the memory it takes."""

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import ijson
from ijson.common import ObjectBuilder

MOST_BYTES: Final = 64 * 1024 * 1024
_DEEPEST = 32
_MOST_VALUES = 10_000  # of one entry
_LISTS: Final = frozenset({"transactions", "user_activities", "pool_positions"})
_MOST_DIGITS = 1_000
_ENDLESS = re.compile(rb"[0-9]{%d}" % (_MOST_DIGITS + 1))
_NOT_JSON: Final = "should be one JSON object in UTF-8, without NaN, Infinity or a byte order mark"

Event = tuple[str, Any]  # ijson's: what it is, and the name or the value


class UnreadableError(Exception):
    """Nothing can be read of a file. The message says why, without quoting the file."""


class Found(NamedTuple):
    """A top-level member, or with `place` (from 0) one entry of a list there. `key` names an entry of a JSON object."""

    member: str
    value: Any  # JSON; numbers with a fraction are Decimals
    place: int | None = None
    key: str | None = None


def open_file(path: Path, root: Path) -> BinaryIO:
    """A regular file below `root`, which is resolved. Raises UnreadableError."""
    try:
        if not path.resolve(strict=True).is_relative_to(root):
            raise UnreadableError("is a link that leads out of the directory: copy the file here")
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except (OSError, RuntimeError) as error:  # RuntimeError: links that lead to each other
        why = getattr(error, "strerror", None) or "it leads to itself"
        raise UnreadableError(f"cannot be read: {why}") from None
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise _closing(file, "is no regular file")
    if status.st_size > MOST_BYTES:
        raise _closing(file, f"has {status.st_size:,} bytes; at most {MOST_BYTES:,} are read: is it an old user file?")
    return file


def _closing(file: BinaryIO, why: str) -> UnreadableError:
    file.close()
    return UnreadableError(why)


def walk(file: BinaryIO, wanted: Callable[[str], bool]) -> Iterator[Found]:
    """The wanted members from the beginning to the end of the file, in its order. Raises UnreadableError."""
    file.seek(0)
    try:
        yield from _members(_not_too_deep(ijson.basic_parse(_Checked(file))), wanted)
    except (ijson.JSONError, UnicodeError, ArithmeticError):  # ArithmeticError: an exponent beyond any number
        raise UnreadableError(_NOT_JSON) from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from None


class _Checked:
    """The file as it is read, refused at an endless number: ijson's parser in C does not survive one."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._before = file, b""

    def read(self, size: int) -> bytes:
        """As a file's."""
        chunk = self._file.read(size)
        if _ENDLESS.search(self._before + chunk):
            raise UnreadableError(f"has a number of more than {_MOST_DIGITS:,} digits")
        self._before = chunk[-_MOST_DIGITS:]
        return chunk


def _not_too_deep(events: Iterator[Event]) -> Iterator[Event]:
    depth = 0
    for kind, value in events:
        depth += kind.startswith("start") - (kind in ("end_map", "end_array"))
        if depth > _DEEPEST:
            raise UnreadableError(f"is nested more than {_DEEPEST} levels deep")
        yield kind, value


def _members(events: Iterator[Event], wanted: Callable[[str], bool]) -> Iterator[Found]:
    if next(events) != ("start_map", None):
        raise UnreadableError(_NOT_JSON)
    for kind, name in events:
        if kind == "end_map":
            continue  # what follows would not be JSON, and ijson says so
        start, value = next(events)
        if not wanted(name):
            _skip(events, start)
        elif name in _LISTS and start in ("start_array", "start_map"):
            yield from _entries(events, name)
        else:
            yield Found(name, _built(events, start, value, name))


def _entries(events: Iterator[Event], member: str) -> Iterator[Found]:
    """The entries of a list, or of an object whose names are ids."""
    place, key = 0, None
    for kind, value in events:
        if kind in ("end_array", "end_map"):
            return
        if kind == "map_key":
            key = value
        else:
            yield Found(member, _built(events, kind, value, f"{member}[{place}]"), place, key)
            place += 1


def _built(events: Iterator[Event], start: str, value: Any, what: str) -> Any:  # Any: JSON
    builder = ObjectBuilder()
    builder.event(start, value)
    for number, (kind, inner) in enumerate(_rest(events, start)):
        builder.event(kind, inner)
        if number > _MOST_VALUES:
            raise UnreadableError(f"{what} has more than {_MOST_VALUES:,} values")
    return builder.value


def _skip(events: Iterator[Event], start: str) -> None:
    for _ in _rest(events, start):
        pass


def _rest(events: Iterator[Event], start: str) -> Iterator[Event]:
    """What is left of a value that has begun."""
    depth = int(start.startswith("start"))
    while depth:
        kind, value = next(events)
        depth += kind.startswith("start") - (kind in ("end_map", "end_array"))
        yield kind, value
