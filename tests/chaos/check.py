"""Whether the services show of every user what the simulator's ledger says, and the dead letters what was hostile."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import aiohttp

from tests.chaos.hostile import Bad
from tests.chaos.load import Outgoing
from tests.chaos.topics import Snapshot
from tests.chaos.truth import Activity, Truth

_AT_ONCE: Final = 8
_PAGE: Final = 200
_SHOWN: Final = 3  # of what differs in one place


class Viewer:
    """Asks on behalf of one user: `url_of` and `token_for` say where a service answers, and with what bearer."""

    def __init__(
        self, http: aiohttp.ClientSession, url_of: Callable[[str], str], token_for: Callable[[str], str]
    ) -> None:
        self._http, self._url_of, self._token_for = http, url_of, token_for

    async def get(self, service: str, path: str, **query: str | int) -> Any:  # Any: JSON
        """What the service answers. Raises aiohttp.ClientError where that is not 200."""
        headers = {"authorization": f"Bearer {self._token_for(service)}"}
        url = f"{self._url_of(service)}{path}"
        async with self._http.get(url, params=query, headers=headers, raise_for_status=True) as response:
            return await response.json(content_type=None)

    async def all(self, service: str, path: str) -> list[dict[str, Any]]:
        """All pages of a list."""
        items, query = list[dict[str, Any]](), dict[str, str | int](limit=_PAGE)
        while True:
            page = await self.get(service, path, **query)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]


async def wrong_of_users(viewers: Mapping[str, Viewer], truths: Mapping[str, Truth], until: datetime) -> list[str]:
    """What differs, in words that name nobody: users are numbered in the order of `truths`.

    What they did from `until` on is not the ledger's: signing in to look at it.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def of(number: int, user: str) -> list[str]:
        async with turn:
            try:
                wrong = await _wrong_of(viewers[user], truths[user], until)
            except aiohttp.ClientResponseError as error:
                wrong = [f"an answer with {error.status} of {error.request_info.url.path}"]
        return [f"user {number}, {what}" for what in wrong]

    found = await asyncio.gather(*(of(number, user) for number, user in enumerate(truths)))
    return [wrong for each in found for wrong in each]


async def _wrong_of(viewer: Viewer, truth: Truth, until: datetime) -> list[str]:
    timeline = await viewer.all("activity", "/activities")
    purchases = {item["id"]: item for item in await viewer.all("purchases", "/purchases")}
    deployments = {item["deployment_id"]: item for item in await viewer.all("purchases", "/deployments")}
    usage = await viewer.get("analytics", "/analytics/usage")
    return [
        *_differences("activities", truth.activities, _activities(timeline, until)),
        *_differences("purchases", *_purchases(truth, purchases)),
        *_differences("deployments", *_deployments(truth, deployments)),
        *await _wrong_of_wallet(viewer, truth),
        *_differences("usage", _usage_of(truth), _usage_shown(usage)),
        *(await _wrong_of_profile(viewer, truth) if truth.is_registered else []),
    ]


def _activities(timeline: Iterable[Mapping[str, Any]], until: datetime) -> Counter[Activity]:
    shown = ((item["activity_type"], datetime.fromisoformat(item["timestamp"])) for item in timeline)
    return Counter((kind, at) for kind, at in shown if at < until)


async def _wrong_of_profile(viewer: Viewer, truth: Truth) -> Iterable[str]:
    profile = await viewer.get("profile", "/profile")
    expected = {"display_name": truth.name, "country": truth.country, "timezone": truth.zone}
    return _differences("profile", expected, {name: profile[name] for name in expected})


def _purchases(truth: Truth, shown: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = ("product_id", "product_name", "provider_id", "transaction_id", "status", "rating")
    told = {id: (*(k.get(f) for f in fields), k["amount"]) for id, k in truth.known_purchases.items()}  # noqa: A001
    return told, {id: (*(i[f] for f in fields), Decimal(i["amount"])) for id, i in shown.items()}  # noqa: A001


def _deployments(truth: Truth, shown: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    fields = ("status", "purchase_id", "region")
    told = {id: tuple(known[f] for f in fields) for id, known in truth.known_deployments.items()}  # noqa: A001
    return told, {id: tuple(item[f] for f in fields) for id, item in shown.items()}  # noqa: A001


async def _wrong_of_wallet(viewer: Viewer, truth: Truth) -> list[str]:
    lines = await viewer.all("purchases", "/wallet/transactions")
    ledger = Counter((i["transaction_id"], i["sequence"], i["kind"], Decimal(i["amount"])) for i in lines)
    told = Counter((id, *line) for id, line in truth.ledger.items())  # noqa: A001
    wallet = await viewer.get("purchases", "/wallet")
    pools = {
        p["pool_id"]: Decimal(p["current_value"]) for p in (await viewer.get("purchases", "/wallet/pools"))["items"]
    }
    whole = {"balance": truth.balance, "sequence_gaps": [], "difference": None}
    shown = {name: wallet[name] for name in whole} | {"balance": Decimal(wallet["balance"])}
    return [
        *_differences("ledger", told, ledger),
        *_differences("wallet", whole, shown),
        *_differences("pools", truth.pools, pools),
    ]


def _usage_of(truth: Truth) -> dict[str, Any]:
    return {
        "timezone": truth.zone,
        "total_spent": sum(truth.spent_by("month").values()),
        "total_purchases": len(truth.spending),
        "total_deployments": len(truth.known_deployments),
        "months": truth.spent_by("month"),
        "categories": truth.spent_by("product_type"),
        "providers": truth.spent_by("provider_id"),
    }


def _usage_shown(usage: Mapping[str, Any]) -> dict[str, Any]:
    def sums(items: Iterable[Mapping[str, Any]], name: str) -> dict[str, Decimal]:
        return {item[name]: Decimal(item["total_spent"]) for item in items if item["purchase_count"]}

    return {
        "timezone": usage["timezone"],
        "total_spent": Decimal(usage["total_spent"]),
        "total_purchases": usage["total_purchases"],
        "total_deployments": usage["deployment_stats"]["total_deployments"],
        "months": sums(usage["spending_trends"], "month"),
        "categories": sums(usage["favorite_categories"], "category"),
        "providers": sums(usage["preferred_providers"], "provider_id"),
    }


def _differences(where: str, expected: Mapping[Any, Any], shown: Mapping[Any, Any]) -> list[str]:
    """A sentence, if there is any difference, that counts them and tells of the first."""
    keys = [key for key in {**expected, **shown} if expected.get(key) != shown.get(key)]
    first = "; ".join(f"{key}: {shown.get(key)} instead of {expected.get(key)}" for key in keys[:_SHOWN])
    return [f"{where}: {len(keys)} of {len(expected)} differ: {first}"] if keys else []


def wrong_of_letters(snapshots: Sequence[Snapshot], bad: Mapping[Outgoing, Bad]) -> list[str]:
    """What differs between the hostile records and the dead letters.

    `snapshots` are of each broker that there was, the last one of when all was at rest. Every hostile record that a
    topic held has to be a dead letter of each service that can find fault with it, byte for byte, unless its broker
    forgot it before the service had committed it: the publisher then published it again. A service that dies between
    the dead letter and the commit writes it twice, with the same place in its headers, and that is once.
    """
    found, never = list[str](), set(bad)
    for number, snapshot in enumerate(snapshots):
        never -= {*snapshot.found.values()}
        is_last = number == len(snapshots) - 1
        for service in snapshot.letters:
            found += [f"broker {number + 1}, {service}: {wrong}" for wrong in _wrong(snapshot, service, bad, is_last)]
    return [*found, *(f"never on its topic: {bad[record].what}" for record in never)]


def _wrong(snapshot: Snapshot, service: str, bad: Mapping[Outgoing, Bad], is_last: bool) -> Iterator[str]:
    expected = {place: record for place, record in snapshot.found.items() if service in bad[record].services}
    there = {letter.came_from for letter in snapshot.letters[service]}
    for place, record in expected.items():
        if place not in there and (is_last or snapshot.has_committed(service, place)):
            yield f"no dead letter of a record with {bad[record].what}, from {place}"
    for letter in snapshot.letters[service]:
        if letter.record not in bad:
            yield f"a dead letter that is no hostile record as it was sent ({letter.reason}), from {letter.came_from}"
        elif is_last and expected.get(letter.came_from) != letter.record:
            yield f"a dead letter that should not be ({bad[letter.record].what}), from {letter.came_from}"
