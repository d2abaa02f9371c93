"""Topics to users: what the events of a batch tell, stored. No rules here."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeGuard, TypeVar

from services.profile.erasures import Erasures
from services.profile.store import UserStore
from shared.contracts.envelope import Event, Payload, UserPayload
from shared.contracts.privacy import ErasureCompleted
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.topics import EVENT_TOPICS
from shared.contracts.types import Section
from shared.contracts.uses import reader_of
from shared.plumbing.consume import Stored

P = TypeVar("P", bound=Payload)
TOPICS = tuple(topic for topic in EVENT_TOPICS if "profile" in topic.consumers)
_SECTIONS: tuple[Section, ...] = ("profile", "preferences")


def reader() -> Reader:
    """Reads the events that tell of a user, and ignores the others of the contract."""
    return reader_of("profile")


async def apply(users: UserStore, erasures: Erasures, events: Sequence[AnyEvent]) -> Stored:
    """Folds the events into their users, and receipts into their erasures.

    Users whom the events tell nothing new of count as changed too: nobody may have been told, if the process ended
    before the batch was through.
    """
    receipts = await erasures.fold([event for event in events if _is_about(event, ErasureCompleted)])
    told: dict[str, list[AnyEvent]] = defaultdict(list)
    for event in events:
        if isinstance(event.data, UserPayload):
            told[event.data.user_email].append(event)
    folded = await users.fold(told)
    return Stored(
        applied=folded.changed + receipts,
        duplicates=folded.unchanged,
        changed=frozenset((email, section) for email in told for section in _SECTIONS),
    )


def _is_about(event: AnyEvent, payload: type[P]) -> TypeGuard[Event[P]]:
    return isinstance(event.data, payload)
