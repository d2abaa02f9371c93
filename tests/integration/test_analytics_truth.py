"""Each figure agrees with what was published, in any order and any number of copies, and with what an oracle says.

The oracle is not the service's fold: it takes the events in the order of their times and believes the last one.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from mycelium.simulator import Scenario, history
from services.analytics import catalogue, consumer, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.reckoning import Reckoning
from services.analytics.store import AnalyticsStore
from shared.contracts.identity import UserRegistered
from shared.contracts.marketplace import DeploymentCreated, PurchaseCreated, PurchaseRated, PurchaseStatusChanged
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

_BATCH = 500


@dataclass
class Truth:
    """What one user bought, believing the latest of what was said."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    purchases: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    refunds: Counter[str] = field(default_factory=Counter)
    deployments: set[str] = field(default_factory=set)

    def hear(self, event: AnyEvent) -> None:
        match event.data:
            case UserRegistered(timezone=str(zone)):
                self.zone = ZoneInfo(zone)
            case PurchaseCreated() as bought:
                self._bought(bought, event)
            case PurchaseStatusChanged() as moved:
                self.purchases[moved.purchase_id]["status"] = moved.status
            case PurchaseRated() as rated:
                self.purchases[rated.purchase_id]["rating"] = rated.rating
            case DeploymentCreated() as made:
                self.deployments.add(made.deployment_id)
            case WalletTransactionPosted(kind="purchase", purchase=bought) if bought:
                self._bought(bought, event)
            case WalletTransactionPosted(kind="refund") as back if back.related_entity_id:
                self.refunds[back.related_entity_id] += back.amount  # type: ignore[assignment]

    def _bought(self, bought: Any, event: AnyEvent) -> None:
        purchase = self.purchases[bought.purchase_id]
        purchase |= {"amount": bought.amount, "type": bought.product_type, "provider": bought.provider_id}
        purchase["at"] = bought.purchase_date or event.time
        purchase.setdefault("status", bought.status or "pending")

    @property
    def counted(self) -> dict[str, dict[str, Any]]:
        return {i: p for i, p in self.purchases.items() if "amount" in p and p["status"] in ("active", "completed")}

    def spent(self, id: str) -> Decimal:
        back = self.refunds.get(id, Decimal(0))
        amount: Decimal = self.purchases[id]["amount"]
        return max(Decimal(0), amount - back)

    def by(self, name: str) -> dict[str, Decimal]:
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for id, purchase in self.counted.items():  # noqa: A001
            month = f"{purchase['at'].astimezone(self.zone):%Y-%m}"
            sums[month if name == "month" else purchase[name]] += self.spent(id)
        return dict(sums)


def truth_of(events: Iterable[AnyEvent]) -> Mapping[str, Truth]:
    """What the oracle says of each subject of the events."""
    truths: dict[str, Truth] = defaultdict(Truth)
    for event in sorted(events, key=lambda event: (event.time, event.id)):
        truths[event.subject].hear(event)
    return truths


def _published(seed: int) -> list[AnyEvent]:
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    scenario = Scenario(seed=seed, users=6, days=120, until=until)
    return [event for topic, event in history(scenario) if topic in consumer.TOPICS]


async def _indexed(database: Database) -> None:
    await mongo.ensure_indexes(database, {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES})


async def _told(database: Database, events: Sequence[AnyEvent]) -> Reckoning:
    seen = Presences(database)
    for start in range(0, len(events), _BATCH):
        batch = events[start : start + _BATCH]
        facts, products = AnalyticsStore(database), Catalogue(database)
        await consumer.apply(facts, seen, products, Notifications(database), batch)
    return Reckoning(database, seen)


async def test_every_figure_agrees_with_what_was_published(database: Database) -> None:
    await _indexed(database)
    events = _published(seed=11)
    truths = truth_of(events)
    reckoning = await _told(database, events)
    users = [user for user, truth in truths.items() if truth.purchases]
    assert len(users) == 6
    for user in users:
        assert_true((await reckoning.of(user))["usage"], truths[user])


def assert_true(usage: Mapping[str, Any], truth: Truth) -> None:
    """Raises AssertionError unless the statistics are what the oracle says."""
    assert usage["timezone"] == str(truth.zone)
    assert Decimal(usage["total_spent"]) == sum(truth.by("month").values())
    assert usage["total_purchases"] == len(truth.counted)
    shown = {m["month"]: Decimal(m["total_spent"]) for m in usage["spending_trends"] if m["purchase_count"]}
    assert shown == truth.by("month")
    assert {c["category"]: Decimal(c["total_spent"]) for c in usage["favorite_categories"]} == truth.by("type")
    assert {p["provider_id"]: Decimal(p["total_spent"]) for p in usage["preferred_providers"]} == truth.by("provider")
    assert usage["deployment_stats"]["total_deployments"] == len(truth.deployments)


async def test_any_order_and_any_number_of_copies_give_the_same_figures(database: Database) -> None:
    await _indexed(database)
    events = _published(seed=12)[:6_000]
    users = {event.subject for event in events if "@" in event.subject}
    in_order = await _figures(await _told(database, events), users)
    for collection in await database.list_collection_names():
        await database[collection].delete_many({})
    shuffled = events + random.Random(1).sample(events, 500)
    random.Random(2).shuffle(shuffled)
    assert await _figures(await _told(database, shuffled), users) == in_order


async def _figures(reckoning: Reckoning, users: set[str]) -> dict[str, Any]:
    found = {user: (await reckoning.of(user))["usage"] for user in users}
    for usage in found.values():  # what grows with the time
        usage["last_calculated"] = usage["deployment_stats"]["total_resource_hours"] = None
    return found
