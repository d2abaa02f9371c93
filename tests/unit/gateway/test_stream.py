"""Streams that are interrupted: whoever comes back is told every section that changed meanwhile, or to reset."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.gateway import stream as module
from services.gateway.changes import Change, Changes, Place
from services.gateway.sessions import Sessions
from services.gateway.stream import MOST_OF_A_USER, Stream, Streams
from services.gateway.tokens import BadTokenError, Identity
from shared.contracts.types import Section
from shared.plumbing.problems import ProblemError

USERS = ("ada", "bob", "cid", "dan")
SECTIONS: tuple[Section, ...] = get_args(Section)[:3]
AS_OF = "2026-01-31T09:30:00Z"


def partition_of(user: str) -> int:
    return USERS.index(user) % 2


async def nobody(_token: str) -> Identity:
    raise BadTokenError


def streams() -> Streams:
    return Streams(Sessions(nobody, None))  # type: ignore[arg-type]  # asks no service


@dataclass
class Gateway:
    """One that has read so many records of the log, from the oldest that there were when it began."""

    changes: Changes
    streams: Streams
    read: int


@dataclass
class Client:
    """A page of `user`: what it knows is what it has read; it reads what it is told to."""

    user: str
    stream: Stream | None = None
    gateway: Gateway | None = None
    last: str | None = None
    knows: dict[Section, int] = field(default_factory=dict)


class World:
    """One log, two gateways, and pages that come and go between them."""

    def __init__(self, most_users: int) -> None:
        self.log: list[tuple[str, Section]] = []
        self.places: list[Place] = []
        self.oldest = 0
        self.truth = {(user, section): 0 for user in USERS for section in SECTIONS}
        self.most_users = most_users
        self.gateways = [self.new_gateway(), self.new_gateway()]
        self.clients = [Client(user) for user in (*USERS, *USERS[:2])]

    def new_gateway(self) -> Gateway:
        """As it is when it has come to the end."""
        gateway = Gateway(Changes(self.most_users), streams(), self.oldest)
        self.read_on(gateway, len(self.log))
        for partition in (0, 1):
            before = [place for place in self.places if place.partition == partition]
            gateway.changes.begin(partition, before[-1].offset + 1 if before else 0, len(self.log))
        gateway.streams.follow(gateway.changes, partition_of)
        return gateway

    def read_on(self, gateway: Gateway, number: int) -> None:
        for index in range(gateway.read, min(gateway.read + number, len(self.log))):
            user, section = self.log[index]
            change = Change(self.places[index], section, AS_OF)
            gateway.changes.add(user, change)
            gateway.streams.tell(user, change)
            gateway.read = index + 1

    def publish(self, user: str, section: Section) -> None:
        partition = partition_of(user)
        offset = sum(place.partition == partition for place in self.places)
        self.log.append((user, section))
        self.places.append(Place(partition, offset, len(self.log)))
        self.truth[user, section] += 1

    def connect(self, client: Client, gateway: Gateway) -> None:
        """Opens the stream, and where it never had one, reads everything then."""
        is_new = client.last is None
        client.gateway = gateway
        client.stream = gateway.streams.open(Identity(client.user, "s"), "token", client.last)
        if is_new:
            self.read(client, SECTIONS)

    def read(self, client: Client, sections: tuple[Section, ...]) -> None:
        client.knows |= {section: self.truth[client.user, section] for section in sections}

    async def hear(self, client: Client, events: int) -> None:
        """Takes so many of the events that are there."""
        assert client.stream
        if not client.stream._wake.is_set():
            return
        text = (await client.stream.next()).decode()
        for block in text.split("\n\n")[:events]:
            said = dict(re.findall(r"^(\w+): (.*)$", block, re.MULTILINE))
            client.last = said.get("id", client.last)
            if said.get("event") == "reset":
                self.read(client, SECTIONS)
            elif said.get("event") == "section":
                self.read(client, (re.findall(r'"section":"(\w+)"', said["data"])[0],))

    def disconnect(self, client: Client) -> None:
        if client.stream and client.gateway:
            client.gateway.streams.close(client.stream)
            client.stream = client.gateway = None


STEPS = st.one_of(
    st.tuples(st.just("publish"), st.sampled_from(USERS), st.sampled_from(SECTIONS)),
    st.tuples(st.just("publish"), st.sampled_from(USERS), st.sampled_from(SECTIONS)),
    st.tuples(st.just("read on"), st.integers(0, 1), st.integers(1, 4)),
    st.tuples(st.just("connect"), st.integers(0, 5), st.integers(0, 1)),
    st.tuples(st.just("connect"), st.integers(0, 5), st.integers(0, 1)),
    st.tuples(st.just("hear"), st.integers(0, 5), st.integers(0, 9)),
    st.tuples(st.just("broker lost"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("restart"), st.integers(0, 1), st.just(0)),
    st.tuples(st.just("expire"), st.integers(1, 3), st.just(0)),
)


@settings(max_examples=500)
@given(st.integers(1, 4), st.lists(STEPS, min_size=20, max_size=60))
@example(1, [("connect", 0, 0), ("hear", 0, 9), ("publish", "ada", "activity"), ("publish", "bob", "activity")])
def test_no_change_is_missed_whatever_happens(most_users: int, steps: list[tuple[str, object, object]]) -> None:
    asyncio.run(_play(World(most_users), steps))


async def _play(world: World, steps: list[tuple[str, object, object]]) -> None:
    for step in steps:
        match step:
            case ("publish", str(user), section):
                world.publish(user, section)  # type: ignore[arg-type]
            case ("read on", int(number), int(records)):
                world.read_on(world.gateways[number], records)
            case ("connect", int(number), int(at)):
                world.disconnect(world.clients[number])
                world.connect(world.clients[number], world.gateways[at])
            case ("hear", int(number), int(events)):
                client = world.clients[number]
                if client.stream:
                    await world.hear(client, events)
                    world.disconnect(client)
            case ("broker lost", int(number), _):
                gateway = world.gateways[number]
                gateway.streams.lose_track()
                anew = world.new_gateway()
                gateway.changes, gateway.read = anew.changes, anew.read
                gateway.streams.follow(gateway.changes, partition_of)
            case ("restart", int(number), _):
                for client in world.clients:
                    if client.gateway is world.gateways[number]:
                        world.disconnect(client)
                world.gateways[number] = world.new_gateway()
            case ("expire", int(records), _):
                world.oldest = min(world.oldest + records, len(world.log))
    for client in world.clients:
        if client.last is not None or client.stream:
            await _comes_to_know(world, client)


async def _comes_to_know(world: World, client: Client) -> None:
    """At the end everything is read, and each page, which may come back elsewhere, has heard all there is."""
    for gateway in world.gateways:
        world.read_on(gateway, len(world.log))
    if client.stream is None:
        world.connect(client, world.gateways[0])
    await world.hear(client, 1_000)
    assert client.knows == {section: world.truth[client.user, section] for section in SECTIONS}
    world.disconnect(client)


def changes(*users: str, most: int = 100) -> Changes:
    found = Changes(most)
    for offset, user in enumerate(users):
        found.add(user, Change(Place(0, offset, 1_000 + offset), "wallet", AS_OF))
    return found


def test_it_goes_on_from_any_place_that_is_known() -> None:
    known = changes("ada", "bob", "ada")
    assert list(known.since("ada", 0, Place(0, 1, 1_001)) or ()) == ["wallet"]
    assert known.since("ada", 0, Place(0, 2, 1_002)) == {}
    assert known.since("bob", 0, Place(0, 1, 1_001)) == {}


def test_what_is_too_old_made_up_or_of_another_topic_is_not_known() -> None:
    known = changes("ada", "bob", "cid", "ada", most=2)
    assert known.since("ada", 0, Place(0, 0, 1_000)) is None  # bob's change at 1 is dropped
    assert known.since("ada", 0, Place(0, 1, 1_001)) is not None
    assert known.since("ada", 0, Place(0, 4, 1_004)) is None  # there is nothing yet
    assert known.since("ada", 1, Place(0, 2, 1_002)) is None  # another partition than the user's
    assert known.since("ada", 0, Place(0, 2, 900)) is None  # before the topic began
    assert Changes().since("ada", 0, Place(0, 0, 1)) is None


@given(st.integers(0, 99), st.integers(-1, 2**50), st.integers(0, 2**50))
def test_a_place_is_its_text(partition: int, offset: int, at: int) -> None:
    place = Place(partition, offset, at)
    assert Place.parse(str(place)) == place


@given(st.text(max_size=30) | st.from_regex(r"[0-9-]{1,40}", fullmatch=True))
def test_any_other_text_is_no_place(text: str) -> None:
    place = Place.parse(text)
    assert place is None or re.fullmatch(r"\d+-(-1|\d+)-\d+", text)


async def test_a_slow_client_is_told_the_latest_of_each_section_in_order() -> None:
    one = Stream(Identity("ada", "s"), "token", None)
    for offset in range(1_000):
        one.tell(Change(Place(0, offset, offset), SECTIONS[offset % 3], AS_OF))
    text = (await one.next()).decode()
    assert re.match(r"retry: [12]\d{3}\n\n", text)
    ids = [int(found) for found in re.findall(r"id: 0-(\d+)-", text)]
    assert ids == [997, 998, 999]
    assert text.count("event: section") == 3


async def test_a_user_has_so_many_streams_and_the_oldest_makes_room() -> None:
    every = streams()
    opened = [every.open(Identity("ada", f"s{n}"), "token", None) for n in range(MOST_OF_A_USER + 2)]
    others = every.open(Identity("bob", "s"), "token", None)
    ended = [one.has_ended for one in opened]
    assert ended == [True, True] + [False] * MOST_OF_A_USER
    assert not others.has_ended
    every.leave()
    assert others.has_ended


async def test_there_is_a_bound_for_all_and_it_is_said() -> None:
    every = streams()
    every._number = module.MOST_OF_ALL
    with pytest.raises(ProblemError) as busy:
        every.open(Identity("ada", "s"), "token", None)
    assert (busy.value.status, busy.value.code, busy.value.headers) == (503, "busy", {"Retry-After": "5"})


async def test_streams_of_ended_sessions_end_and_others_go_on() -> None:
    every = streams()
    kept, ended = (every.open(Identity("ada", name), "token", None) for name in ("kept", "ended"))
    other = every.open(Identity("bob", "ended"), "token", None)
    every.end("ada", lambda identity: identity.session_id == "ended")
    assert [one.has_ended for one in (kept, ended, other)] == [False, True, False]
