"""Every page, for a user with 10,000 purchases: what it costs the servers, and how much is sent.

The user has 10,000 purchases of the last two years, all active; a quarter of them renews every month, a third is rated.
They have as many lines in the wallet, some of them refunds, 1,000 activities, 50 deployments, and 50 items on a page.
A page is asked for 20 times, one request at a time, after it was there once.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from bench.browser import HOME, assets_of, browser, log_in
from bench.load import of_one_user
from bench.serving import API, cpu_seconds, email, register, stack
from bench.table import Row
from mycelium.simulator import publish
from mycelium.stack.services import at_rest
from shared.contracts.build import make_event
from shared.contracts.catalog import ProductListed
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentStatusChanged,
    PurchaseCreated,
    PurchaseRated,
    ResourceAllocation,
    ServicePeriod,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import CATALOG, MARKETPLACE, WALLET, Topic
from shared.contracts.types import ProductType
from shared.contracts.wallet import WalletTransactionPosted

PURCHASES, _ACTIVITIES, _DEPLOYMENTS = 10_000, 1_000, 50
_PRODUCTS, _PROVIDERS = 60, 12
_TYPES: Final[tuple[ProductType, ...]] = ("compute_slice", "storage", "service", "application")
_PAGES: Final[Mapping[str, str]] = {
    "overview": HOME,
    "activity": f"{HOME}/activity",
    "purchases": f"{HOME}/purchases",
    "purchase": f"{HOME}/purchases/pur-0",
    "deployments": f"{HOME}/deployments",
    "deployment": f"{HOME}/deployments/dep-0",
    "profile": f"{HOME}/profile",
    "preferences": f"{HOME}/preferences",
    "analytics": f"{HOME}/analytics",
    "why": f"{HOME}/analytics/why?figure=total_spent",
    "wallet": f"{HOME}/wallet",
    "recommendations": f"{HOME}/recommendations",
    "discover": f"{HOME}/discover",
    "product": f"{HOME}/discover/product-1",
    "search": f"{HOME}/search?q=cloud",
    "notifications": f"{HOME}/notifications",
    "account": f"{HOME}/account",
    "onboarding": f"{HOME}/onboarding",
    "login": "/login",
    "register": "/register",
}
_TIMES, _MILLISECONDS, _KILOBYTES = 20, 100, 150
_STORE_SECONDS = 300.0
_EMAIL: Final = email("shopper")


@dataclass(frozen=True)
class Cost:
    """What a page costs: seconds until it was there (median), seconds of CPU time of all servers, the database's
    included, bytes of HTML, and bytes with its style sheet and its script.
    """

    name: str
    wall: float
    cpu: float
    html: int
    whole: int


async def rows(folder: Path) -> list[Row]:
    """The lines about the pages, of a stack in `folder` with nothing else to do."""
    return [_row(cost) for cost in await costs(folder)]


async def costs(folder: Path) -> list[Cost]:
    """What each page costs."""
    async with AsyncExitStack() as running:
        up = await running.enter_async_context(stack(folder))
        http = await running.enter_async_context(browser(up["gateway"]))
        await _sign_up(http, up["gateway"])
        until = datetime.now(UTC)
        await publish(list(_life(until)), up["kafka"], idempotence=False)
        assert await at_rest(http, up["services"].values(), ("lag",), _STORE_SECONDS)
        pids = [up["pids"][name] for name in (*up["services"], "gateway", "mongod")]
        for path in _PAGES.values():
            await _page(http, path)
        return [await _cost(http, pids, name, path) for name, path in _PAGES.items()]


def _row(cost: Cost) -> Row:
    met = cost.wall * 1e3 < _MILLISECONDS and cost.whole < _KILOBYTES * 1_000
    figures = (f"{cost.wall * 1e3:.0f} ms", f"{cost.cpu * 1e3:.0f} ms of CPU", f"{cost.whole / 1e3:.0f} KB")
    what = f"The page {cost.name}, with {PURCHASES:,} purchases behind it"
    return Row(what, *figures, f"< {_MILLISECONDS} ms, < {_KILOBYTES} KB", met)


async def _cost(http: aiohttp.ClientSession, pids: Sequence[int], name: str, path: str) -> Cost:
    before, seconds, page = sum(map(cpu_seconds, pids)), list[float](), b""
    for _ in range(_TIMES):
        started = time.perf_counter()
        page = await _page(http, path)
        seconds.append(time.perf_counter() - started)
    cpu = (sum(map(cpu_seconds, pids)) - before) / _TIMES
    loaded = [await _page(http, asset) for asset in assets_of(page.decode())]
    return Cost(name, median(seconds), cpu, len(page), len(page) + sum(map(len, loaded)))


async def _page(http: aiohttp.ClientSession, path: str) -> bytes:
    async with http.get(path, raise_for_status=True) as response:
        return await response.read()


async def _sign_up(http: aiohttp.ClientSession, gateway: str) -> None:
    """Registers the user, signs in, and has 50 items shown on a page."""
    await log_in(http, gateway, await register(http, gateway, _EMAIL))
    shown, origin = {"items_per_page": 50}, {"Origin": gateway}
    async with http.patch(f"{API}/preferences", json=shown, headers=origin, raise_for_status=True):
        pass


def _life(until: datetime) -> Iterator[tuple[Topic, AnyEvent]]:
    """Everything that happened to the user until then, oldest first in each topic."""
    for number in range(_PRODUCTS):
        yield CATALOG, _listed(number, until)
    apart = timedelta(days=720) / PURCHASES
    for number in range(PURCHASES):
        at = until - apart * (number + 1)
        yield MARKETPLACE, _bought(number, at, until)
        yield WALLET, _paid(number, at)
        if number % 3 == 0:
            rating = PurchaseRated(user_email=_EMAIL, purchase_id=f"pur-{number}", rating=number % 9 / 2 + 1)
            yield MARKETPLACE, make_event(rating, source="/bench", time=at)
    for number in range(_DEPLOYMENTS):
        yield from ((MARKETPLACE, event) for event in _deployed(number, until))
    newest = list(islice(of_one_user(_EMAIL), _ACTIVITIES))
    moved = until - newest[-1][1].time
    for topic, event in newest:
        yield topic, event.model_copy(update={"time": event.time + moved})


def _listed(number: int, until: datetime) -> AnyEvent:
    product = ProductListed(
        product_id=f"product-{number}",
        name=f"Cloud product {number}",
        product_type=_TYPES[number % len(_TYPES)],
        category=f"category {number % 8}",
        provider_id=f"provider-{number % _PROVIDERS}",
        provider_name=f"Provider {number % _PROVIDERS}",
        price=Decimal(number % 17 + 1),
        currency="TFP",
        billing_cycle="monthly",
        rating=4.0,
    )
    return make_event(product, source="/bench", time=until - timedelta(days=800))


def _bought(number: int, at: datetime, until: datetime) -> AnyEvent:
    product, renews = number % _PRODUCTS, number % 4 == 0
    start, due = at, until + timedelta(days=number % 60)
    period = ServicePeriod(
        start_date=start, auto_renewal=True, hours_used=float(number % 400), sessions_completed=5, next_billing_date=due
    )
    purchase = PurchaseCreated(
        user_email=_EMAIL,
        purchase_id=f"pur-{number}",
        product_id=f"product-{product}",
        product_name=f"Cloud product {product}",
        product_type=_TYPES[product % len(_TYPES)],
        provider_id=f"provider-{product % _PROVIDERS}",
        provider_name=f"Provider {product % _PROVIDERS}",
        amount=Decimal(product % 17 + 2),
        currency="TFP",
        purchase_date=at,
        status="active",
        billing_cycle="monthly" if renews else "one_time",
        service_period=period if renews else None,
    )
    return make_event(purchase, source="/bench", time=at)


def _paid(number: int, at: datetime) -> AnyEvent:
    refund = number % 50 == 0
    line = WalletTransactionPosted(
        user_email=_EMAIL,
        transaction_id=f"tx-{number}",
        sequence=PURCHASES - number,
        kind="refund" if refund else "fee",
        amount=Decimal(1 if refund else -1),
        currency="TFP",
        balance_after=Decimal(5_000),
        related_entity_id=f"pur-{number}",
        related_entity_type="purchase",
    )
    return make_event(line, source="/bench", time=at)


def _deployed(number: int, until: datetime) -> Iterator[AnyEvent]:
    id, at = f"dep-{number}", until - timedelta(days=30 + number)  # noqa: A001
    size = ResourceAllocation(cpu_cores=4.0, memory_gb=8.0, storage_gb=40.0, bandwidth_mbps=100.0)
    created = DeploymentCreated(
        user_email=_EMAIL,
        deployment_id=id,
        purchase_id=f"pur-{number * 4}",
        kind="service",
        region="eu",
        resources_allocated=size,
    )
    yield make_event(created, source="/bench", time=at)
    runs = DeploymentStatusChanged(user_email=_EMAIL, deployment_id=id, status="running")
    yield make_event(runs, source="/bench", time=at + timedelta(minutes=1))
