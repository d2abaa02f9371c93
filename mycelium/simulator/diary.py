"""The clockwork: processes that wait and write events, run in the order of simulated time."""

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import TypeAlias

from mycelium.simulator.moments import to_time
from shared.contracts.build import make_event
from shared.contracts.envelope import Payload
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import CATALOG, IDENTITY, MARKETPLACE, WALLET, Topic

Process: TypeAlias = Iterator[int]
"""A generator that does something, yields for how many milliseconds to wait, and goes on after that."""

Entry: TypeAlias = tuple[Topic, AnyEvent]

_PUBLISHERS = (
    (IDENTITY, "/mycelium/simulator/identity"),
    (MARKETPLACE, "/mycelium/simulator/marketplace"),
    (CATALOG, "/mycelium/simulator/marketplace"),
    (WALLET, "/mycelium/simulator/wallet"),
)
PLACE_OF = {payload: (topic, source) for topic, source in _PUBLISHERS for payload in topic.payloads}
"""The topic and the source of each payload that the simulator publishes."""


class Diary:
    """What one user (or the catalogue) does next, and the events of it. Ids rise in the order of writing."""

    def __init__(self, namespace: str, start: int) -> None:
        self.now = start
        self._namespace = namespace
        self._agenda: list[tuple[int, int, Process]] = []
        self._entered = 0
        self._named = 0
        self._written = 0
        self._out: list[Entry] = []

    def start(self, process: Process, at: int | None = None) -> None:
        """Lets `process` begin at the moment `at`, by default now. What begins at one moment runs in order of entry."""
        self._entered += 1
        heappush(self._agenda, (self.now if at is None else at, self._entered, process))

    def write(self, payload: Payload) -> None:
        """Writes an event that happens now, on the topic that its type belongs to."""
        self._written += 1
        topic, source = PLACE_OF[type(payload)]
        event_id = f"{self._namespace}-{self._written:08d}"
        self._out.append((topic, make_event(payload, source=source, id=event_id, time=to_time(self.now))))

    def fresh_id(self, kind: str) -> str:
        """A new id such as `pur-3f9a1c0d2e4b-12`, never given before."""
        self._named += 1
        return f"{kind}-{self._namespace}-{self._named}"

    def advance(self, until: int | None) -> Iterator[Entry]:
        """Runs what is due before `until` (None: for ever) and gives the events of it in order of time."""
        while self._agenda and (until is None or self._agenda[0][0] < until):
            self.now, _, process = heappop(self._agenda)
            wait = next(process, None)
            if wait is not None:
                self.start(process, self.now + wait)
            yield from self._out
            self._out.clear()
