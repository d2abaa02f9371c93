"""Reading what a publisher might send, and taking the good examples to pieces."""

import json
from collections.abc import Iterator
from typing import Any

from shared.contracts.envelope import CONTENT_TYPE_HEADER, Headers
from shared.contracts.reading import AnyEvent, Ignored, Poison, Reader
from shared.contracts.samples import good_event
from shared.contracts.topics import PAYLOADS, TOPICS_OF

Json = Any  # JSON, by its nature
Path = tuple[str | int, ...]

READER = Reader(PAYLOADS.values())
GOOD = {name: good_event(name) for name in PAYLOADS}


def outcome(event: Json, headers: Headers = (CONTENT_TYPE_HEADER,)) -> AnyEvent | Ignored | Poison:
    """What the reader makes of a structured event, on the first topic of its type and keyed by its subject."""
    attributes = event if isinstance(event, dict) else {}
    event_type, subject = attributes.get("type"), attributes.get("subject")
    topic = TOPICS_OF[event_type][0] if isinstance(event_type, str) and event_type in TOPICS_OF else "identity.events"
    return READER.read(topic, str(subject).encode(), json.dumps(event).encode(), headers)


def accepted(event: Json, headers: Headers = (CONTENT_TYPE_HEADER,)) -> AnyEvent:
    """The event, which must be a good one."""
    read = outcome(event, headers)
    assert not isinstance(read, Ignored | Poison), read
    return read


def paths(value: Json, here: Path = ()) -> Iterator[Path]:
    """Where something is in a JSON value: every member and item, outer ones first."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield (*here, step)
        yield from paths(inner, (*here, step))


def replaced(value: Json, path: Path, by: Json) -> Json:
    """A copy of a JSON value with something else at `path`."""
    if not path:
        return by
    copy = value.copy()
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy
