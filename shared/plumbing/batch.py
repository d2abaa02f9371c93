"""A batch of records on its way from the topics to a store."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress
from typing import Self

from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased
from shared.contracts.reading import AnyEvent, Ignored, Poison, Reader
from shared.contracts.times import microseconds
from shared.plumbing.addresses import addresses_in
from shared.plumbing.erasure import PAYLOADS
from shared.plumbing.publish import Record
from shared.plumbing.tombstones import Place, Tombstone


@dataclass(slots=True)
class Batch:
    """What the records of a batch came to. `gone` counts the records that were dropped because their user is gone.

    `users` are those whom the events are about, and `notes` the events that say who is gone or back: gathered while
    each event is at hand, because to go through all of them again is felt.
    """

    events: list[AnyEvent] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)  # of the events, in the same order
    users: set[str] = field(default_factory=set)
    notes: list[AnyEvent] = field(default_factory=list)
    poison: list[tuple[Record, Poison]] = field(default_factory=list)
    ignored: int = 0
    gone: int = 0

    @classmethod
    def of(cls, reader: Reader, records: Iterable[Record]) -> Self:
        """The records, decoded."""
        batch = cls()
        for record in records:
            match reader.read(record.topic, record.key, record.value, record.headers):
                case Poison() as why:
                    batch.poison.append((record, why))
                case Ignored():
                    batch.ignored += 1
                case event:
                    batch.events.append(event)
                    batch.records.append(record)
                    batch._look_at(event)
        return batch

    def _look_at(self, event: AnyEvent) -> None:
        data = event.data
        if isinstance(data, UserPayload):
            self.users.add(data.user_email)
            if type(data) in PAYLOADS:
                self.notes.append(event)

    def about(self, users: Collection[str]) -> Self:
        """Only the events of these users, and what cannot be used and names one of them."""
        kept = [isinstance(event.data, UserPayload) and event.data.user_email in users for event in self.events]
        return self._only(kept, [each for each in self.poison if not addresses_in(each[0]).isdisjoint(users)])

    def followed_by(self, more: Self) -> Self:
        """With the events of another batch, and what cannot be used of it."""
        return replace(
            self,
            events=self.events + more.events,
            records=self.records + more.records,
            poison=self.poison + more.poison,
        )

    def missed(self, tombstones: Mapping[str, Tombstone]) -> dict[str, list[Place]]:
        """By user, where the records are that their tombstones forbid, though they are of after the erasure."""
        found: dict[str, list[Place]] = defaultdict(list)
        if tombstones:
            for user, at, record in chain(self._told(), self._named()):
                known = tombstones.get(user)
                if known and at > known.erased_at and known.forbids(at):
                    found[user].append((at, record.topic, record.partition, record.offset))
        return found

    def _told(self) -> Iterator[tuple[str, int, Record]]:
        for event, record in zip(self.events, self.records, strict=True):
            if isinstance(event.data, UserPayload) and not isinstance(event.data, UserErased):
                yield event.data.user_email, microseconds(event.time), record

    def _named(self) -> Iterator[tuple[str, int, Record]]:
        for record, _ in self.poison:
            for user in addresses_in(record):
                yield user, record.timestamp * 1_000, record

    def without_the_gone(self, tombstones: Mapping[str, Tombstone]) -> Self:
        """Without what the tombstones (by user) forbid, and without `user.erased`, which is for no store to apply."""
        if not tombstones and not any(isinstance(event.data, UserErased) for event in self.notes):
            return self
        kept = [_may_be_stored(event, tombstones) for event in self.events]
        poison = [(record, why) for record, why in self.poison if not names_the_gone(record, tombstones)]
        gone = len(kept) - sum(kept) + len(self.poison) - len(poison)
        return replace(self._only(kept, poison), gone=gone)

    def _only(self, kept: Sequence[bool], poison: list[tuple[Record, Poison]]) -> Self:
        events, records = list(compress(self.events, kept)), list(compress(self.records, kept))
        return replace(self, events=events, records=records, poison=poison)


def names_the_gone(record: Record, tombstones: Mapping[str, Tombstone]) -> bool:
    """Whether an email that stands in the record is that of a user who is gone, or was when it was published."""
    at = record.timestamp * 1_000
    return bool(tombstones) and any(
        user in tombstones and tombstones[user].forbids(at) for user in addresses_in(record)
    )


def _may_be_stored(event: AnyEvent, tombstones: Mapping[str, Tombstone]) -> bool:
    data = event.data
    if isinstance(data, UserErased):
        return False
    if not tombstones or not isinstance(data, UserPayload):
        return True
    tombstone = tombstones.get(data.user_email)
    return tombstone is None or not tombstone.forbids(microseconds(event.time))
