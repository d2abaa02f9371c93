"""The overview on real services: true after events, cheap where nothing changed, and whole where a service is gone.

Every answer is held against the gateway's own description.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from prometheus_client import REGISTRY

from services.gateway.main import build_app
from services.gateway.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.dashboard import SectionChanged
from shared.contracts.envelope import UserPayload
from shared.contracts.marketplace import DeploymentCreated, ProductViewed, PurchaseCreated
from shared.contracts.overview import Overview
from shared.contracts.times import rfc3339
from shared.contracts.topics import MARKETPLACE, UPDATES, WALLET, Topic
from shared.contracts.wallet import WalletTransactionPosted
from tests.servers.dashboard import API, PASSWORD, Json, Reply, Site, User, assert_problem, log_in, ready, sign_up, site
from tests.servers.embedded import embedded_kafka
from tests.servers.proxy import proxied
from tests.servers.running import Running
from tests.waiting import eventually

OF = {
    "activity": {"activity"},
    "purchases": {"purchases", "deployments", "wallet"},
    "profile": {"profile", "preferences"},
    "analytics": {"analytics", "recommendations"},
}
EVERY = set().union(*OF.values())
RESOURCES = {"cpu_cores": 1, "memory_gb": 2, "storage_gb": 10, "bandwidth_mbps": 100}


async def overview(gateway: Site, user: User, tag: str = "") -> Reply:
    reply = await gateway.ask("GET", f"{API}/overview", token=user.token, headers={"If-None-Match": tag} if tag else {})
    assert reply.status in (200, 304), reply.body
    if reply.status == 200:
        Overview.model_validate_json(reply.body)
    return reply


def states(shown: Json) -> dict[str, set[str]]:
    """The sections by their state."""
    found: dict[str, set[str]] = {}
    for section, known in shown["sections"].items():
        found.setdefault(known["state"], set()).add(section)
    return found


async def publish(service: Running, user: User, topic: Topic, kind: type[UserPayload], /, **data: Any) -> None:  # JSON
    payload = kind.model_validate_json(orjson.dumps({**data, "user_email": user.email}))
    await service.publish(topic, make_event(payload, source="/shop", time=datetime.now(UTC)))


async def buy(service: Running, user: User) -> None:
    """A purchase, what it deploys, and what it costs."""
    mine = user.email
    bought = {"product_id": "prod-1", "product_name": "Vault", "product_type": "storage", "status": "active"}
    paid = {"provider_id": "hypha", "provider_name": "Hypha", "amount": "12.50", "currency": "TFP"}
    await publish(service, user, MARKETPLACE, PurchaseCreated, purchase_id=f"pur-{mine}", **bought, **paid)
    deployed = {"purchase_id": f"pur-{mine}", "kind": "service", "region": "eu", "resources_allocated": RESOURCES}
    await publish(service, user, MARKETPLACE, DeploymentCreated, deployment_id=f"dep-{mine}", **deployed)
    line = {"kind": "top_up", "amount": "100", "currency": "TFP", "balance_after": "100"}
    await publish(service, user, WALLET, WalletTransactionPosted, transaction_id=f"tx-{mine}", sequence=1, **line)


async def bought(gateway: Site, service: Running) -> tuple[User, Json]:
    """Someone who bought something, and what they see once all of it has arrived."""
    user = await sign_up(gateway)
    await buy(service, user)

    async def has_arrived() -> Json | None:
        shown: Json = (await overview(gateway, user)).json
        there = (
            (shown["stats"] or {}).get("active_services"),
            (shown["stats"] or {}).get("spent_this_month"),
            (shown["wallet"] or {}).get("balance"),
            (shown["insights"] or {}).get("spent_this_month"),
            len(shown["recent_activities"]),
        )
        return shown if there == (1, {"TFP": "12.50"}, "100", "12.50", 4) else None

    arrived: Json | None = await eventually(has_arrived, what="all of it is shown")
    assert arrived
    return user, arrived


async def test_it_is_true_after_events(whole: Site, purchases_service: Running) -> None:
    user, shown = await bought(whole, purchases_service)
    assert states(shown) == {"fresh": EVERY}
    assert shown["user"]["user_email"] == user.email
    assert shown["active_deployments"][0]["product_name"] == "Vault"
    assert shown["stats"]["wallet_change_this_month"] == {"TFP": "100"}
    assert shown["insights"]["top_category"]["category"] == "storage"
    change = shown["insights"]["biggest_change"]
    assert change == {"category": "storage", "this_month": "12.50", "last_month": "0"}
    newest = (await whole.ask("GET", f"{API}/activities?limit=5", token=user.token)).json["items"]
    assert shown["recent_activities"] == newest
    assert shown["wallet"] == (await whole.ask("GET", f"{API}/wallet", token=user.token)).json


async def test_a_new_user_sees_an_empty_one(whole: Site) -> None:
    user = await sign_up(whole)
    shown = (await overview(whole, user)).json
    assert states(shown) == {"fresh": EVERY}
    assert (shown["user"]["last_login"], shown["user"]["has_chosen"]) == (None, False)
    assert shown["stats"]["active_services"] == 0
    assert shown["insights"]["ideas"] == []  # of products there may be popular ones
    assert shown["insights"]["top_category"] is None


async def test_the_last_login_is_the_one_before_this_one(whole: Site) -> None:
    user = await sign_up(whole)
    (first,) = (await whole.ask("GET", f"{API}/sessions", token=user.token)).json["items"]
    again = User(user.email, await log_in(whole, user.email))
    seen = (await overview(whole, again)).json["user"]["last_login"]
    assert seen[:23] == first["opened_at"][:23]


async def test_what_did_not_change_is_a_304_and_what_did_is_not(whole: Site, purchases_service: Running) -> None:
    user, _ = await bought(whole, purchases_service)
    tags: list[str] = []

    async def at_rest() -> bool:
        tags.append((await overview(whole, user)).headers["ETag"])
        return tags[-20:] == [tags[-1]] * 20

    await eventually(at_rest, what="nothing changes any more")
    for given in (tags[-1], f'"x", {tags[-1]}', "*"):
        unchanged = await overview(whole, user, given)
        assert (unchanged.status, unchanged.body) == (304, b"")
        assert unchanged.headers["ETag"] == tags[-1]
        assert unchanged.headers["Cache-Control"] == "private, no-cache"
    assert (await overview(whole, user, 'W/"other"')).status == 200
    await publish(purchases_service, user, MARKETPLACE, ProductViewed, product_id="prod-2", product_name="Other")

    async def has_changed() -> bool:
        return (await overview(whole, user, tags[-1])).status == 200

    await eventually(has_changed, what="another overview")
    other = await sign_up(whole)
    assert (await overview(whole, other, tags[-1])).status == 200


async def test_ones_own_change_is_seen_at_once(whole: Site) -> None:
    user = await sign_up(whole)
    for theme in ("dark", "light", "auto", "dark"):
        await overview(whole, user)
        await whole.ask("PATCH", f"{API}/preferences", token=user.token, json={"theme": theme})
        assert (await overview(whole, user)).json["user"]["theme"] == theme


async def test_a_change_through_another_gateway_is_seen(whole: Site, whole_settings: Settings) -> None:
    async with site(build_app(whole_settings), described=True) as other:
        await ready(other)
        user = await sign_up(whole)
        await overview(other, user)
        await whole.ask("PATCH", f"{API}/preferences", token=user.token, json={"theme": "dark"})

        async def is_seen() -> bool:
            return bool((await overview(other, user)).json["user"]["theme"] == "dark")

        await eventually(is_seen, timeout=10, what="the other gateway drops what it kept")


async def test_what_is_kept_asks_no_service(whole_settings: Settings, purchases_service: Running) -> None:
    async with proxied(int(whole_settings.purchases_url.rpartition(":")[2])) as purchases:
        through_it = whole_settings.model_copy(update={"purchases_url": f"http://127.0.0.1:{purchases.port}"})
        async with site(build_app(through_it), described=True) as gateway:
            await ready(gateway)
            user, shown = await bought(gateway, purchases_service)
            await purchases.cut()
            again = (await overview(gateway, user)).json
            assert states(again) == {"fresh": EVERY}
            assert again["stats"] == shown["stats"]


async def test_it_asks_four_then_nobody_and_after_a_change_only_whom_it_concerns(
    whole: Site, whole_settings: Settings, purchases_service: Running
) -> None:
    user, _ = await bought(whole, purchases_service)

    def asked() -> int:
        """How often the services, which all run in this process, were asked for their part of an overview."""
        labels = {"route": "/overview", "status": "200"}
        return int(REGISTRY.get_sample_value("mycelium_http_request_seconds_count", labels) or 0)

    async with site(build_app(whole_settings), described=True) as gateway:
        await ready(gateway)
        before = asked()
        await overview(gateway, user)
        assert asked() - before == 4

        async def nobody_is_asked() -> bool:
            before = asked()
            for _ in range(20):
                await overview(gateway, user)
            return asked() == before

        await eventually(nobody_is_asked, what="nothing changes any more")

        async def one_is_asked() -> bool:
            before = asked()
            await publish(
                purchases_service,
                user,
                UPDATES,
                SectionChanged,
                section="wallet",
                as_of=rfc3339(time.time_ns() // 1_000),
            )

            async def somebody_is_asked() -> bool:
                await overview(gateway, user)
                return asked() > before

            await eventually(somebody_is_asked, what="the change is heard of")
            return asked() == before + 1

        await eventually(one_is_asked, what="only the service that changed is asked")


async def test_a_dead_service_is_shown_as_it_was_last_known_or_not_at_all(
    whole_settings: Settings, purchases_service: Running
) -> None:
    async with proxied(int(whole_settings.purchases_url.rpartition(":")[2])) as purchases:
        through_it = whole_settings.model_copy(update={"purchases_url": f"http://127.0.0.1:{purchases.port}"})
        async with site(build_app(through_it), described=True) as gateway:
            await ready(gateway)
            user, shown = await bought(gateway, purchases_service)
            await purchases.cut()
            await gateway.ask("PATCH", f"{API}/preferences", token=user.token, json={"theme": "dark"})
            reply = await overview(gateway, user)
            stale = reply.json
            assert states(stale) == {"fresh": EVERY - OF["purchases"], "stale": OF["purchases"]}
            assert stale["sections"]["wallet"]["as_of"] >= shown["sections"]["wallet"]["as_of"]
            assert stale["sections"]["wallet"]["as_of"] < rfc3339(time.time_ns() // 1_000)
            assert (stale["wallet"], stale["stats"]) == (shown["wallet"], shown["stats"])
            assert stale["user"]["theme"] == "dark"
            assert (await overview(gateway, user, reply.headers["ETag"])).status == 304

            unknown = (await overview(gateway, await sign_up(gateway))).json
            assert states(unknown) == {"fresh": EVERY - OF["purchases"], "unavailable": OF["purchases"]}
            assert unknown["sections"]["wallet"]["as_of"] is None
            assert (unknown["wallet"], unknown["stats"], unknown["active_deployments"]) == (None, None, [])

            await purchases.mend()
            tag = reply.headers["ETag"]
            reply = await overview(gateway, user, tag)
            assert reply.status == 200
            assert states(reply.json) == {"fresh": EVERY}


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A black hole: it takes every question, and answers none."""

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    server = await asyncio.start_server(says_nothing, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def timed(asking: Any) -> tuple[Reply, float]:  # Any: a coroutine
    started = time.monotonic()
    return await asking, time.monotonic() - started


async def test_a_black_hole_is_not_waited_for(whole_settings: Settings) -> None:
    async with silent() as url:
        cut = whole_settings.model_copy(update={"analytics_url": url})
        async with site(build_app(cut), described=True) as gateway:
            await ready(gateway)
            user = await sign_up(gateway)
            reply, seconds = await timed(overview(gateway, user))
            assert states(reply.json) == {"fresh": EVERY - OF["analytics"], "unavailable": OF["analytics"]}
            assert 0.7 < seconds < 1.9  # the deadline of a part, and less than that of a question

            path = f"{API}/analytics/usage"
            await asyncio.gather(*(gateway.ask("GET", path, token=user.token) for _ in range(6)))
            waits = [await timed(overview(gateway, user)) for _ in range(5)]
            waits += [await timed(gateway.ask("GET", path, token=user.token)) for _ in range(5)]
            waits += [await timed(gateway.ask("GET", f"{API}/analytics/forecast", token=user.token)) for _ in range(5)]
            assert sorted(seconds for _, seconds in waits)[7] < 0.5  # one may be the one that is let through
            assert_problem(waits[-1][0], 503, "analytics-unavailable")
            assert (
                'mycelium_breaker_open{service="analytics"} 1.0' in (await gateway.ask("GET", "/metrics")).body.decode()
            )


async def test_reads_that_fail_refuse_no_login(whole_settings: Settings) -> None:
    """The profile service of this test leaves reads without an answer, and answers all else."""

    async def pass_on(request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            await asyncio.sleep(60)
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                request.method,
                f"{whole_settings.profile_url}{request.path}",
                headers=request.headers,
                data=await request.read(),
            ) as answer,
        ):
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", pass_on)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with site(build_app(whole_settings.model_copy(update={"profile_url": url})), described=True) as gateway:
        await ready(gateway)
        user = await sign_up(gateway)
        asked = (gateway.ask("GET", f"{API}/profile", token=user.token) for _ in range(6))
        assert {reply.status for reply in await asyncio.gather(*asked)} == {503}
        refused, seconds = await timed(gateway.ask("GET", f"{API}/profile", token=user.token))
        assert_problem(refused, 503, "profile-unavailable")
        assert seconds < 0.5
        assert await log_in(gateway, user.email)
        wrong = await gateway.ask(
            "POST", f"{API}/auth/login", json={"email": user.email, "password": f"not {PASSWORD}"}
        )
        assert_problem(wrong, 401, "wrong-credentials")
    await runner.cleanup()


async def test_while_changes_are_not_followed_nothing_counts_as_fresh_before_it_is_asked_for(
    whole_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with embedded_kafka(tmp_path_factory.mktemp("own-kafka")) as broker:
        own = whole_settings.model_copy(update={"kafka_bootstrap_servers": broker, "kafka_enable_idempotence": False})
        app = build_app(own)
        served = site(app, described=True)
        gateway = await served.__aenter__()
        await ready(gateway)
        user = await sign_up(gateway)
        await overview(gateway, user)
        assert app.state.parts.ready(user.email)
    try:

        async def is_noticed() -> bool:
            return bool((await gateway.ask("GET", "/readyz")).json["checks"]["updates"] != "ok")

        await eventually(is_noticed, what="the broker is missed")
        assert states((await overview(gateway, user)).json) == {"fresh": EVERY}
        assert app.state.parts.ready(user.email) is None
    finally:
        await served.__aexit__(None, None, None)


async def test_nothing_of_a_user_is_kept_after_the_end_of_their_session(
    whole_settings: Settings, profile: Site
) -> None:
    app = build_app(whole_settings)
    async with site(app, described=True) as gateway:
        await ready(gateway)
        user = await sign_up(gateway)
        await overview(gateway, user)
        assert app.state.parts.cache.last_known(user.email, "profile")
        await gateway.ask("POST", f"{API}/auth/logout", token=user.token)
        assert app.state.parts.cache.last_known(user.email, "profile") is None
        assert_problem(await gateway.ask("GET", f"{API}/overview", token=user.token), 401, "bad-token")


async def test_users_who_ask_at_once_see_their_own(whole: Site) -> None:
    users = [await sign_up(whole) for _ in range(4)]
    for _ in range(5):
        shown = await asyncio.gather(*(overview(whole, user) for user in users))
        assert [reply.json["user"]["user_email"] for reply in shown] == [user.email for user in users]


async def test_the_hot_path_checks_what_every_request_is_checked_for(whole: Site) -> None:
    user = await sign_up(whole)
    warm = await overview(whole, user)
    for headers in ({"X-Large": "x" * 17_000}, {f"X-{n}": "x" for n in range(101)}):
        refused = await whole.ask("GET", f"{API}/overview", token=user.token, headers=headers)
        assert_problem(refused, 431, "headers-too-large")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert (await overview(whole, user)).headers[name] == warm.headers[name]
    metrics = (await whole.ask("GET", "/metrics")).body.decode()
    assert 'route="/api/v1/overview",status="200"' in metrics
    assert 'mycelium_overview_parts_total{outcome="hit",service="profile"}' in metrics
