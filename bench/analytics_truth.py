"""Whether the usage statistics equal the ledger: every figure of every simulated user, after shuffling and duplicating.

What should come out is added up here, by code of its own: the events in the order of their times, the last one counts.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from bench.analytics import Service
from bench.contestants import ANALYTICS_INDEXES
from bench.table import Row
from mycelium.simulator import Scenario, history
from services.analytics import consumer
from shared.contracts.identity import UserRegistered
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    PurchaseCreated,
    PurchaseRated,
    PurchaseStatusChanged,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletTransactionPosted
from shared.plumbing import mongo

_SCENARIO: Final = Scenario(seed=20261122, users=24, days=240, until=datetime(2026, 11, 1, tzinfo=UTC))
_BATCH: Final = 1_000
_TWICE: Final = 0.1  # so many of the events come twice
_COUNTED: Final = ("active", "completed")

Figures = Mapping[str, object]


@dataclass
class _Ledger:
    """What one user did, by what the events say."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    bought: dict[str, tuple[datetime, PurchaseCreated]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    refunded: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    rating: dict[str, float] = field(default_factory=dict)
    deployments: set[str] = field(default_factory=set)

    def hear(self, event: AnyEvent) -> None:
        match event.data:
            case UserRegistered(timezone=str(zone)):
                self.zone = ZoneInfo(zone)
            case PurchaseCreated() as bought:
                self.bought[bought.purchase_id] = (bought.purchase_date or event.time, bought)
                self.status.setdefault(bought.purchase_id, bought.status or "pending")
            case PurchaseStatusChanged() as moved:
                self.status[moved.purchase_id] = moved.status
            case PurchaseRated() as rated:
                self.rating[rated.purchase_id] = rated.rating
            case DeploymentCreated() as made:
                self.deployments.add(made.deployment_id)
            case WalletTransactionPosted(kind="refund", related_entity_id=str(purchase_id)) as back:
                self.refunded[purchase_id] += back.amount

    def figures(self) -> Figures:
        """What the statistics should say, by name."""
        counted = [(at, b) for id, (at, b) in self.bought.items() if self.status[id] in _COUNTED]  # noqa: A001
        spent: dict[str, Decimal] = defaultdict(Decimal)
        number: Counter[str] = Counter()
        rated: dict[str, list[float]] = defaultdict(list)
        for at, bought in counted:
            month, provider = f"{at.astimezone(self.zone):%Y-%m}", bought.provider_id
            for name in ("all", f"month {month}", f"category {bought.product_type}", f"provider {provider}"):
                spent[name] += max(Decimal(0), bought.amount - self.refunded[bought.purchase_id])
                number[name] += 1
                rated[name] += [self.rating[bought.purchase_id]] if bought.purchase_id in self.rating else []
        return (
            {f"spent, {name}": amount for name, amount in spent.items()}
            | {f"purchases, {name}": count for name, count in number.items()}
            | {f"rating, {n}": round(sum(r) / len(r), 2) for n, r in rated.items() if r and n[:5] in ("categ", "provi")}
            | {"deployments": len(self.deployments), "zone": str(self.zone)}
        )


async def rows(mongo_url: str) -> list[Row]:
    """The line of the table, which is a gate."""
    events = [event for topic, event in history(_SCENARIO) if topic in consumer.TOPICS]
    ledgers: dict[str, _Ledger] = defaultdict(_Ledger)
    for event in sorted(events, key=lambda event: event.time):
        ledgers[event.subject].hear(event)
    told = await _told(mongo_url, _disturbed(events), [user for user, ledger in ledgers.items() if ledger.bought])
    differ = compared = 0
    for user, usage in told.items():
        should, shown = ledgers[user].figures(), dict(_shown(usage))
        compared += len(should.keys() | shown.keys())
        differ += sum(should.get(name) != shown.get(name) for name in should.keys() | shown.keys())
    what = f"Figures that differ from the ledger, of {len(told)} users with {len(events):,} events, out of order"
    return [Row(what, f"{differ:,}", f"{compared:,}", f"{differ}", "0", differ == 0, gate=True)]


def _disturbed(events: list[AnyEvent]) -> list[AnyEvent]:
    """Without those that say nothing of what is compared, in any order, some twice."""
    told = [event for event in events if not isinstance(event.data, DeploymentHealthReported)]
    chance = random.Random(1)
    disturbed = told + chance.sample(told, int(len(told) * _TWICE))
    chance.shuffle(disturbed)
    return disturbed


async def _told(mongo_url: str, events: list[AnyEvent], users: list[str]) -> dict[str, Any]:
    """The statistics of the users."""
    client = mongo.connect(mongo_url)
    database = client["bench_truth"]
    await mongo.ensure_indexes(database, ANALYTICS_INDEXES)
    service = Service(database)
    for start in range(0, len(events), _BATCH):
        await service.apply(events[start : start + _BATCH])
    told = {user: await service.reckoning.usage(user) for user in users}
    await client.drop_database(database.name)
    client.close()
    return told


def _shown(usage: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """What the statistics do say, by the same names."""
    yield "zone", usage["timezone"]
    yield "deployments", usage["deployment_stats"]["total_deployments"]
    shown = {
        "all": usage,
        **{f"month {each['month']}": each for each in usage["spending_trends"] if each["purchase_count"]},
        **{f"category {each['category']}": each for each in usage["favorite_categories"]},
        **{f"provider {each['provider_id']}": each for each in usage["preferred_providers"]},
    }
    for name, part in shown.items():
        if part.get("purchase_count", usage["total_purchases"]):
            yield f"spent, {name}", Decimal(part["total_spent"])
            yield f"purchases, {name}", part["total_purchases"] if name == "all" else part["purchase_count"]
        if part.get("average_rating") is not None:
            yield f"rating, {name}", part["average_rating"]
