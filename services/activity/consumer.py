"""Topics to timelines: what the events of a batch tell, stored. No rules here."""

from collections.abc import Sequence

from services.activity.domain.activity import activity_of, newest_tellings
from services.activity.store import ActivityStore
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.topics import EVENT_TOPICS
from shared.contracts.uses import reader_of
from shared.folds.consent import choice_of
from shared.plumbing.consume import Stored

TOPICS = tuple(topic for topic in EVENT_TOPICS if "activity" in topic.consumers)


def reader() -> Reader:
    """Reads the events that tell of an activity or of who is gone, and ignores the others of the contract."""
    return reader_of("activity")


async def apply(store: ActivityStore, events: Sequence[AnyEvent]) -> Stored:
    """Stores what the events tell. The choices come first, so that nothing that they forbid is stored after them."""
    choices = [choice for event in events if (choice := choice_of(event))]
    told = [activity for event in events if (activity := activity_of(event))]
    activities = newest_tellings(told)
    chose = await store.save_choices(choices)
    written = await store.save(activities)
    return Stored(
        applied=written.applied,
        duplicates=written.duplicates + len(told) - len(activities),
        changed=frozenset((user, "activity") for user in written.users | chose),
    )
