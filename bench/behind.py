"""How long something takes for a user with few and with many purchases behind them: it should take the same."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from statistics import median

from bench.load import purchases_of
from bench.table import Row, cost
from shared.contracts.reading import AnyEvent

_FEW, _MANY = 10, 10_000
_FILL = 1_000
_TIMES = 40


async def users_of(apply: Callable[[Sequence[AnyEvent]], Awaitable[object]]) -> dict[int, str]:
    """The two users by the number of their purchases, which `apply` has stored."""
    users = {number: f"{number}@example.org" for number in (_FEW, _MANY)}
    for number, user in users.items():
        behind = purchases_of(user, number)
        while batch := list(islice(behind, _FILL)):
            await apply(batch)
    return users


async def costs(users: Mapping[int, str], asked: Mapping[str, Callable[[str], Awaitable[object]]]) -> list[Row]:
    """A line for each thing that is asked for a user: the medians of 40 times, in which the users take turns."""
    taken: dict[str, dict[int, list[float]]] = {what: defaultdict(list) for what in asked}
    for _ in range(_TIMES):
        for number, user in users.items():
            for what, asking in asked.items():
                started = time.perf_counter()
                await asking(user)
                taken[what][number].append(time.perf_counter() - started)
    behind = f"with {_MANY:,} purchases behind it, against {_FEW:,}"
    return [cost(f"{what}, {behind}", median(by[_MANY]), median(by[_FEW])) for what, by in taken.items()]
