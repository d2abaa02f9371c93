"""Whatever was taken from hostile records is shown: every answer as it is described, every page without an error."""

from typing import Any
from urllib.parse import quote

from tests.attack.target import TIMES, Target
from tests.servers.dashboard import API, Reply, User
from tests.waiting import eventually

_ASKED_FOR = {
    f"{API}/analytics/usage/explain": "?figure=total_spent",
    f"{API}/analytics/report": "?from=1970-01-01&to=9999-01-01",
    f"{API}/analytics/spending": "?months=60",
}
_PAGES = (
    "",
    "/activity",
    "/purchases",
    "/deployments",
    "/wallet",
    "/analytics",
    "/analytics?months=60",
    "/recommendations",
    "/notifications",
    "/profile",
    "/preferences",
    "/discover",
    "/search?q=a",
    "/account",
    "/onboarding",
)
_ALL_TIME = "from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59Z"
_ZONES = ("Pacific/Kiritimati", "America/Adak")  # the first and the last clocks of the world


async def assert_all_is_shown(target: Target, user: User) -> None:
    """Raises AssertionError for a 5xx, an answer that is not described, and an export that cannot come back."""
    await _answers(target, user)
    purchases = [quote(item["id"], safe="") for item in await _items(target, user, "/purchases")]
    deployments = [quote(item["deployment_id"], safe="") for item in await _items(target, user, "/deployments")]
    assert purchases
    assert deployments
    for name in purchases:
        await _get(target, user, f"{API}/purchases/{name}")
    for name in deployments:
        for rest in ("", "/health", f"/health?{_ALL_TIME}"):
            await _get(target, user, f"{API}/deployments/{name}{rest}")
    for letter in (await _items(target, target.operator, "/ops/v1/dead-letters"))[: 20 * TIMES]:
        path = f"/ops/v1/dead-letters/{quote(letter['id'], safe='')}"
        await _get(target, target.operator, f"{path}?content=true")
        dry = await target.site.ask("POST", f"{path}/retry", token=target.operator.token, json={"dry_run": True})
        assert dry.status == 200, dry.body
    things = (("purchases", purchases), ("deployments", deployments))
    pages = [*_PAGES, *(f"/{kind}/{name}" for kind, names in things for name in names[: 4 * TIMES])]
    for zone in _ZONES:
        changed = await target.site.ask("PATCH", f"{API}/profile", token=user.token, json={"timezone": zone})
        assert changed.status == 200, changed.body
        for page in pages:
            await _page(target, user, page)
    exported = await _get(target, user, f"{API}/export")
    headers = {"Content-Type": "application/json"}
    imported = await target.site.ask("POST", f"{API}/import", token=user.token, data=exported.body, headers=headers)
    assert imported.status == 200, imported.body
    assert target.errors() == []


async def _answers(target: Target, user: User) -> None:
    assert target.site.description
    for path, item in target.site.description["paths"].items():
        if "get" in item and "{" not in path and path != f"{API}/stream":
            who = target.operator if path.startswith("/ops") else user
            await _get(target, who, path + _ASKED_FOR.get(path, ""))


async def _get(target: Target, user: User, path: str) -> Reply:
    """An answer that is none of a busy machine, and is as described."""

    async def answered() -> Reply | None:
        reply = await target.site.ask("GET", path, token=user.token)
        return None if reply.status == 503 else reply

    reply = await eventually(answered, timeout=60, interval=1, what=f"an answer from {path}")
    assert reply is not None
    assert reply.status in (200, 404, 409), (path, reply.body)
    return reply


async def _items(target: Target, user: User, path: str) -> list[Any]:  # Any: JSON
    path = path if path.startswith("/ops") else f"{API}{path}"
    items: list[Any] = (await _get(target, user, f"{path}?limit=200")).json["items"]
    return items


async def _page(target: Target, user: User, page: str) -> None:
    headers = {"Cookie": f"session={user.token}"}

    async def status() -> int | None:
        reply = await target.site.ask("GET", f"/dashboard/user{page}", headers=headers, allow_redirects=False)
        return None if reply.status == 503 else reply.status

    assert await eventually(status, timeout=60, interval=1, what=page) in (200, 303, 404), page
