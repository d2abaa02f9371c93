"""Cursors that nobody gave: random ones, given ones that were changed, another user's, another list's."""

import asyncio
import random
import string
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote

from tests.attack.target import SEED, Target
from tests.servers.dashboard import API, User, assert_problem

_OF_USERS = ("activities", "purchases", "deployments", "wallet/transactions", "catalog", "notifications")
LISTS = (*(f"{API}/{name}" for name in _OF_USERS), "/ops/v1/dead-letters")
_AT_ONCE = 32
_LETTERS = string.ascii_letters + string.digits + "-_="


def made_up(given: list[str], number: int) -> Iterator[str]:
    """So many, made from some that were given."""
    chance = random.Random(SEED)
    for _ in range(number):
        old = chance.choice(given)
        place = chance.randrange(len(old))
        yield chance.choice(
            [
                "".join(chance.choices(_LETTERS, k=chance.randrange(1, 90))),
                urlsafe_b64encode(chance.randbytes(33)).decode(),
                "".join(map(chr, chance.choices(range(1, 0xD800), k=chance.randrange(1, 40)))),
                old[:place],
                old[:place] + chance.choice(_LETTERS) + old[place + 1 :],
                old[:place] + chance.choice(_LETTERS) + old[place:],
                old + old,
                old.swapcase(),
                f"activity:identity.events:{chance.getrandbits(40)}:0:0",
            ]
        )


async def attack(target: Target, user: User, number: int) -> None:
    """Raises AssertionError if one of them is answered with anything but a 400, or the user's own data."""
    given = [cursor for who in (user, target.operator) for path in LISTS if (cursor := await _given(target, who, path))]
    assert len(given) > 5
    waiting = made_up(given, number)

    async def ask() -> None:
        for cursor in waiting:
            path = LISTS[hash_of(cursor) % len(LISTS)]
            token = target.operator.token if path.startswith("/ops") else user.token
            reply = await target.site.ask("GET", f"{path}?limit=1&cursor={quote(cursor)}", token=token)
            if reply.status != 200:
                assert_problem(reply, 400, "bad-cursor")
            elif path.startswith(f"{API}/activities"):
                assert all(item["user_email"] == user.email for item in reply.json["items"])

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))


def hash_of(text: str) -> int:
    """The same number in every run."""
    return sum(map(ord, text))


async def _given(target: Target, who: User, path: str) -> str | None:
    """The cursor that leads on from the first item of a list, where there are two of them."""
    token = target.operator.token if path.startswith("/ops") else who.token
    found: str | None = (await target.site.ask("GET", f"{path}?limit=1", token=token)).json["next_cursor"]
    return found
