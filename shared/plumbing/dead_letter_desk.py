"""Where operators see and treat the dead letters of all services: one module for the command and the gateway.

Nothing is kept here. What is open, retried or discarded is what `operations.audit` says of each id, so that several
operators may work from anywhere. A record is published before that is noted: whoever ends in between finds it open, and
retrying it once more changes nothing, because an event is known by its `source` and `id`. Nothing is deleted: a dead
letter goes when its topic's retention or its user's erasure takes it.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Final

from shared.contracts.build import make_event
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event
from shared.contracts.operation_views import Attempt, DeadLetter, Handling, Reason, State
from shared.contracts.operations import DeadLetterHandled
from shared.contracts.reading import Reader
from shared.contracts.topics import AUDIT, SERVICES, Service, dead_letters
from shared.plumbing.letter_ids import LetterId
from shared.plumbing.letters import as_it_came, attempted, handling_of, is_good, letter_of, noted
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.scan import scan

_SOURCE: Final = "/mycelium/operators"
_reader = Reader(AUDIT.payloads)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters: those that fit everything that is not None, and are among `ids` if there are any.

    `since` is aware. `user` is a normalised email: of the user after whom the record is keyed.
    """

    ids: Sequence[LetterId] = ()
    service: Service | None = None
    reason: Reason | None = None
    topic: str | None = None
    state: State | None = None
    since: datetime | None = None
    user: str | None = None

    @property
    def services(self) -> Sequence[str]:
        """Whose dead letters have to be read."""
        if self.ids:
            return sorted({each.service for each in self.ids})
        return (self.service,) if self.service else SERVICES

    def takes(self, letter: DeadLetter, key: bytes | None) -> bool:
        """Whether it is one of them; `key` is that of its record."""
        user = (key or b"").decode(errors="replace").strip().lower()
        asked = (self.service, self.reason, self.topic, self.state, self.user)
        known = (letter.service, letter.reason, letter.topic, letter.state, user)
        fits = all(wanted is None or wanted == value for wanted, value in zip(asked, known, strict=True))
        named = not self.ids or LetterId.parse(letter.id) in self.ids
        return fits and named and (self.since is None or letter.at >= self.since)


class Desk:
    """The dead letters on the brokers at `bootstrap_servers`. `publisher` is needed to retry and to discard.

    Every method reads the topics from their beginning, and raises aiokafka.errors.KafkaError.
    """

    def __init__(self, bootstrap_servers: str, publisher: Publisher) -> None:
        self._servers = bootstrap_servers
        self._publisher = publisher

    async def newest(self, wanted: Wanted, limit: int, after: LetterId | None = None) -> list[DeadLetter]:
        """The newest of those wanted, newest first, `limit` at most; those that come after `after` in that order."""
        newest: list[DeadLetter] = []
        async for letters in self._each(wanted):
            older = [letter for letter, _ in letters if after is None or _rank(letter) < (after.time, str(after))]
            newest = nlargest(limit, [*newest, *older], key=_rank)
        return newest

    async def find(self, id: LetterId) -> tuple[DeadLetter, Record] | None:
        """The dead letter of this id with its record, if there is one."""
        found = [each async for letters in self._each(Wanted((id,))) for each in letters]
        return found[0] if found else None

    async def others(self, id: LetterId) -> list[DeadLetter]:
        """The other open dead letters of the record that this one is of: those of the other services, usually."""
        same_place = [
            (letter, record)
            async for letters in self._each(Wanted(topic=id.topic))
            for letter, record in letters
            if (letter.partition, letter.offset) == (id.partition, id.offset)
        ]
        said = [record.value for letter, record in same_place if letter.id == str(id)]
        others = [each for each in same_place if each[0].state == "open" and each[0].id != str(id)]
        return [letter for letter, record in others if record.value in said]  # a topic made anew uses a place again

    async def retry(
        self, wanted: Wanted, operator: str, *, value: bytes | None = None, again: bool = False, dry_run: bool = False
    ) -> AsyncIterator[Attempt]:
        """Publishes the records of those wanted where they came from, with `value` in place of theirs if it is given.

        What was handled before is left alone unless `again`. What would be a dead letter again is not published. On a
        `dry_run` nothing is.
        """
        async for letters in self._each(wanted):
            tried = [(letter, record, attempted(letter, record, value, again=again)) for letter, record in letters]
            if not dry_run:
                await self._publish([each for each in tried if is_good(each[2])], operator, value)
            for _, _, attempt in tried:
                yield attempt.model_copy(update={"published": not dry_run and is_good(attempt)})

    async def discard(self, wanted: Wanted, operator: str) -> AsyncIterator[DeadLetter]:
        """Notes of those wanted that are open that nothing is to be done about them. Each as it is then."""
        async for letters in self._each(wanted):
            notes = {letter.id: noted(letter, operator) for letter, _ in letters if letter.state == "open"}
            await self._note(notes.values())
            now = datetime.now(UTC)
            for letter, _ in letters:
                note = notes.get(letter.id)
                done = {"state": "discarded", "handled": [*letter.handled, handling_of(note, now)]} if note else {}
                yield letter.model_copy(update=done)

    async def _each(self, wanted: Wanted) -> AsyncIterator[list[tuple[DeadLetter, Record]]]:
        """Those wanted with their records, each once, in order within each partition."""
        handled, seen = await self._audit(), set[str]()
        async for records in scan(self._servers, [dead_letters(service) for service in wanted.services]):
            found = []
            for record in records:
                letter = letter_of(record, handled)
                if letter.id not in seen and wanted.takes(letter, record.key):
                    seen.add(letter.id)
                    found.append((letter, record))
            yield found

    async def _audit(self) -> Mapping[str, list[Handling]]:
        """What was done with the dead letters, by their ids, in its order."""
        handled: dict[str, list[Handling]] = defaultdict(list)
        known = set[str]()
        async for records in scan(self._servers, [AUDIT]):
            for record in records:
                event = _reader.read(record.topic, record.key, record.value, record.headers)
                if isinstance(event, Event) and isinstance(event.data, DeadLetterHandled) and event.id not in known:
                    known.add(event.id)
                    handled[event.data.dead_letter_id].append(handling_of(event.data, event.time))
        return handled

    async def _publish(
        self, good: Sequence[tuple[DeadLetter, Record, Attempt]], operator: str, value: bytes | None
    ) -> None:
        await self._publisher.records(as_it_came(letter, record, value) for letter, record, _ in good)
        edited = value is not None
        await self._note(noted(letter, operator, attempt, edited=edited) for letter, _, attempt in good)

    async def _note(self, handled: Iterable[DeadLetterHandled]) -> None:
        events = [make_event(each, source=_SOURCE) for each in handled]
        await self._publisher.records(
            (AUDIT.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,)) for event in events
        )


def _rank(letter: DeadLetter) -> tuple[datetime, str]:
    return letter.at, letter.id
