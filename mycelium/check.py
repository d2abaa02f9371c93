"""`mycelium check FILE`: which events of a file would be refused, why, and what to do about each."""

import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from shared.contracts.envelope import MAX_EVENT_BYTES
from shared.contracts.reading import Poison, PoisonReason, Reader
from shared.contracts.topics import IDENTITY, PAYLOADS, TOPICS_OF

_LONGEST_LINE = MAX_EVENT_BYTES + len(b"\r\n")
_NEXT_STEP: dict[PoisonReason, str] = {
    "too_large": "send a reference to the content instead of the content",
    "not_json": "write one whole JSON object on each line, in UTF-8 without a byte order mark, as `jq -c .` does",
    "not_a_cloudevent": "add or mend the attributes that are named, as docs/events.md shows",
    "unknown_type": "use a type that docs/events.md lists, with its version, such as product.viewed.v1",
    "wrong_topic": "publish events of this type on {topics}",
    "invalid": "mend what is named, as shared/contracts/schemas/{type}.json describes it",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a line and what to do next. Neither quotes anything of the event."""

    why: Poison
    next_step: str


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Events as JSON lines, one a line; - is standard input.")
    ],
) -> None:
    """Say for each event of FILE what is wrong with it and how to mend it.

    Ends with 0 if all events are good, 1 if any is bad, 2 if the file cannot be read.
    """
    events = bad = 0
    try:
        for number, finding in check_file(file):
            events += 1
            if finding:
                bad += 1
                typer.echo(f"line {number}: {finding.why.reason}: {finding.why.error}\n  next: {finding.next_step}")
    except BrokenPipeError:
        raise
    except OSError as error:
        typer.echo(f"{file} cannot be read: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{events} events, {events - bad} good, {bad} bad")
    raise typer.Exit(1 if bad else 0)


def check_file(path: Path) -> Iterator[tuple[int, Finding | None]]:
    """Each line that is not blank: its number, from 1, and what is wrong with it, if anything.

    Reads as it goes: no more than one line is held. `-` is standard input. Raises OSError if it cannot be read.
    """
    with nullcontext(sys.stdin.buffer) if path == Path("-") else path.open("rb") as file:
        for number, line in enumerate(_lines(file), start=1):
            if line.strip():
                yield number, check_line(line)


def check_line(line: bytes) -> Finding | None:
    """What is wrong with the event on a line: on whatever topic carries its type, keyed by its subject.

    A member `topic`, which the simulator's ledger adds, should be one of those topics.
    """
    if len(line) > MAX_EVENT_BYTES:
        return _finding(Poison("too_large", f"the line has more than the {MAX_EVENT_BYTES} bytes of an event"), None)
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _finding(Poison("not_json", "the line should be one JSON text in UTF-8"), None)
    event_type = _text(event, "type")
    topics = TOPICS_OF.get(event_type or "", (IDENTITY.name,))  # of an unknown type the reader says so on any topic
    outcome = _reader().read(topics[0], (_text(event, "subject") or "").encode(), line, ())
    if isinstance(outcome, Poison):
        return _finding(outcome, event_type)
    if event.get("topic", topics[0]) not in topics:
        return _finding(Poison("wrong_topic", "/topic: should be a topic that carries this type"), event_type)
    return None


@cache
def _reader() -> Reader:
    return Reader(PAYLOADS.values())


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends; of one that is too long for an event, as much as shows that it is."""
    while line := file.readline(_LONGEST_LINE):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE)
        yield line.rstrip(b"\r\n")


def _text(event: object, attribute: str) -> str | None:
    value = event.get(attribute) if isinstance(event, dict) else None
    return value if isinstance(value, str) else None


def _finding(why: Poison, event_type: str | None) -> Finding:
    topics = " or ".join(TOPICS_OF.get(event_type or "", ()))
    return Finding(why, _NEXT_STEP[why.reason].format(topics=topics, type=event_type))
