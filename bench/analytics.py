"""What follows from an event in the analytics service, with 10 and with 10,000 purchases behind the user."""

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from statistics import median

from bench.contestants import ANALYTICS_INDEXES
from bench.load import moves_of, purchases_of
from bench.table import Row, cost
from services.analytics import api, consumer
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import AnalyticsStore
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

FEW, MANY = 10, 10_000
_FILL = 1_000
_TIMES = 40


class Service:
    """What the service is made of, on a database of its own, without Kafka."""

    def __init__(self, database: Database) -> None:
        self._store, self._presences, self._catalogue = (
            AnalyticsStore(database),
            Presences(database),
            Catalogue(database),
        )
        self._notifications = Notifications(database)
        self.reckoning = Reckoning(database, self._presences)

    async def apply(self, events: Sequence[AnyEvent]) -> None:
        """Stores what a batch of events says."""
        await consumer.apply(self._store, self._presences, self._catalogue, self._notifications, events)


async def rows(mongo_url: str) -> list[Row]:
    """The lines of the table."""
    client = mongo.connect(mongo_url)
    database = client["bench_analytics"]
    await mongo.ensure_indexes(database, ANALYTICS_INDEXES)
    seconds = await _seconds(Service(database))
    await client.drop_database(database.name)
    client.close()
    behind = f"with {MANY:,} purchases behind it, against {FEW:,}"
    return [cost(f"{what}, {behind}", taken[MANY], taken[FEW]) for what, taken in seconds.items()]


async def _seconds(service: Service) -> dict[str, dict[int, float]]:
    """How long each thing takes (medians), by the number of purchases."""
    users = {number: f"{number}@example.org" for number in (FEW, MANY)}
    for number, user in users.items():
        behind = purchases_of(user, number)
        while batch := list(islice(behind, _FILL)):
            await service.apply(batch)
        await service.reckoning.of(user)
    moves = {user: moves_of(user) for user in users.values()}
    asked: dict[str, Callable[[str], Awaitable[object]]] = {
        "An event of a user, stored by analytics": lambda user: service.apply([next(moves[user])]),
        "What follows from it, worked out": service.reckoning.of,
        "The usage statistics, ready": lambda user: _usage(service, user),
    }
    taken: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(_TIMES):
        for number, user in users.items():
            for what, asking in asked.items():
                started = time.perf_counter()
                await asking(user)
                taken[what][number].append(time.perf_counter() - started)
    return {what: {number: median(seconds) for number, seconds in by.items()} for what, by in taken.items()}


async def _usage(service: Service, user: str) -> None:
    api.answer(await service.reckoning.usage(user))
