"""From the notices that were known and those that are found now to the notices that there are.

What becomes of a notice depends on its origin:

- `event`: one event says it all. It was made when the event came, and nothing changes it.
- `history`: it follows from what happened to a thing, so from the set of events, in whatever order they came. One that
  is not found any more was a mistake, made before all events had come, and is taken back; that can only be so as long
  as it is recent. What is older stays as it is, except that it may still be resolved.
- `state`: it holds now. One that is not found any more is resolved; found again, it is open again. It keeps the time at
  which it first was found. One that was over within ten minutes is taken back: nobody had to know.

Only what is recent (seven days) becomes a notification at all, so that a replay, an import or a first start raises no
flood; what is known already is kept up to date however old it is. So two runs over the same events differ in nothing
but what passed out of the seven days, and which states held, between the one and the other. Nothing here knows or
touches what was read: a notice keeps its id, and so whatever is kept with it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from services.analytics.domain.notices import WINDOW, Notice, is_recent

MOST: Final = 500
KEPT: Final = timedelta(days=90)
_BRIEF: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be stored, because it is new or another one, and the ids of what is to be removed."""

    save: tuple[Notice, ...]
    remove: frozenset[str]


def settle(known: Iterable[Notice], found: Iterable[Notice], now: datetime, *, weighed: bool) -> Settled:
    """The newest 500 notices of a user after a look at `now` that `found` these of the origins history and state.

    Without `weighed`, the look left out how things stand, and what is known of that stays.
    """
    before = {each.id: each for each in known}
    seen = {each.id: each for each in found if each.id in before or is_recent(each.at, now)}
    after = [left for was in before.values() if (left := _left(was, seen.get(was.id), now, weighed))]
    after += [new for new in seen.values() if new.id not in before]
    kept = sorted(after, key=lambda each: (each.at, each.id), reverse=True)[:MOST]
    save = tuple(each for each in kept if before.get(each.id) != each)
    return Settled(save, frozenset(before) - {each.id for each in kept})


def _left(was: Notice, found: Notice | None, now: datetime, weighed: bool) -> Notice | None:
    """What a look leaves of a notice that was known; None if it was a mistake."""
    origin = was.about.origin
    if now - was.at > KEPT:
        return None
    if found:
        return replace(found, at=was.at) if origin == "state" else found
    if origin == "event" or (origin == "state" and not weighed):
        return was
    if origin == "history" and was.at >= now - WINDOW:
        return None
    if not was.about.resolves or was.resolved_at is not None:
        return was
    is_brief = origin == "state" and now - was.at < _BRIEF
    return None if is_brief else replace(was, resolved_at=now)
