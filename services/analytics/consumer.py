"""Topics to facts: what the events of a batch say, stored. No rules here."""

from collections.abc import Sequence
from typing import Final

from services.analytics.catalogue import Catalogue
from services.analytics.domain.presence import presence_of
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.store import AnalyticsStore
from shared.contracts.reading import AnyEvent, Reader
from shared.contracts.topics import EVENT_TOPICS
from shared.contracts.uses import reader_of
from shared.folds.consent import choice_of
from shared.folds.facts import facts_of
from shared.plumbing.consume import Stored

TOPICS: Final = tuple(topic for topic in EVENT_TOPICS if "analytics" in topic.consumers)


def reader() -> Reader:
    """Reads the events that a figure is made of, and ignores the others of the contract."""
    return reader_of("analytics")


async def apply(
    store: AnalyticsStore,
    presences: Presences,
    catalogue: Catalogue,
    notifications: Notifications,
    events: Sequence[AnyEvent],
) -> Stored:
    """Stores what the events say. The choices come first, so that nothing that they forbid is stored after them.

    Users are marked last: what was stored without that is stored again, and marked, when the batch comes again.
    """
    await presences.choose([choice for event in events if (choice := choice_of(event))])
    seen = [presence for event in events if (presence := presence_of(event))]
    await presences.save(seen)
    products = await catalogue.save(events)
    told, signed_in = await notifications.take(events)
    merged = await store.merge([fact for event in events for fact in facts_of(event)])
    users = {presence.user for presence in seen}
    await store.mark_seen(users - merged.users, signed_in)
    return Stored(
        applied=merged.changed + len(seen) + products,
        duplicates=merged.unchanged,
        changed=frozenset((user, "analytics") for user in users | merged.users | told)
        | frozenset((user, "recommendations") for user in merged.advised),
    )
