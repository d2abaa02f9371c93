"""What the services answer about one user, asked as the gateway asks them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp

Json = dict[str, Any]  # Any: JSON
_PAGE: Final = 200
_AS_FAR_BACK: Final = timedelta(days=80)  # of the ninety that checks are kept


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

    async def all(self, service: str, path: str) -> list[Json]:
        """All pages of a list."""
        items, query = list[Json](), dict[str, str | int](limit=_PAGE)
        while True:
            page = await self.get(service, path, **query)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]


@dataclass
class Answers:
    """All that is compared of a user. `health` is by the deployment's id; `why_…` are the facts behind a figure."""

    activities: list[Json]
    purchases: list[Json]
    details: list[Json]
    deployments: list[Json]
    health: dict[str, Json]
    transactions: list[Json]
    wallet: Json
    pools: list[Json]
    usage: Json
    why_purchases: Json
    why_deployments: Json
    why_minutes: Json
    profile: Json
    preferences: Json


async def answers(viewer: Viewer, until: datetime, *, is_registered: bool) -> Answers:
    """Asks for it, one after the other. Raises aiohttp.ClientError. Who is not registered has no profile."""
    purchases = await viewer.all("purchases", "/purchases")
    deployments = await viewer.all("purchases", "/deployments")
    since = (until - _AS_FAR_BACK).isoformat()
    ids = {item["deployment_id"] for item in deployments}

    async def why(figure: str) -> Json:
        answer: Json = await viewer.get("analytics", "/analytics/usage/explain", figure=figure)
        return answer

    return Answers(
        activities=await viewer.all("activity", "/activities"),
        purchases=purchases,
        details=[await viewer.get("purchases", f"/purchases/{item['id']}") for item in purchases],
        deployments=deployments,
        health={id: await viewer.get("purchases", f"/deployments/{id}/health", **{"from": since}) for id in ids},  # noqa: A001
        transactions=await viewer.all("purchases", "/wallet/transactions"),
        wallet=await viewer.get("purchases", "/wallet"),
        pools=(await viewer.get("purchases", "/wallet/pools"))["items"],
        usage=await viewer.get("analytics", "/analytics/usage"),
        why_purchases=await why("total_purchases"),
        why_deployments=await why("deployment_stats/total_deployments"),
        why_minutes=await why("activity_patterns/session_frequency"),
        profile=await viewer.get("profile", "/profile") if is_registered else {},
        preferences=await viewer.get("profile", "/preferences") if is_registered else {},
    )
