"""One dead letter: what its record says, what it would do now, and how it is published again. Pure."""

import codecs
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, get_args

from pydantic import TypeAdapter

from shared.contracts.operation_views import (
    Attempt,
    Content,
    DeadLetter,
    Handling,
    HeaderShown,
    Reason,
    Shown,
)
from shared.contracts.operations import DeadLetterHandled
from shared.contracts.reading import Ignored, Poison, PoisonReason
from shared.contracts.topics import EVENT_TOPICS, SERVICES, Service, dead_letters
from shared.contracts.uses import reader_of
from shared.plumbing.letter_ids import HEADER, LetterId, id_of
from shared.plumbing.publish import Outgoing, Record

_ADDED: Final = "dlq_"
_SERVICE_OF: Final[dict[str, Service]] = {dead_letters(service).name: service for service in get_args(Service)}
_READ_BY: Final = {name: {topic.name for topic in EVENT_TOPICS if name in topic.consumers} for name in SERVICES}
_decoder = codecs.getincrementaldecoder("utf-8")
_reasons: TypeAdapter[Reason] = TypeAdapter(Reason)


def letter_of(record: Record, handled: Mapping[str, Sequence[Handling]]) -> DeadLetter:
    """The dead letter that a record of a dead-letter topic is, with what was done with it so far.

    A publisher's own headers of the same names come first; the service's come last, and count.
    """
    service = _SERVICE_OF[record.topic]
    said = {name: value.decode(errors="replace") for name, value in record.headers if value is not None}
    letter_id = id_of(service, record, said)
    done = list(handled.get(str(letter_id), ()))
    reason, retry_of, attempts = said.get("dlq_reason"), said.get(HEADER, ""), said.get("dlq_attempts", "")
    return DeadLetter(
        id=str(letter_id),
        service=service,
        state=done[-1].action if done else "open",
        reason=_reasons.validate_python(reason if reason in get_args(PoisonReason) else "unknown"),
        error=said.get("dlq_error", "its headers do not say why"),
        topic=letter_id.topic if letter_id.has_origin else None,
        partition=letter_id.partition if letter_id.has_origin else None,
        offset=letter_id.offset if letter_id.has_origin else None,
        attempts=int(attempts) if attempts.isdecimal() and len(attempts) < 10 else None,
        at=letter_id.time,
        size=len(record.value or b""),
        retry_of=retry_of if LetterId.parse(retry_of) else None,
        handled=done,
    )


def attempted(letter: DeadLetter, record: Record, value: bytes | None, *, again: bool) -> Attempt:
    """What the record, with `value` in place of its own if that is given, would do now; not published."""
    if letter.state != "open" and not again:
        return Attempt(id=letter.id, outcome="handled_before")
    if letter.topic not in _READ_BY[letter.service]:
        return Attempt(id=letter.id, outcome="no_origin")
    topic, key, value, headers = as_it_came(letter, record, value)
    match reader_of(letter.service).read(topic, key, value, headers):
        case Poison(reason, error):
            return Attempt(id=letter.id, outcome="poison", reason=reason, error=error)
        case Ignored():
            return Attempt(id=letter.id, outcome="ignored")
        case _:
            return Attempt(id=letter.id, outcome="applied")


def is_good(attempt: Attempt) -> bool:
    """Whether the record may be published again."""
    return attempt.outcome in ("applied", "ignored")


def as_it_came(letter: DeadLetter, record: Record, value: bytes | None) -> Outgoing:
    """The record as it was at first, with `value` if that is given, and with the header that tells of the retry."""
    came = [each for each in record.headers if not each[0].startswith(_ADDED) and each[0] != HEADER]
    headers = [*came, (HEADER, letter.id.encode())]
    return letter.topic or "", record.key, record.value if value is None else value, headers


def noted(
    letter: DeadLetter, operator: str, attempt: Attempt | None = None, *, edited: bool = False
) -> DeadLetterHandled:
    """What the audit says: that the letter was retried, with that attempt, or else that it was discarded."""
    outcome = attempt.outcome if attempt else None
    return DeadLetterHandled(
        dead_letter_id=letter.id,
        service=letter.service,
        reason=letter.reason,
        action="retried" if attempt else "discarded",
        operator=operator,
        edited=edited,
        outcome=outcome if outcome in ("applied", "ignored") else None,
    )


def handling_of(note: DeadLetterHandled, at: datetime) -> Handling:
    """What the audit says, as it is shown. `at` is when it was done."""
    return Handling(action=note.action, at=at, operator=note.operator, edited=note.edited, outcome=note.outcome)


def content_of(record: Record, most_bytes: int) -> Content:
    """The record as it came, without what the service added; `most_bytes` of each part."""
    headers = [(name, value) for name, value in record.headers if not name.startswith(_ADDED)]
    return Content(
        key=_shown(record.key, most_bytes),
        headers=[HeaderShown(name=name, value=_shown(value, most_bytes)) for name, value in headers],
        value=_shown(record.value, most_bytes),
    )


def _shown(raw: bytes | None, most_bytes: int) -> Shown | None:
    if raw is None:
        return None
    head, cut = raw[:most_bytes], len(raw) > most_bytes
    try:
        return Shown(encoding="utf-8", text=_decoder().decode(head, final=not cut), cut=cut)
    except UnicodeDecodeError:
        return Shown(encoding="base64", text=b64encode(head).decode(), cut=cut)
