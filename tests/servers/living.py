"""Somebody with a life that the analytics service hears of by its topics and is asked about as the gateway asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

import orjson

from shared.contracts.build import make_event
from shared.contracts.dashboard import ActivityReported
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased, UserLoggedIn, UserLoggedOut, UserRegistered
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentStatusChanged,
    ProductViewed,
    PurchaseCreated,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
)
from shared.contracts.profile import DataExported, PreferencesUpdated, ProfileUpdated
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import GATEWAY, IDENTITY, MARKETPLACE, PROFILE, PURCHASES, WALLET, Topic
from shared.contracts.wallet import WalletTransactionPosted
from tests.servers.running import Running
from tests.waiting import eventually

Json = Any  # JSON, by its nature
NOW = datetime.now(UTC).replace(microsecond=0)
RESOURCES = {"cpu_cores": 4.0, "memory_gb": 8.0, "storage_gb": 40.0, "bandwidth_mbps": 100.0}
_TOPICS: Mapping[type[UserPayload], Topic] = {
    ActivityReported: GATEWAY,
    CredentialsRevealed: PURCHASES,
    DataExported: PROFILE,
    PreferencesUpdated: PROFILE,
    ProfileUpdated: PROFILE,
    UserErased: IDENTITY,
    UserLoggedIn: IDENTITY,
    UserLoggedOut: IDENTITY,
    UserRegistered: IDENTITY,
    WalletTransactionPosted: WALLET,
}


def ago(days: float) -> datetime:
    """So many days before the tests began."""
    return NOW - timedelta(days=days)


def in_month(number: int, day: int = 10) -> datetime:
    """Noon of a day of the month so many months before the running one, which is 0: there it is now."""
    at = NOW
    for _ in range(number):
        at = (at.replace(day=1) - timedelta(days=1)).replace(day=day, hour=12)
    return at


def name_of(at: datetime) -> str:
    """The month (UTC) that `at` is in, as the API names it."""
    return f"{at:%Y-%m}"


@dataclass
class Person:
    """Somebody whom nobody else is. `told` is everything that was published of them, in order."""

    service: Running
    email: str = field(default_factory=lambda: f"{uuid4().hex}@example.test")
    told: list[tuple[Topic, AnyEvent]] = field(default_factory=list)
    _lines: Any = field(default_factory=lambda: count(1))  # the sequence of the ledger

    async def tell(self, kind: type[UserPayload], at: datetime, /, **data: Json) -> AnyEvent:
        """Publishes an event of that kind and time."""
        payload = kind.model_validate_json(orjson.dumps({**data, "user_email": self.email}))
        topic, event = _TOPICS.get(kind, MARKETPLACE), make_event(payload, source="/life", time=at)
        self.told.append((topic, event))
        await self.service.publish(topic, event)
        return event

    async def buy(self, id: str, amount: str, at: datetime, **more: Json) -> None:
        """A purchase of a service of Hypha's, active at once unless `status` says otherwise."""
        said = {
            "purchase_id": id,
            "product_id": f"prod-{id}",
            "product_name": f"Product {id}",
            "product_type": "service",
            "provider_id": "hypha",
            "provider_name": "Hypha Cloud",
            "amount": amount,
            "currency": "TFP",
            "status": "active",
        }
        await self.tell(PurchaseCreated, at, **(said | more))

    async def move(self, id: str, status: str, at: datetime) -> None:
        """A step in a purchase's history."""
        await self.tell(PurchaseStatusChanged, at, purchase_id=id, status=status)

    async def rate(self, id: str, rating: float, at: datetime) -> None:
        """A rating of a purchase."""
        await self.tell(PurchaseRated, at, purchase_id=id, rating=rating)

    async def renew(self, id: str, start: datetime, at: datetime, **more: Json) -> None:
        """A service period that renews by itself."""
        period = {"start_date": start, "auto_renewal": True, "hours_used": 50.0, "sessions_completed": 5, **more}
        await self.tell(PurchaseServicePeriodChanged, at, purchase_id=id, service_period=period)

    async def post(self, amount: str, balance: str, at: datetime, **more: Json) -> None:
        """The ledger's next line."""
        number = next(self._lines)
        line = {"transaction_id": f"tx-{number}", "sequence": number, "kind": "top_up", "currency": "TFP", **more}
        await self.tell(WalletTransactionPosted, at, amount=amount, balance_after=balance, **line)

    async def refund(self, id: str, amount: str, at: datetime) -> None:
        """The wallet pays back some of a purchase."""
        await self.post(amount, "0", at, kind="refund", related_entity_id=id, related_entity_type="purchase")

    async def deploy(self, purchase: str, at: datetime, **more: Json) -> None:
        """A deployment of a purchase, running at once; its id is `dep-` and the purchase's."""
        made = {"deployment_id": f"dep-{purchase}", "purchase_id": purchase, "kind": "service", "region": "eu"}
        await self.tell(DeploymentCreated, at, resources_allocated=RESOURCES, **made, **more)
        later = at + timedelta(minutes=1)
        await self.tell(DeploymentStatusChanged, later, deployment_id=f"dep-{purchase}", status="running")

    async def report_health(self, purchase: str, at: datetime, cpu: float, *, healthy: bool = True) -> None:
        """A health check."""
        load = {"cpu_percent": cpu, "memory_percent": cpu / 2, "latency_ms": 20.0}
        await self.tell(DeploymentHealthReported, at, deployment_id=f"dep-{purchase}", healthy=healthy, **load)

    async def look(self, product: str, at: datetime, session: str | None = None) -> None:
        """A product's page is opened."""
        await self.tell(ProductViewed, at, product_id=product, session_id=session)

    async def get(self, path: str, **params: Json) -> Json:
        """What the service answers."""
        status, found = await self.service.get(path, self.email, params)
        assert status == 200, found
        return found

    async def send(self, method: str, path: str, body: object = None) -> tuple[int, Json]:
        """What the service answers to a change: status and JSON."""
        token = {"authorization": f"Bearer {self.service.tokens.sign(self.service.name, self.email)}"}
        request = self.service.http.request(method, f"{self.service.url}{path}", json=body, headers=token)
        async with request as response:
            return response.status, await response.json(content_type=None)

    async def usage(self) -> Json:
        """The statistics."""
        return await self.get("/analytics/usage")

    async def shows(self, **expected: Json) -> Json:
        """Waits until the statistics have these members; the statistics."""

        async def found() -> Json:
            usage = await self.usage()
            return usage if expected.items() <= usage.items() else None

        return await eventually(found, timeout=60, what=f"the statistics show {expected}")
