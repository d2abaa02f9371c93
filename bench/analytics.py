"""What follows from an event in the analytics service, with 10 and with 10,000 purchases behind the user."""

from collections.abc import Sequence

from bench.behind import costs, users_of
from bench.contestants import ANALYTICS_INDEXES
from bench.load import moves_of
from bench.table import Row
from services.analytics import api, consumer
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import AnalyticsStore
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo
from shared.plumbing.mongo import Database


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
    found = await _rows(Service(database))
    await client.drop_database(database.name)
    client.close()
    return found


async def _rows(service: Service) -> list[Row]:
    users = await users_of(service.apply)
    for user in users.values():
        await service.reckoning.of(user)
    moves = {user: moves_of(user) for user in users.values()}
    return await costs(
        users,
        {
            "An event of a user, stored by analytics": lambda user: service.apply([next(moves[user])]),
            "What follows from it, worked out": service.reckoning.of,
            "The usage statistics, ready": lambda user: _usage(service, user),
        },
    )


async def _usage(service: Service, user: str) -> None:
    api.answer(await service.reckoning.usage(user))
