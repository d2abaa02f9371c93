"""Topics to things: what the events of a batch say, merged. No rules here."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from services.purchases.credentials import Issued, UnusableCredentialsError
from services.purchases.store import PurchaseStore
from shared.contracts.reading import AnyEvent, Poison, Reader
from shared.contracts.topics import EVENT_TOPICS
from shared.contracts.uses import reader_of
from shared.folds.facts import CREDENTIALS, facts_of
from shared.plumbing import metrics
from shared.plumbing.consume import Stored

TOPICS: Final = tuple(topic for topic in EVENT_TOPICS if "purchases" in topic.consumers)


def reader() -> Reader:
    """Reads the events that say what a user has or who is gone, and ignores the others of the contract."""
    return reader_of("purchases")


class Sealing(Protocol):
    """What makes of credentials as they come what is stored."""

    async def seal_all(self, issued: Sequence[Issued]) -> Sequence[Any | UnusableCredentialsError]:
        """What to store of each, in their order, or why it cannot be used."""


async def apply(store: PurchaseStore, vault: Sealing, events: Sequence[AnyEvent]) -> Stored:
    """Merges what the events say. Credentials are sealed for their user before anything is stored."""
    said = [(place, fact) for place, event in enumerate(events) for fact in facts_of(event)]
    facts = [fact for _, fact in said if fact.field != CREDENTIALS]
    poison: dict[int, Poison] = {}
    issued = [(place, fact) for place, fact in said if fact.field == CREDENTIALS]
    sealed = await vault.seal_all([Issued(fact.user, fact.id, fact.value) for _, fact in issued])
    for (place, fact), box in zip(issued, sealed, strict=True):
        if isinstance(box, UnusableCredentialsError):
            poison[place] = Poison("undecryptable", f"/data/credentials_jwe: {box}")
        else:
            facts.append(replace(fact, value=box))
    merged = await store.merge(facts)
    metrics.ILLEGAL_MOVES.inc(merged.illegal_moves)
    return Stored(merged.changed, merged.unchanged, merged.sections, poison)
