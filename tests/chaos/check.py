"""Whether the services show of every user what the simulator's ledger says, and the dead letters what was hostile."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import aiohttp

from tests.chaos.asking import Viewer, answers
from tests.chaos.compare import wrong_of, wrong_of_catalogue
from tests.chaos.hostile import Bad
from tests.chaos.load import Outgoing
from tests.chaos.topics import Snapshot
from tests.chaos.truth import Catalogue, Truth
from tests.waiting import eventually

_AT_ONCE: Final = 8
_TAKEN_IN_SECONDS: Final = 15.0


async def wrong_of_users(viewers: Mapping[str, Viewer], truths: Mapping[str, Truth], until: datetime) -> list[str]:
    """What differs, in words that name nobody: users are numbered in the order of `truths`.

    What they did from `until` on is not the ledger's: signing in to look at it.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def of(number: int, user: str) -> list[str]:
        async with turn:
            try:
                told = await answers(viewers[user], until, is_registered=truths[user].is_registered)
                wrong = [*wrong_of(truths[user], told, until, datetime.now(UTC))]
            except aiohttp.ClientResponseError as error:
                wrong = [f"an answer with {error.status} of {error.request_info.url.path}"]
        return [f"user {number}, {what}" for what in wrong]

    found = await asyncio.gather(*(of(number, user) for number, user in enumerate(truths)))
    return [wrong for each in found for wrong in each]


async def wrong_of_products(viewer: Viewer, catalogue: Catalogue) -> list[str]:
    """What differs in the catalogue, once analytics has had time to take in what it has stored."""
    wrong = list[str]()

    async def is_right() -> bool:
        wrong[:] = wrong_of_catalogue(catalogue, await viewer.all("analytics", "/catalog"))
        return not wrong

    with suppress(AssertionError):
        await eventually(is_right, timeout=_TAKEN_IN_SECONDS, interval=1, what="the catalogue is right")
    return wrong


def wrong_of_letters(snapshots: Sequence[Snapshot], bad: Mapping[Outgoing, Bad]) -> list[str]:
    """What differs between the hostile records and the dead letters.

    `snapshots` are of each broker that there was, the last one of when all was at rest. Every hostile record that a
    topic held has to be a dead letter of each service that can find fault with it, byte for byte, unless its broker
    forgot it before the service had committed it: the publisher then published it again. A service that dies between
    the dead letter and the commit writes it twice, with the same place in its headers, and that is once.
    """
    found, never = list[str](), set(bad)
    for number, snapshot in enumerate(snapshots):
        never -= {*snapshot.found.values()}
        is_last = number == len(snapshots) - 1
        for service in snapshot.letters:
            found += [f"broker {number + 1}, {service}: {wrong}" for wrong in _wrong(snapshot, service, bad, is_last)]
    return [*found, *(f"never on its topic: {bad[record].what}" for record in never)]


def _wrong(snapshot: Snapshot, service: str, bad: Mapping[Outgoing, Bad], is_last: bool) -> Iterator[str]:
    expected = {place: record for place, record in snapshot.found.items() if service in bad[record].services}
    there = {letter.came_from for letter in snapshot.letters[service]}
    for place, record in expected.items():
        if place not in there and (is_last or snapshot.has_committed(service, place)):
            yield f"no dead letter of a record with {bad[record].what}, from {place}"
    for letter in snapshot.letters[service]:
        if letter.record not in bad:
            yield f"a dead letter that is no hostile record as it was sent ({letter.reason}), from {letter.came_from}"
        elif is_last and expected.get(letter.came_from) != letter.record:
            yield f"a dead letter that should not be ({bad[letter.record].what}), from {letter.came_from}"
