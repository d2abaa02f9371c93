"""An export that comes back: read in one pass, checked as a whole, and its items laid out for the services.

Nothing here waits; a file of the largest size takes seconds, so that this is done in a thread. Memory holds one item at
a time, of a bounded number of values.
"""

import hmac
from collections.abc import Iterator
from typing import IO, Any, Final, NamedTuple

import ijson

from services.gateway.bodies import MAX_DEPTH
from services.gateway.sealing import Contents, Json, canonical
from shared.contracts.portable import EXPORT_ONLY, FORMAT, MOST_ITEMS, PARTS, TAKEN_TOO, VERSION
from shared.contracts.topics import Service
from shared.plumbing.portability import NOT_YOURS
from shared.plumbing.problems import ProblemError
from shared.plumbing.settings import Secret

Parsed = Iterator[tuple[str, Any]]  # ijson's events; Any: a text, a number, a truth value or None

_MOST_VALUES = 20_000  # in one item: more than fit into any thing that a service keeps
_CHUNK_BYTES = 524_288
_KNOWN: Final[dict[str, Service]] = {part: service for service, parts in PARTS.items() for part in parts}
_ABOUT = frozenset({"format", "version", "schema", "user_email", "exported_at"})
_MANIFEST = frozenset({"counts", "left_out", "signature"})

_NOT_JSON = ProblemError(400, "not-json", "The file should be one JSON text in UTF-8, as GET /export gives it.")
_CUT_OFF = ProblemError(400, "cut-off", "The file ends in the middle: it was cut off. Export again and import that.")
_TOO_DEEP = ProblemError(400, "too-deep", f"A file may be nested {MAX_DEPTH} levels deep; an export is not deeper.")


def _wrong(pointer: str, detail: str) -> ProblemError:
    errors = [{"pointer": pointer, "detail": detail}]
    return ProblemError(422, "invalid", "This file cannot be imported; see errors.", errors=errors)


class Chunk(NamedTuple):
    """Some items of one part, beginning with the one at `first`, as the body of a call to `service`.

    `takers` are the services that take them besides.
    """

    service: Service
    takers: tuple[Service, ...]
    part: str
    first: int
    items: int
    body: bytes


def lay_out(file: IO[bytes], items: IO[bytes], user: str, key: Secret) -> int:
    """Checks the whole file, and writes its items for `chunks`; how many there are, those that are left out too.

    Raises a ProblemError that says what is wrong with the file: not JSON, cut off, too deep, another format, a newer
    version, another user's, not what its manifest counts, or changed since it was made.
    """
    contents, about, strange = Contents(), dict[str, Json](), False
    events = _bounded(file)
    if next(events) != ("start_map", None):
        raise _wrong("#", "should be an object, as GET /export gives it")
    for kind, name in events:
        if kind == "end_map":
            break
        if name == "parts":
            strange |= _lay_out_parts(events, items, contents)
        else:
            about[name] = _value(events)
    for _ in events:  # whatever follows is an error of the parser's
        pass
    _check(about, contents, user, key, strange)
    return sum(contents.counts.values())


def _lay_out_parts(events: Parsed, items: IO[bytes], contents: Contents) -> bool:
    """Whether there is a part that this version does not know, or one that is there twice or has another shape."""
    if next(events) != ("start_map", None):
        raise _wrong("#/parts", "should be an object, with an array for each part")
    strange = False
    for kind, part in events:
        if kind == "end_map":
            break
        opening = next(events)
        if part not in _KNOWN or part in contents.counts or opening != ("start_array", None):
            strange = True
            _skip(events, opening)
            continue
        contents.open(part)
        _lay_out_items(events, items, contents, part)
    return strange


def _lay_out_items(events: Parsed, items: IO[bytes], contents: Contents, part: str) -> None:
    for event in events:
        if event[0] == "end_array":
            return
        try:
            item = canonical(_value(events, event))
        except TypeError:
            raise _wrong(_place(part, contents), "should be an item as GET /export gives it") from None
        contents.add(part, item)
        items.write(part.encode() + b"\t" + item + b"\n")


def _place(part: str, contents: Contents) -> str:
    return f"#/parts/{part}/{contents.counts[part]}"


def _check(about: dict[str, Json], contents: Contents, user: str, key: Secret, strange: bool) -> None:
    """Raises a ProblemError; the most telling one first."""
    if about.get("format") != FORMAT:
        raise _wrong("#/format", f"should be {FORMAT}: this is no export of a Mycelium dashboard")
    version = about.get("version")
    if version != VERSION:
        newer = "the file was made by a newer version; update this installation first"
        raise _wrong("#/version", newer if isinstance(version, int) and version > VERSION else f"should be {VERSION}")
    if about.get("user_email") != user:
        raise NOT_YOURS
    if strange or contents.counts.keys() != _KNOWN.keys():
        raise _wrong("#/parts", f"should be arrays, each once, and just these: {', '.join(_KNOWN)}")
    manifest = about.pop("manifest", None)
    if not isinstance(manifest, dict) or manifest.keys() != _MANIFEST or about.keys() != _ABOUT:
        raise _wrong("#/manifest", "should be there, and nothing besides what GET /export gives; export again")
    for part, count in contents.counts.items():
        if not isinstance(manifest["counts"], dict) or manifest["counts"].get(part) != count:
            raise _wrong(f"#/manifest/counts/{part}", f"does not fit: there are {count} of them in the file")
    seal = contents.seal(key, {**about, "left_out": manifest["left_out"]})
    if not hmac.compare_digest(str(manifest["signature"]).encode(), seal.encode()):
        changed = "does not fit: the file was changed after it was made, or it was made by another installation"
        raise _wrong("#/manifest/signature", changed)


def _bounded(file: IO[bytes]) -> Parsed:
    depth = 0
    try:
        for event in ijson.basic_parse(file, use_float=True):
            depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event[0], 0)
            if depth > MAX_DEPTH:
                raise _TOO_DEEP
            yield event
    except ijson.IncompleteJSONError as error:
        raise _CUT_OFF if "premature EOF" in str(error) else _NOT_JSON from None


def _value(events: Parsed, event: tuple[str, Any] | None = None) -> Json:
    """The value that begins with `event`, or with the next one."""
    builder, depth = ijson.ObjectBuilder(), 0
    for _ in range(_MOST_VALUES):
        kind, value = event or next(events)
        event = None
        builder.event(kind, value)
        depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(kind, 0)
        if depth == 0:
            return builder.value
    raise _wrong("#", "has an item that is larger than any that GET /export gives")


def _skip(events: Parsed, event: tuple[str, Any]) -> None:
    depth = 0
    while True:
        depth += {"start_map": 1, "start_array": 1, "end_map": -1, "end_array": -1}.get(event[0], 0)
        if depth == 0:
            return
        event = next(events)


def chunks(items: IO[bytes]) -> Iterator[Chunk]:
    """What `lay_out` wrote, as calls to the services; what only an export has is left out."""
    items.seek(0)
    waiting: list[bytes] = []
    now, first, size = "", 0, 0
    for line in items:
        name, _, item = line[:-1].partition(b"\t")
        part = name.decode()
        if part in EXPORT_ONLY:
            continue
        if waiting and (part != now or len(waiting) == MOST_ITEMS or size > _CHUNK_BYTES):
            yield _chunk(now, first, waiting)
            first, waiting, size = first + len(waiting), [], 0
        if part != now:
            now, first = part, 0
        waiting.append(item)
        size += len(item)
    if waiting:
        yield _chunk(now, first, waiting)


def _chunk(part: str, first: int, items: list[bytes]) -> Chunk:
    prefix = b'{"part":"' + part.encode() + b'","item":'
    body = b"[" + b",".join(prefix + item + b"}" for item in items) + b"]"
    takers = tuple(service for service, parts in TAKEN_TOO.items() if part in parts)
    return Chunk(_KNOWN[part], takers, part, first, len(items), body)
