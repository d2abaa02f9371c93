"""What dead letters are called.

A dead letter's own place does not name it: an erasure publishes those that stay once more, behind the old end or on a
topic made anew, and an embedded broker is given them again at its next start. What stays with it is in its headers:
where the record was before, and when it became a dead letter. The place alone would not do: a topic that was made anew
begins at offset 0, so that another record may be at the same place later; with the time (to the microsecond) the two
are told apart. So an id is `service:topic:partition:offset:time`.

A batch that came twice leaves a record twice, at two times: those are two dead letters of one record. To retry both is
harmless, because an event is known by its `source` and `id`.

A record that no service of ours put there has no such headers. It is called after its own place, and by another name
once it was moved; as it cannot be retried, no more than that it was discarded is forgotten.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple, Self

from shared.contracts.times import as_time, microseconds
from shared.contracts.topics import SERVICES, dead_letters
from shared.plumbing.publish import Record

HEADER = "dead_letter_id"  # of a record that was published again: which dead letter it was
_ID = re.compile(r"([a-z]{1,32}):([a-zA-Z0-9._-]{1,160}):(\d{1,9}):(\d{1,19}):(\d{1,17})", re.ASCII)
_LATEST = 10**17 - 1


class LetterId(NamedTuple):
    """`at` is in microseconds since the epoch."""

    service: str
    topic: str
    partition: int
    offset: int
    at: int

    def __str__(self) -> str:
        return f"{self.service}:{self.topic}:{self.partition}:{self.offset}:{self.at}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` made of an id; None for anything else."""
        found = _ID.fullmatch(text)
        if found is None or found[1] not in SERVICES:
            return None
        return cls(found[1], found[2], int(found[3]), int(found[4]), int(found[5]))

    @property
    def has_origin(self) -> bool:
        """Whether the headers said where the record came from."""
        return self.topic != dead_letters(self.service).name

    @property
    def time(self) -> datetime:
        """When it became a dead letter, in UTC."""
        return as_time(self.at)


def id_of(service: str, record: Record, said: Mapping[str, str]) -> LetterId:
    """The id of a record in the dead letters of `service` whose headers say `said`."""
    origin = f"{service}:{said.get('dlq_topic')}:{said.get('dlq_partition')}:{said.get('dlq_offset')}"
    found = LetterId.parse(f"{origin}:{_microseconds(said.get('dlq_at', ''))}")
    return found or LetterId(service, record.topic, record.partition, record.offset, _own_time(record))


def _own_time(record: Record) -> int:
    return min(max(0, record.timestamp) * 1_000, _LATEST)


def _microseconds(text: str) -> int | None:
    try:
        time = datetime.fromisoformat(text)
        return microseconds(time.astimezone(UTC)) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
