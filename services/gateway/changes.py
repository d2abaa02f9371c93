"""What changed lately on the dashboards of whom: from where on a stream that was interrupted can go on.

All records of a user are on one partition of `dashboard.updates`, so a place in that partition tells what the user has
been told. Of each user only the latest change of each section is kept: whoever comes back needs no more than that. When
there are too many users, those are dropped whose last change is the longest ago; from then on nobody can go on from a
place before it.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.contracts.types import Section
from shared.plumbing.tracing import Trace

_MOST_USERS: Final = 50_000
_PLACE = re.compile(r"(\d{1,5})-(-1|\d{1,18})-(\d{1,18})", re.ASCII)


class Place(NamedTuple):
    """An offset in a partition, and the time in milliseconds of what is there, which tells one topic from the next."""

    partition: int
    offset: int
    at: int

    def __str__(self) -> str:
        return f"{self.partition}-{self.offset}-{self.at}"

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """What `str` made of a place; None for anything else."""
        found = _PLACE.fullmatch(text)
        return cls(*map(int, found.groups())) if found else None


@dataclass(frozen=True, slots=True)
class Change:
    """A section has new content, true as of `as_of` (RFC 3339); `trace` is where that is followed, if it is."""

    place: Place
    section: Section
    as_of: str
    trace: Trace | None = None


@dataclass(slots=True)
class _Partition:
    """What is known begins at `first_at`, in milliseconds; of what is up to `floor` something may not be known."""

    first_at: int
    floor: int
    last: Place


class Changes:
    """Pure: records go in, in the order of their partitions; what somebody has missed comes out."""

    def __init__(self, most_users: int = _MOST_USERS) -> None:
        self._most_users = most_users
        self._partitions: dict[int, _Partition] = {}
        self._users: OrderedDict[str, dict[Section, Change]] = OrderedDict()

    def begin(self, partition: int, offset: int, at: int) -> None:
        """Says that what is known of a partition begins at `offset`, which nothing is at yet, and at this time."""
        self._partitions.setdefault(partition, _Partition(at, offset - 1, Place(partition, offset - 1, at)))

    def passed(self, place: Place) -> None:
        """Says that there is a record there, whatever it is."""
        known = self._partitions.get(place.partition)
        if known is None:
            self._partitions[place.partition] = _Partition(place.at, place.offset - 1, place)
        else:
            known.last = place

    def add(self, user: str, change: Change) -> None:
        """Takes a record that tells of a change."""
        self.passed(change.place)
        self._users.setdefault(user, {})[change.section] = change
        self._users.move_to_end(user)
        if len(self._users) > self._most_users:
            _, dropped = self._users.popitem(last=False)
            for each in dropped.values():
                partition = self._partitions[each.place.partition]
                partition.floor = max(partition.floor, each.place.offset)

    def end(self, partition: int) -> Place | None:
        """The place of the last record of a partition; None while nothing is known of it."""
        known = self._partitions.get(partition)
        return known.last if known else None

    def since(self, user: str, partition: int, place: Place) -> Mapping[Section, Change] | None:
        """What the user, whose records are on `partition`, has missed after `place`; None where that is not known."""
        known = self._partitions.get(partition)
        if known is None or place.partition != partition or not known.floor <= place.offset <= known.last.offset:
            return None
        if place.at < known.first_at:  # of a record that was not read: it may have been in another topic of this name
            return None
        mine = self._users.get(user, {})
        return {section: change for section, change in mine.items() if change.place.offset > place.offset}
