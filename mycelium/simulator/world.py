"""The simulated marketplace as one endless timeline: a pure function of the scenario and of its live stretches."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge

from mycelium.simulator.catalogue import Catalogue
from mycelium.simulator.diary import Entry
from mycelium.simulator.life import life, live
from mycelium.simulator.moments import to_ms
from mycelium.simulator.persona import personas
from mycelium.simulator.scenario import Scenario, Stretch
from mycelium.simulator.shopper import Shopper


class World:
    """The marketplace, its users, and how far their time has come."""

    def __init__(self, scenario: Scenario) -> None:
        catalogue = Catalogue(scenario)
        self._shoppers = [Shopper(persona, catalogue, scenario) for persona in personas(scenario)]
        for shopper in self._shoppers:
            shopper.diary.start(life(shopper))
        self._diaries = [catalogue.diary, *(shopper.diary for shopper in self._shoppers)]

    def advance(self, until: datetime | None) -> Iterator[Entry]:
        """What happens from where the world is up to `until` (None: without end), in order of time.

        The world is there when the iterator is exhausted; before that, nothing else may be asked of it.
        """
        limit = None if until is None else to_ms(until)
        return merge(*(diary.advance(limit) for diary in self._diaries), key=_time)

    def go_live(self, stretch: Stretch) -> None:
        """Makes the users busy from the start of `stretch`, to which the world must have been advanced, to its end."""
        for shopper in self._shoppers:
            shopper.diary.start(live(shopper, stretch, len(self._shoppers)), to_ms(stretch.start))

    def replay(self, stretches: Iterable[Stretch], until: datetime) -> Iterator[Entry]:
        """What happens up to `until` where the world was live in those past `stretches`, in order of time."""
        for stretch in stretches:
            yield from self.advance(stretch.start)
            self.go_live(stretch)
        yield from self.advance(until)


def history(scenario: Scenario) -> Iterator[Entry]:
    """The events of the scenario before its `until`, in order of time, each with its topic."""
    return World(scenario).advance(scenario.until)


def _time(entry: Entry) -> datetime:
    return entry[1].time
