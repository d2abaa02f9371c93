"""What is done to whom, when and for how long: made from the seed alone, so that the seed gives it again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from mycelium.stack.services import GATEWAY, NAMES
from shared.contracts.topics import SERVICES

Kind = Literal[
    "service killed",
    "service killed while it writes",
    "service told to end",
    "service paused",
    "replica started",
    "replica taken away",
    "database killed",
    "broker killed",
    "broker's connections delayed",
    "broker's connections cut",
    "broker's connections in a black hole",
    "broker's connections half closed",
    "database's connections delayed",
    "database's connections cut",
    "database's connections in a black hole",
    "database's connections half closed",
]

# Each round in an order of its own.
ROUND: Final[tuple[Kind, ...]] = (
    *("service killed", "service killed while it writes", "service told to end", "service paused", "service paused"),
    *("replica started", "replica taken away", "database killed", "broker killed"),
    *("broker's connections delayed", "broker's connections cut"),
    *("broker's connections in a black hole", "broker's connections half closed"),
    *("database's connections delayed", "database's connections cut"),
    *("database's connections in a black hole", "database's connections half closed"),
)
_WHILE_IT_WRITES: Final = "service killed while it writes"
_WRITERS: Final = ("activity", "purchases", "analytics")  # most events have something to write for each of them
_MOST_AT_ONCE: Final = 5
_MOST_REPLICAS: Final = 3  # of all services together, besides the first of each
_SECONDS: Final = (0.3, 8.0)  # the services wait 5 for a database before they say that it failed
_BETWEEN: Final = 1.5  # seconds between the faults that come on top of each other, at most


@dataclass(frozen=True)
class Fault:
    """`kind` done to `target`, `after` so many seconds from when its episode began, undone after `hold` seconds.

    `target` is a process (`activity`, or `activity-2` for a replica); for servers it is "kafka" or "mongod". `hard`
    chooses among two ways of doing it: SIGKILL or SIGTERM, the client's end or the server's.
    """

    kind: Kind
    target: str
    after: float
    hold: float
    hard: bool


Episode = tuple[Fault, ...]
"""Faults that come on top of each other; then everything has to recover."""


def schedule(seed: int, faults: int) -> list[Episode]:
    """Episodes with so many faults in all."""
    rng = random.Random(f"{seed}/faults")
    replicas, episodes, episode = list[str](), list[Episode](), list[Fault]()
    size = rng.randint(1, _MOST_AT_ONCE)
    for kind in islice(_kinds(rng), faults):
        if len(episode) == size or not _go_together(kind, episode):
            episodes.append(tuple(episode))
            episode, size = [], rng.randint(1, _MOST_AT_ONCE)
        episode.append(_fault(rng, kind, replicas, episode))
    return [*episodes, tuple(episode)]


def _kinds(rng: random.Random) -> Iterator[Kind]:
    while True:
        yield from rng.sample(ROUND, len(ROUND))


def _go_together(kind: Kind, episode: list[Fault]) -> bool:
    """One thing is done to one server; and who is to be killed while it writes has to have something to write."""
    others = {fault.kind for fault in episode}
    if others and _WHILE_IT_WRITES in (kind, *others):
        return False
    return _server(kind) is None or _server(kind) not in map(_server, others)


def _server(kind: Kind) -> str | None:
    """The server that a fault, or one of the connections to it, is about; None where it is a process of ours."""
    return {"broker": "kafka", "broker's": "kafka", "database": "mongod", "database's": "mongod"}.get(kind.split()[0])


def _fault(rng: random.Random, kind: Kind, replicas: list[str], before: list[Fault]) -> Fault:
    """On top of those `before`. `replicas` are those that run; the list is brought up to date."""
    kind, target = _whom(rng, kind, replicas, {fault.target for fault in before})
    after = before[-1].after + rng.uniform(0.0, _BETWEEN) if before else 0.0
    return Fault(kind, target, round(after, 2), round(rng.uniform(*_SECONDS), 2), rng.random() < 0.5)


def _whom(rng: random.Random, kind: Kind, replicas: list[str], hit: set[str]) -> tuple[Kind, str]:
    """What is done to whom; a replica can only be taken away where there is one, and started where there are few."""
    if kind == _WHILE_IT_WRITES:
        return kind, rng.choice(_WRITERS)
    if server := _server(kind):
        return kind, server
    if kind in ("replica started", "replica taken away"):
        idle = [name for name in replicas if name not in hit]
        if idle and (kind == "replica taken away" or len(replicas) == _MOST_REPLICAS):
            replicas.remove(gone := rng.choice(idle))
            return "replica taken away", gone
        if len(replicas) < _MOST_REPLICAS:
            replicas.append(new := _next_of(rng.choice(SERVICES), replicas))
            return "replica started", new
        kind = "service killed"
    return kind, rng.choice([name for name in (*NAMES, *replicas) if name not in hit] or [GATEWAY])


def _next_of(service: str, replicas: list[str]) -> str:
    return next(name for number in (2, 3, 4) if (name := f"{service}-{number}") not in replicas)
