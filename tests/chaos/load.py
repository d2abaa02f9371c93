"""What a run publishes: the simulator's events with some of them twice, and hostile records mixed in everywhere."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple

from mycelium.simulator import Scenario, history
from mycelium.simulator.diary import Entry
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.topics import EVENT_TOPICS, SERVICES, UPDATES
from tests.chaos.hostile import Bad, Headers, bad_records
from tests.chaos.truth import Catalogue, Truth

_DAYS: Final = 45  # short enough that nobody has more activities than are shown
_EVENTS_OF_A_USER: Final = 340  # rather fewer than they have, so that there are enough
_TWICE: Final = 0.02
_BAD_ONE_IN: Final = 200
_FEWEST_BAD: Final = 100
_ATTACKED: Final = tuple(topic for topic in EVENT_TOPICS if topic is UPDATES or {*topic.consumers} & {*SERVICES})


class Outgoing(NamedTuple):
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


@dataclass(frozen=True)
class Load:
    """`records` in the order of publishing; `truths` by user; `bad` by the record as it is sent.

    `catalogue` is what is on offer in the end. All that the truths tell of happened before `until`.
    """

    records: list[Outgoing]
    truths: dict[str, Truth]
    catalogue: Catalogue
    bad: dict[Outgoing, Bad]
    until: datetime


def load(seed: int, events: int, extra_user: str) -> Load:
    """So many events of the simulator, `extra_user` among its users; the seed gives the same on the same day."""
    until = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=1)
    scenario = Scenario(seed, max(4, events // _EVENTS_OF_A_USER), _DAYS, until, (extra_user,))
    truths: dict[str, Truth] = defaultdict(Truth)
    catalogue = Catalogue()
    rng = random.Random(f"{seed}/load")
    records = list(_published(islice(history(scenario), events), truths, catalogue))
    twice = rng.sample(records, int(len(records) * _TWICE))
    bad = list(islice(bad_records(seed, _ATTACKED), max(_FEWEST_BAD, events // _BAD_ONE_IN)))
    sent = {Outgoing(each.topic, each.key, each.value, each.headers): each for each in bad}
    return Load(_mixed(rng, records, [*twice, *sent]), dict(truths), catalogue, sent, until)


def _published(entries: Iterator[Entry], truths: dict[str, Truth], catalogue: Catalogue) -> Iterator[Outgoing]:
    last: dict[str, tuple[datetime, str]] = {}
    for topic, event in entries:
        at = (event.time, event.rank)
        if at < last.setdefault(event.subject, at):
            raise AssertionError("the simulator gives a user's events out of order")
        last[event.subject] = at
        (truths[event.subject] if "@" in event.subject else catalogue).hear(event)
        yield Outgoing(topic.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,))


def _mixed(rng: random.Random, records: list[Outgoing], others: list[Outgoing]) -> list[Outgoing]:
    """The records in their order, the others anywhere among them."""
    places = [(rng.uniform(0, len(records)), other) for other in others]
    whole = [*((float(place), record) for place, record in enumerate(records)), *places]
    return [record for _, record in sorted(whole, key=lambda each: each[0])]
