"""What an event costs for a user with few and with many events behind them: it should be the same."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from statistics import median

from pymongo import monitoring

from bench.load import of_one_user
from services.activity import consumer
from services.activity.settings import Settings
from services.activity.store import INDEXES, ActivityStore
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo

HISTORIES = (10, 1_000, 10_000, 100_000)
_KEEP = Settings.model_fields["keep_per_user"].default
_FILL = 1_000
_BATCH, _BATCHES_A_ROUND, _ROUNDS = 50, 4, 5  # so few in all that the first timeline does not fill


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


async def costs(mongo_url: str) -> list[Cost]:
    """The costs for users with each number of events, taken in turns, from validated events to stored ones."""
    commands = _Commands()
    monitoring.register(commands)
    client = mongo.connect(mongo_url)
    await mongo.ensure_indexes(client["bench_history"], INDEXES)
    store = ActivityStore(client["bench_history"], _KEEP)
    costs = [Cost(history, (event for _, event in of_one_user(f"{history}@example.org"))) for history in HISTORIES]
    for cost in costs:
        for done in range(0, cost.history, _FILL):
            await consumer.apply(store, list(islice(cost.events, min(_FILL, cost.history - done))))
    await store.settle()
    for _ in range(_ROUNDS):
        for cost in costs:
            await _round(store, cost, commands)
    client.close()
    return costs


async def _round(store: ActivityStore, cost: Cost, commands: "_Commands") -> None:
    batches = [list(islice(cost.events, _BATCH)) for _ in range(_BATCHES_A_ROUND)]
    counted, started = commands.count, time.perf_counter()
    for batch in batches:
        await consumer.apply(store, batch)
    cost.seconds.append(time.perf_counter() - started)
    cost.commands += commands.count - counted


class _Commands(monitoring.CommandListener):
    """Counts what is asked of Mongo."""

    count = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:  # noqa: ARG002
        self.count += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Was counted when it started."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Was counted when it started."""
