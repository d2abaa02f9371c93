"""The services that are compared with a bare loop: how each is built, what it is given, and what the loop writes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Final

from pymongo import IndexModel

from bench import bare
from bench.bare import Event
from services.activity import consumer as activity_consumer
from services.activity import main as activity
from services.activity import store as activity_store
from services.activity.settings import Settings as ActivitySettings
from services.analytics import catalogue, notifications, presences
from services.analytics import consumer as analytics_consumer
from services.analytics import main as analytics
from services.analytics import store as analytics_store
from services.analytics.settings import Settings as AnalyticsSettings
from services.profile import consumer as profile_consumer
from services.profile import main as profile
from services.profile import store as profile_store
from services.profile.settings import Settings as ProfileSettings
from services.purchases import consumer as purchases_consumer
from services.purchases import main as purchases
from services.purchases import store as purchases_store
from services.purchases.settings import Settings as PurchasesSettings
from shared.contracts.topics import Topic
from shared.plumbing.mongo import Database
from shared.plumbing.settings import ServiceSettings

ANALYTICS_INDEXES: Final = {
    **analytics_store.INDEXES,
    **presences.INDEXES,
    **catalogue.INDEXES,
    **notifications.INDEXES,
}


@dataclass(frozen=True)
class Contestant:
    """A service, by the module that wires it, and the writes of the bare loop in its place."""

    main: ModuleType
    settings: type[ServiceSettings]
    topics: Sequence[Topic]
    indexes: Mapping[str, Sequence[IndexModel]]
    write: Callable[[Database, Sequence[Event]], Awaitable[None]]


CONTESTANTS: Final[Mapping[str, Contestant]] = {
    "activity": Contestant(
        activity, ActivitySettings, activity_consumer.TOPICS, activity_store.INDEXES, bare.activities
    ),
    "purchases": Contestant(
        purchases, PurchasesSettings, purchases_consumer.TOPICS, purchases_store.INDEXES, bare.purchases
    ),
    "profile": Contestant(profile, ProfileSettings, profile_consumer.TOPICS, profile_store.INDEXES, bare.users),
    "analytics": Contestant(analytics, AnalyticsSettings, analytics_consumer.TOPICS, ANALYTICS_INDEXES, bare.analytics),
}
