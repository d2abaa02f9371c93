"""A marketplace for the tests of what is learnt from all users: events by hand, and the service's inside to tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from uuid import uuid4

from services.analytics import catalogue, consumer, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.comparing import Cohorts, Comparing
from services.analytics.learn import learn
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.recommending import Recommending
from services.analytics.shelf import Shelf
from services.analytics.store import AnalyticsStore
from shared.contracts.analytics_recommend import Benchmarks, ProductRecommendations
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed, ProductRetired
from shared.contracts.envelope import Payload
from shared.contracts.marketplace import ProductViewed, PurchaseCreated, PurchaseRated
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

_BATCH = 1_000
_RUN = uuid4().hex[:8]
_numbers = count()
event = partial(make_event, source="/tests")


def listed(product: str, *, price: str = "10", provider: str = "acme", rating: float | None = None) -> AnyEvent:
    """A storage product by the month, whose name is the id in title case."""
    details = {"name": product.replace("-", " ").title(), "product_type": "storage", "category": f"about-{product}"}
    offer = {"price": price, "currency": "TFP", "billing_cycle": "monthly", "rating": rating}
    seller = {"provider_id": provider, "provider_name": provider.title()}
    return event(ProductListed.model_validate({"product_id": product, **details, **offer, **seller}))


def retired(product: str) -> AnyEvent:
    """The product is not on offer any more."""
    return event(ProductRetired(product_id=product))


def bought(
    user: str, product: str, amount: str = "10", *, ago: timedelta = timedelta(), rated: float = 0
) -> list[AnyEvent]:
    """The user bought it so long ago, and rated it, unless that is 0."""
    purchase = f"purchase-{_RUN}-{next(_numbers)}"
    details = {"product_name": product, "product_type": "storage", "provider_id": "acme", "provider_name": "Acme"}
    said = {"purchase_id": purchase, "product_id": product, "amount": amount, "currency": "TFP", "status": "active"}
    made = PurchaseCreated.model_validate({"user_email": user, **details, **said})
    events: list[AnyEvent] = [event(made, time=datetime.now(UTC) - ago)]
    return [*events, event(PurchaseRated(user_email=user, purchase_id=purchase, rating=rated))] if rated else events


def looked_at(user: str, product: str, days: int) -> list[AnyEvent]:
    """The user looked at it on each of the last days, today included."""
    now = datetime.now(UTC)
    seen: list[Payload] = [ProductViewed(user_email=user, product_id=product)] * days
    return [event(view, time=now - timedelta(days=ago)) for ago, view in enumerate(seen)]


def preferred(user: str, **preferences: object) -> AnyEvent:
    """The user chose these preferences."""
    return event(PreferencesUpdated.model_validate({"user_email": user, **preferences}))


@dataclass(frozen=True)
class Market:
    """The analytics service's inside on a database."""

    database: Database
    seen: Presences
    shelf: Shelf
    reckoning: Reckoning
    recommending: Recommending
    comparing: Comparing

    async def tell(self, events: Sequence[AnyEvent]) -> None:
        """Has the events stored, as the consumer does, and everything worked out that follows at once."""
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            facts, products = AnalyticsStore(self.database), Catalogue(self.database)
            await consumer.apply(facts, self.seen, products, Notifications(self.database), batch)
        await self.reckoning.work_off()

    async def learn(self) -> None:
        """Learns from what was told; what is learnt is in use afterwards."""
        await learn(self.database)
        await self.shelf.refresh()
        await self.recommending.refresh()

    async def recommended(self, user: str, limit: int = 10) -> ProductRecommendations:
        """What the user is recommended."""
        return await self.recommending.of(user, limit)

    async def ids(self, user: str) -> list[str]:
        """The products that the user is recommended, the best first."""
        return [item.product.id for item in (await self.recommended(user, 50)).items]

    async def standing(self, user: str) -> Benchmarks:
        """Where the user stands."""
        return await self.comparing.of(user, datetime.now(UTC))

    async def members(self) -> set[str]:
        """Who is in a cohort's table."""
        return await Cohorts(self.database).members()


async def market_on(database: Database) -> Market:
    """The inside of the service, on a database that is empty."""
    await mongo.ensure_indexes(database, {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES})
    seen, shelf = Presences(database), Shelf(Catalogue(database))
    reckoning = Reckoning(database, seen)
    recommending = Recommending(database, reckoning, shelf)
    return Market(database, seen, shelf, reckoning, recommending, Comparing(Cohorts(database), reckoning))


def users(number: int) -> list[str]:
    """So many users that nobody else has."""
    return [f"market{_RUN}.{next(_numbers)}@example.org" for _ in range(number)]


def all_of(parts: Iterable[list[AnyEvent]]) -> list[AnyEvent]:
    """The events of all the parts."""
    return [each for part in parts for each in part]
