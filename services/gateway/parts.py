"""What each service says of a user on the overview: asked for once, kept until it changes, given to whoever needs it.

A part is kept until the service tells of a change. The bytes stay as what was last known, for when the service does
not answer. What was asked for before a change and is answered after it never counts as fresh: each change gives the
part a new generation, and only what was asked for in the present one is fresh.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from types import MappingProxyType
from typing import Any, Final, Literal

import orjson

from services.gateway.services import Services
from shared.contracts.topics import Service
from shared.contracts.types import Section
from shared.plumbing import metrics
from shared.plumbing.problems import ProblemError

State = Literal["fresh", "stale", "unavailable"]
SECTIONS: Final[Mapping[Service, tuple[Section, ...]]] = {
    "profile": ("profile", "preferences"),
    "activity": ("activity",),
    "purchases": ("purchases", "deployments", "wallet"),
    "analytics": ("analytics", "recommendations"),
}
_SERVICE_OF: Final[Mapping[Section, Service]] = {s: service for service, mine in SECTIONS.items() for s in mine}
PATIENCE_SECONDS: Final = 0.8
MAX_AGE_SECONDS: Final = 60.0  # what is said of days and hours changes without an event
KEPT_SECONDS: Final = 3_600.0  # since the user last asked for anything
_MOST_USERS, _MOST_BYTES = 10_000, 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Part:
    """What one service says of a user: its members by name, each a JSON text.

    True as of `as_of` (RFC 3339, UTC). `stale` is what was last known while the service does not answer; `unavailable`
    has no members, and `as_of` is None.
    """

    state: State
    as_of: str | None
    version: str
    members: Mapping[str, bytes]

    def json(self, name: str) -> Any:  # Any: JSON
        """A member, parsed; None where the part has no such member."""
        member = self.members.get(name)
        return None if member is None else orjson.loads(member)


UNAVAILABLE: Final = Part("unavailable", None, "", MappingProxyType({}))
Ask = Callable[[Service, str], Awaitable[Part | None]]


@dataclass(slots=True)
class _Kept:
    part: Part
    generation: int
    since: float


@dataclass(slots=True)
class _User:
    born: int
    used: float
    generations: dict[Service, int] = field(default_factory=dict)
    kept: dict[Service, _Kept] = field(default_factory=dict)
    size: int = 0


class Cache:
    """The parts of the users who asked last, within bounds. Pure: times are seconds of a steady clock, given to it."""

    def __init__(self, most_users: int = _MOST_USERS, most_bytes: int = _MOST_BYTES) -> None:
        self._most_users, self._most_bytes = most_users, most_bytes
        self._users: OrderedDict[str, _User] = OrderedDict()
        self._numbers: Iterator[int] = count(1)
        self._size = 0
        self._trusted_from: int | None = None

    def trust(self) -> None:
        """Changes are told from now on; what was kept before counts as outdated."""
        self._trusted_from = next(self._numbers)

    def distrust(self) -> None:
        """Changes may be missed from now on: nothing is fresh until `trust`."""
        self._trusted_from = None

    def fresh(self, user: str, service: Service, now: float) -> Part | None:
        """The part, if it is kept and nothing has changed since it was asked for."""
        entry = self._users.get(user)
        kept = entry.kept.get(service) if entry else None
        if entry is None or kept is None or self._trusted_from is None or kept.generation < self._trusted_from:
            return None
        if kept.generation != entry.generations[service] or now - kept.since >= MAX_AGE_SECONDS:
            return None
        return kept.part

    def last_known(self, user: str, service: Service) -> Part | None:
        """The part as it was when it was last told, however long ago."""
        entry = self._users.get(user)
        kept = entry.kept.get(service) if entry else None
        return kept.part if kept else None

    def ask(self, user: str, service: Service, now: float) -> int:
        """The generation in which a question is asked now, to be given to `keep` with the answer."""
        entry = self._users.get(user)
        if entry is None:
            entry = self._users[user] = _User(born=next(self._numbers), used=now)
            self._make_room(now)
        entry.used = now
        self._users.move_to_end(user)
        generation = entry.generations.get(service)
        if generation is None or (self._trusted_from or 0) > generation:
            generation = entry.generations[service] = next(self._numbers)
        return generation

    def keep(self, user: str, service: Service, generation: int, part: Part, now: float) -> None:
        """Keeps an answer to a question of this generation, unless a later one is kept or the user was forgotten."""
        entry = self._users.get(user)
        known = entry.kept.get(service) if entry else None
        if entry is None or generation < entry.born or (known and known.generation > generation):
            return
        grown = _size_of(part) - (_size_of(known.part) if known else 0)
        entry.kept[service] = _Kept(part, generation, now)
        entry.size += grown
        self._size += grown
        self._make_room(now)

    def changed(self, user: str, *services: Service) -> None:
        """These parts of the user are outdated; their bytes stay as what was last known."""
        if entry := self._users.get(user):
            for service in services:
                entry.generations[service] = next(self._numbers)

    def forget(self, user: str) -> None:
        """Keeps nothing of the user, nor what is still being asked for."""
        if entry := self._users.pop(user, None):
            self._size -= entry.size

    def _make_room(self, now: float) -> None:
        while self._users:
            user, oldest = next(iter(self._users.items()))
            too_much = len(self._users) > self._most_users or self._size > self._most_bytes
            if not too_much and now - oldest.used < KEPT_SECONDS:
                return
            self.forget(user)


class Parts:
    """Gives parts. Those who ask for the same part at the same time are answered by one question."""

    def __init__(self, ask: Ask, cache: Cache | None = None) -> None:
        self._ask = ask
        self.cache = cache or Cache()
        self._asked: dict[tuple[str, Service], tuple[int, asyncio.Task[Part | None]]] = {}

    async def of(self, user: str, service: Service) -> Part:
        """What `service` says of `user`, within PATIENCE_SECONDS. Never raises: see the part's `state`."""
        if part := self.cache.fresh(user, service, time.monotonic()):
            _HITS[service].inc()
            return part
        question = self._question(user, service)
        await asyncio.wait({question}, timeout=PATIENCE_SECONDS)
        if question.done() and (part := question.result()):
            _outcome(service, "miss")
            return part
        known = self.cache.last_known(user, service)
        _outcome(service, "stale" if known else "unavailable")
        return replace(known, state="stale") if known else UNAVAILABLE

    async def all_of(self, user: str) -> dict[Service, Part]:
        """What all the services say of `user`, asked at once."""
        found = await asyncio.gather(*(self.of(user, service) for service in SECTIONS))
        return dict(zip(SECTIONS, found, strict=True))

    def ready(self, user: str) -> list[Part] | None:
        """All the parts in the order of SECTIONS, if all of them are fresh already."""
        now, found = time.monotonic(), []
        for service in SECTIONS:
            part = self.cache.fresh(user, service, now)
            if part is None:
                return None
            found.append(part)
        for hits in _HITS.values():
            hits.inc()
        return found

    def section_changed(self, user: str, section: Section) -> None:
        """A service told that there is something new in this section."""
        self.cache.changed(user, _SERVICE_OF[section])

    def user_changed(self, user: str) -> None:
        """The user changed something here, and is to see it at once."""
        self.cache.changed(user, *SECTIONS)

    def _question(self, user: str, service: Service) -> asyncio.Task[Part | None]:
        generation = self.cache.ask(user, service, time.monotonic())
        asked = self._asked.get((user, service))
        if asked and asked[0] == generation:
            return asked[1]
        task = asyncio.create_task(self._answer(user, service, generation))
        self._asked[user, service] = (generation, task)
        return task

    async def _answer(self, user: str, service: Service, generation: int) -> Part | None:
        """Keeps what is answered, also when nobody waits for it any more."""
        try:
            part = await self._ask(service, user)
            if part:
                self.cache.keep(user, service, generation, part, time.monotonic())
            return part
        finally:
            if self._asked.get((user, service), (None,))[0] == generation:
                del self._asked[user, service]


def asking(services: Services) -> Ask:
    """Asks the services themselves."""

    async def ask(service: Service, user: str) -> Part | None:
        try:
            answer = await services.ask(service, "/overview", user=user)
        except ProblemError:
            return None
        as_of, version = answer.headers.get("X-As-Of"), answer.headers.get("ETag")
        if answer.status != 200 or as_of is None or version is None:
            return None
        members = dict(_member(line) for line in answer.body.split(b"\n") if line)
        return Part("fresh", as_of, version.strip('"'), members)

    return ask


def _member(line: bytes) -> tuple[str, bytes]:
    name, _, value = line.partition(b"\t")
    return name.decode(), value


def _size_of(part: Part) -> int:
    return sum(map(len, part.members.values()))


def _outcome(service: Service, outcome: str) -> None:
    metrics.OVERVIEW_PARTS.labels(service, outcome).inc()


_HITS = {service: metrics.OVERVIEW_PARTS.labels(service, "hit") for service in SECTIONS}
