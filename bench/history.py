"""What an event costs for a user with few and with many events behind them: it should be the same.

From validated events to stored ones, in batches of 50 of one user. Of the activity service they are 50 more activities,
of the others 50 purchases, of those that are there already, that change their status.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from statistics import median
from typing import Final

from pymongo import monitoring

from bench.analytics import Service
from bench.contestants import CONTESTANTS
from bench.load import moves_of, of_one_user, purchases_of
from bench.probe import Commands
from bench.purchases import vault
from bench.table import Row, cost, count_gate
from services.activity import consumer as activity
from services.activity.settings import Settings
from services.activity.store import ActivityStore
from services.purchases import consumer as purchases
from services.purchases.store import PurchaseStore
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

HISTORIES: Final = (10, 1_000, 10_000, 100_000)
_KEEP: Final = Settings.model_fields["keep_per_user"].default
_FILL: Final = 1_000
_BATCH, _BATCHES_A_ROUND, _ROUNDS = 50, 4, 5  # so few in all that the first timeline does not fill
_MOST_COMMANDS_FOR_TRIMMING: Final = 4  # of a user's batch: to find and to delete, low-impact activities and the others

Apply = Callable[[Sequence[AnyEvent]], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """A service's way to store events; what fills a user's history, and what comes after it."""

    service: str
    apply: Apply
    history: Callable[[int], Iterator[AnyEvent]]
    after: Callable[[int, Iterator[AnyEvent]], Iterator[AnyEvent]]
    trims: int = 0


@dataclass
class Cost:
    """What batches of 50 events cost, for a user with `history` events behind them: seconds of each round, commands."""

    history: int
    events: Iterator[AnyEvent]
    seconds: list[float] = field(default_factory=list)
    commands: int = 0

    @property
    def seconds_per_event(self) -> float:
        """The median of the rounds."""
        return median(self.seconds) / (_BATCHES_A_ROUND * _BATCH)

    @property
    def commands_per_batch(self) -> float:
        """Commands to Mongo, all rounds taken together."""
        return self.commands / (_BATCHES_A_ROUND * len(self.seconds))


async def rows(mongo_url: str) -> list[Row]:
    """The lines about all services that keep a history."""
    commands = Commands()
    monitoring.register(commands)
    client = mongo.connect(mongo_url)
    found: list[Row] = []
    for service, made in _CASES.items():
        database = client[f"bench_history_{service}"]
        await mongo.ensure_indexes(database, CONTESTANTS[service].indexes)
        case = made(database)
        found += _rows(case, await _costs(case, commands))
        await client.drop_database(database.name)
    client.close()
    return found


def _rows(case: Case, costs: Sequence[Cost]) -> Iterator[Row]:
    first = costs[0]
    for each in costs[1:]:
        what = f"An event, {case.service}, with {each.history:,} behind it, against {first.history:,}"
        yield cost(what, each.seconds_per_event, first.seconds_per_event)
    counts = ", ".join(f"{each.commands_per_batch:.1f}" for each in costs)
    most = max(each.commands_per_batch for each in costs)
    what = f"Mongo commands a batch of 50, {case.service}, with {', '.join(f'{each:,}' for each in HISTORIES)}"
    yield count_gate(what, most, first.commands_per_batch + case.trims, counts)


async def _costs(case: Case, commands: Commands) -> list[Cost]:
    """The costs for users with each number of events, taken in turns."""
    costs = []
    for number in HISTORIES:
        behind = case.history(number)
        costs.append(Cost(number, case.after(number, behind)))
        for done in range(0, number, _FILL):
            await case.apply(list(islice(behind, min(_FILL, number - done))))
    for _ in range(_ROUNDS):
        for each in costs:
            await _round(case, each, commands)
    return costs


async def _round(case: Case, cost: Cost, commands: Commands) -> None:
    batches = [list(islice(cost.events, _BATCH)) for _ in range(_BATCHES_A_ROUND)]
    counted, started = commands.count, time.perf_counter()
    for batch in batches:
        await case.apply(batch)
    cost.seconds.append(time.perf_counter() - started)
    cost.commands += commands.count - counted


def _activity(database: Database) -> Case:
    store = ActivityStore(database, _KEEP)
    return Case(
        "activity",
        lambda events: activity.apply(store, events),
        lambda number: (event for _, event in of_one_user(_user(number))),
        lambda _, behind: behind,
        _MOST_COMMANDS_FOR_TRIMMING,
    )


def _purchases(database: Database) -> Case:
    store, keys = PurchaseStore(database), vault(database)
    return Case("purchases", lambda events: purchases.apply(store, keys, events), _bought, _moved)


def _analytics(database: Database) -> Case:
    return Case("analytics", Service(database).apply, _bought, _moved)


_CASES: Final[dict[str, Callable[[Database], Case]]] = {
    "activity": _activity,
    "purchases": _purchases,
    "analytics": _analytics,
}


def _user(number: int) -> str:
    return f"{number}@example.org"


def _bought(number: int) -> Iterator[AnyEvent]:
    return purchases_of(_user(number), number)


def _moved(number: int, _: Iterator[AnyEvent]) -> Iterator[AnyEvent]:
    return moves_of(_user(number))
