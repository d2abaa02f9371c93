"""One's own data: out as one file, and back in, through the gateway and with all the services running."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from services.gateway import main as gateway_main
from services.gateway.settings import Settings as GatewaySettings
from shared.contracts import topics
from shared.contracts.build import make_event
from shared.contracts.export import portable_schema
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    MarketplaceBrowsed,
    ProductViewed,
    PurchaseCreated,
    PurchaseRated,
    PurchaseServicePeriodChanged,
    PurchaseStatusChanged,
    SupportTicketOpened,
)
from shared.contracts.reading import AnyEvent
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from tests.servers.dashboard import (
    API,
    PASSWORD,
    Json,
    Reply,
    Site,
    User,
    assert_problem,
    gateway_keys,
    log_in,
    ready,
    settings_of,
    sign_up,
    site,
)
from tests.servers.running import Running
from tests.waiting import eventually

RESOURCES = {"cpu_cores": 2.0, "memory_gb": 4.0, "storage_gb": 40.0, "bandwidth_mbps": 200.0}
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def keys() -> dict[str, object]:
    return gateway_keys()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(
    client_settings: dict[str, object],
    activity_service: Running,
    purchases_service: Running,
    analytics_service: Running,
    profile: Site,
    keys: dict[str, object],
) -> AsyncIterator[Site]:
    """A gateway before all the services."""
    addresses = {
        "activity_url": activity_service.url,
        "purchases_url": purchases_service.url,
        "profile_url": profile.url,
        "analytics_url": analytics_service.url,
    }
    settings = settings_of(GatewaySettings, client_settings, **keys, **addresses)
    async with site(gateway_main.build_app(settings), described=True) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def ada(whole: Site) -> User:
    return await sign_up(whole)


@pytest_asyncio.fixture(loop_scope="session")
async def bob(whole: Site) -> User:
    return await sign_up(whole)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def history(user: str) -> list[tuple[topics.Topic, AnyEvent]]:
    """A bit of everything that a user may have."""
    bought = {
        "user_email": user,
        "purchase_id": "pur-1",
        "transaction_id": "tx-2",
        "product_id": "prod-1",
        "product_name": "Solar Forecast",
        "product_type": "service",
        "provider_id": "hypha",
        "provider_name": "Hypha Cloud",
        "amount": "12.50",
        "currency": "TFP",
        "billing_cycle": "monthly",
    }
    period = {"start_date": ago(90), "auto_renewal": True, "hours_used": 12.5, "sessions_completed": 3}
    line = {"user_email": user, "currency": "TFP"}
    deployment = {"user_email": user, "deployment_id": "dep-1"}
    told: list[tuple[topics.Topic, Any, float]] = [
        (
            topics.WALLET,
            WalletTransactionPosted(
                transaction_id="tx-1", sequence=1, kind="top_up", amount="100.00", balance_after="100.00", **line
            ),
            100,
        ),
        (topics.MARKETPLACE, MarketplaceBrowsed(user_email=user, query="solar"), 99),
        (topics.MARKETPLACE, ProductViewed(user_email=user, product_id="prod-1", product_name="Solar Forecast"), 98),
        (topics.MARKETPLACE, PurchaseCreated.model_validate(bought), 97),
        (
            topics.MARKETPLACE,
            PurchaseStatusChanged(user_email=user, purchase_id="pur-1", status="active", reason="Paid"),
            96,
        ),
        (
            topics.WALLET,
            WalletTransactionPosted(
                transaction_id="tx-2",
                sequence=2,
                kind="purchase",
                amount="-12.50",
                balance_after="87.50",
                related_entity_id="pur-1",
                **line,
            ),
            96,
        ),
        (
            topics.MARKETPLACE,
            PurchaseServicePeriodChanged.model_validate(
                {"user_email": user, "purchase_id": "pur-1", "service_period": period}
            ),
            95,
        ),
        (topics.MARKETPLACE, PurchaseRated(user_email=user, purchase_id="pur-1", rating=4.5, review="Sunny"), 94),
        (
            topics.MARKETPLACE,
            SupportTicketOpened(user_email=user, ticket_id="t-1", purchase_id="pur-1", subject="Where is it?"),
            93,
        ),
        (
            topics.MARKETPLACE,
            DeploymentCreated.model_validate(
                {
                    **deployment,
                    "purchase_id": "pur-1",
                    "kind": "service",
                    "region": "eu",
                    "resources_allocated": RESOURCES,
                    "monthly_cost": "12.50",
                }
            ),
            92,
        ),
        # stopped, so that the uptime does not change with the time of the test
        (topics.MARKETPLACE, DeploymentStatusChanged(status="stopped", **deployment), 1.5),
        (topics.MARKETPLACE, DeploymentStatusChanged(status="running", reason="Installed", **deployment), 91),
        (
            topics.MARKETPLACE,
            DeploymentScaled.model_validate({**deployment, "resources_allocated": {**RESOURCES, "cpu_cores": 4.0}}),
            50,
        ),
        *(
            (
                topics.MARKETPLACE,
                DeploymentHealthReported(healthy=hour != 40, latency_ms=20.0 + hour, **deployment),
                hour,
            )
            for hour in range(2, 90)
        ),
        (
            topics.WALLET,
            WalletPoolPositionChanged(
                user_email=user,
                pool_id="pool-1",
                pool_name="Solar",
                invested="20.00",
                current_value="21.10",
                currency="TFP",
                status="open",
                apy_percent=6.5,
            ),
            5,
        ),
    ]
    return [
        (topic, make_event(data, source="/tests", id=f"{user}-{n}", time=ago(hours)))
        for n, (topic, data, hours) in enumerate(told)
    ]


async def live(service: Running, site: Site, user: User) -> None:
    """Has the user live a little, and waits until all of it is there."""
    for topic, event in history(user.email):
        await service.publish(topic, event)
    profile = {
        "bio": "Writes programs.",
        "timezone": "Europe/Stockholm",
        "country": "SE",
        "social_links": {"mastodon": "https://social.example/@ada"},
    }
    assert (await site.ask("PATCH", f"{API}/profile", token=user.token, json=profile)).status == 200
    preferences = {"theme": "dark", "price_range_filter": ["1.00", "99.50"], "blocked_providers": ["acme"]}
    assert (await site.ask("PATCH", f"{API}/preferences", token=user.token, json=preferences)).status == 200

    async def all_there() -> bool:
        parts = (await exported(site, user))["parts"]
        types = {activity["activity_type"] for activity in parts["activities"]}
        checks = sum(len(day["checks"]) for day in parts["health"])
        return (
            {"login", "product_view", "purchase", "profile_update", "preferences_update"} <= types
            and (len(parts["transactions"]), len(parts["pools"]), checks) == (2, 1, 88)
            and len(parts["purchases"]) == len(parts["deployments"]) == 1
            and len(parts["purchases"][0]["status_history"]) == 2
        )

    await eventually(all_there, timeout=60, what="all of it is there")

    async def reckoned() -> bool:
        usage = (await site.ask("GET", f"{API}/analytics/usage", token=user.token)).json
        hours = usage["deployment_stats"]["total_resource_hours"]
        return (usage["total_spent"], usage["timezone"], hours) == ("12.50", "Europe/Stockholm", 89.5)

    await eventually(reckoned, timeout=60, what="it is all reckoned")
    budget = {"monthly_limit": "250.00"}
    assert (await site.ask("PUT", f"{API}/analytics/budget", token=user.token, json=budget)).status == 200


async def exported(site: Site, user: User) -> Json:
    """The file."""
    reply = await site.ask("GET", f"{API}/export", token=user.token)
    assert reply.status == 200, reply.body
    file: Json = reply.json
    return file


async def imported(site: Site, user: User, file: object) -> Reply:
    """What the gateway answers to the file, which may be any bytes, once no service takes a new user for a gone one."""
    body = file if isinstance(file, bytes) else orjson.dumps(file)
    headers = {"Content-Type": "application/json"}
    replies: list[Reply] = []

    async def is_answered() -> bool:
        replies.append(await site.ask("POST", f"{API}/import", token=user.token, data=body, headers=headers))
        return replies[-1].status != 503

    await eventually(is_answered, what="every service knows the user")
    return replies[-1]


async def shown(site: Site, user: User) -> dict[str, Any]:
    """Everything that the API shows of the user, byte for byte, but for what the export and import themselves add."""
    paths = (
        "profile preferences purchases purchases/pur-1 deployments deployments/dep-1 wallet wallet/transactions"
        f" wallet/pools deployments/dep-1/health?from={ago(100):%Y-%m-%d}&to={ago(1):%Y-%m-%d}"
    ).split()
    replies = {path: (await site.ask("GET", f"{API}/{path}", token=user.token)) for path in paths}
    assert {reply.status for reply in replies.values()} == {200}
    activities = (await site.ask("GET", f"{API}/activities?limit=200", token=user.token)).json["items"]
    kept = [one for one in activities if one["activity_type"] not in ("data_export", "data_import")]
    return {path: reply.body for path, reply in replies.items()} | {"activities": kept}


async def figures(site: Site, user: User) -> Json:
    """What analytics makes of what the user bought, but for what grows with the time or comes from activities."""
    paths = ("usage", "spending", "report", "budget", "runway", "usage/explain?figure=deployment_stats/average_uptime")
    found = {path: (await site.ask("GET", f"{API}/analytics/{path}", token=user.token)) for path in paths}
    assert {reply.status for reply in found.values()} == {200}
    grown = {"last_calculated", "activity_patterns", "as_of", "expected", "thresholds", "alerts"}
    return {path: without(reply.json, grown) for path, reply in found.items()}


async def test_the_figures_come_back_with_what_they_are_made_of(
    whole: Site, ada: User, purchases_service: Running
) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    assert file["parts"]["budget"] == [{"monthly_limit": "250.00", "currency": "TFP"}]
    before = await figures(whole, ada)
    again = await started_anew(whole, ada)
    empty = (await whole.ask("GET", f"{API}/analytics/usage", token=again.token)).json
    assert (empty["total_purchases"], empty["deployment_stats"]["total_deployments"]) == (0, 0)
    assert_problem(await whole.ask("GET", f"{API}/analytics/budget", token=again.token), 404, "no-budget")
    reply = await imported(whole, again, file)
    assert reply.json["parts"]["budget"] == {"items": 1, "added": 1}

    async def zone_is_known() -> bool:
        usage: Json = (await whole.ask("GET", f"{API}/analytics/usage", token=again.token)).json
        return bool(usage["timezone"] == "Europe/Stockholm")

    await eventually(zone_is_known, what="the time zone has come by the profile")
    assert await figures(whole, again) == before
    assert (await imported(whole, again, file)).json["added"] == 0


async def test_a_budget_that_was_set_here_stays(whole: Site, ada: User) -> None:
    def of(limit: str) -> Json:
        return {"method": "PUT", "path": f"{API}/analytics/budget", "json": {"monthly_limit": limit}}

    assert (await whole.ask(**of("10"), token=ada.token)).status == 200
    file = await exported(whole, ada)
    assert (await whole.ask(**of("20"), token=ada.token)).status == 200
    assert (await imported(whole, ada, file)).json["parts"]["budget"] == {"items": 1, "added": 0}
    budget = (await whole.ask("GET", f"{API}/analytics/budget", token=ada.token)).json
    assert budget["monthly_limit"] == "20.00"


async def test_an_export_is_whole_and_true_to_its_schema(whole: Site, ada: User, purchases_service: Running) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    Draft202012Validator(portable_schema()).validate(file)
    assert file["manifest"]["counts"] == {part: len(items) for part, items in file["parts"].items()}
    assert file["user_email"] == ada.email
    schema = await whole.ask("GET", file["schema"])
    assert (schema.status, schema.json) == (200, portable_schema())
    [deployment] = file["parts"]["deployments"]
    assert "credentials" not in deployment["facts"]


async def test_an_import_into_the_account_it_came_from_changes_nothing(
    whole: Site, ada: User, purchases_service: Running
) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    before = await shown(whole, ada)
    for _ in range(2):
        reply = await imported(whole, ada, file)
        assert reply.status == 200, reply.body
        assert (reply.json["items"], reply.json["added"]) == (sum(file["manifest"]["counts"].values()), 0)
    assert await shown(whole, ada) == before


async def test_an_import_brings_everything_back_after_erasing_and_registering_anew(
    whole: Site, ada: User, purchases_service: Running
) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    before = await shown(whole, ada)
    again = await started_anew(whole, ada)
    assert (await exported(whole, again))["manifest"]["counts"]["purchases"] == 0
    reply = await imported(whole, again, file)
    assert reply.status == 200, reply.body
    assert reply.json["parts"]["activities"]["added"] == len(file["parts"]["activities"])
    await eventually(lambda: has_an_activity(whole, again, "data_import"), what="the import is in the timeline")

    after = await shown(whole, again)
    assert {name: body for name, body in after.items() if name not in ("profile", "preferences", "activities")} == {
        name: body for name, body in before.items() if name not in ("profile", "preferences", "activities")
    }
    anew = {"user_id", "created_at", "updated_at"}  # a new account has its own
    for part in ("profile", "preferences"):
        assert without(orjson.loads(after[part]), anew) == without(orjson.loads(before[part]), anew)
    old = {activity["id"]: activity for activity in before["activities"]}
    assert {one["id"]: one for one in after["activities"] if one["id"] in old} == old

    second = await exported(whole, again)
    lists = set(file["parts"]) - {"profile", "preferences", "sessions", "activities", "commands"}
    for part in lists:
        assert second["parts"][part] == file["parts"][part]
    assert (await imported(whole, again, file)).json["added"] == 0


async def started_anew(site: Site, user: User) -> User:
    """The user again after they erased their account and registered with the same email."""
    gone = await site.ask("DELETE", f"{API}/account", token=user.token, json={"password": PASSWORD})
    assert gone.status == 202, gone.body

    async def is_erased() -> bool:
        return bool((await site.ask("GET", gone.headers["Location"])).json["state"] == "completed")

    await eventually(is_erased, timeout=60, what="every service has erased")
    credentials = {"email": user.email, "password": PASSWORD}
    assert (await site.ask("POST", f"{API}/auth/register", json=credentials)).status == 201
    return User(user.email, await log_in(site, user.email))


async def has_an_activity(site: Site, user: User, type: str) -> bool:
    found = await site.ask("GET", f"{API}/activities?type={type}", token=user.token)
    return bool(found.json["items"])


def without(members: Json, names: set[str]) -> Json:
    return {name: value for name, value in members.items() if name not in names}


async def test_an_export_and_an_import_are_in_the_timeline(whole: Site, ada: User) -> None:
    file = await exported(whole, ada)
    assert (await imported(whole, ada, file)).status == 200
    await eventually(lambda: has_an_activity(whole, ada, "data_export"))
    await eventually(lambda: has_an_activity(whole, ada, "data_import"))


async def test_a_choice_that_was_made_here_stays(whole: Site, ada: User) -> None:
    old = {"bio": "Old", "phone": "+46701234567"}
    assert (await whole.ask("PATCH", f"{API}/profile", token=ada.token, json=old)).status == 200
    file = await exported(whole, ada)
    again = await started_anew(whole, ada)
    chosen = await whole.ask("PATCH", f"{API}/profile", token=again.token, json={"bio": "New"})
    assert chosen.status == 200
    assert (await imported(whole, again, file)).json["parts"]["profile"] == {"items": 1, "added": 1}
    profile = (await whole.ask("GET", f"{API}/profile", token=again.token)).json
    assert (profile["bio"], profile["phone"]) == ("New", "+46701234567")


async def test_without_consent_no_low_activity_is_taken(whole: Site, ada: User, purchases_service: Running) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    again = await started_anew(whole, ada)
    refused = {"activity_tracking": False}
    assert (await whole.ask("PATCH", f"{API}/preferences", token=again.token, json=refused)).status == 200
    await eventually(lambda: has_an_activity(whole, again, "preferences_update"))
    reply = await imported(whole, again, file)
    low = [one for one in file["parts"]["activities"] if one["impact_level"] == "low"]
    assert len(low) == 2
    assert reply.json["parts"]["activities"]["added"] == len(file["parts"]["activities"]) - len(low)
    assert not await has_an_activity(whole, again, "product_view")


async def test_the_balance_is_the_live_wallets(whole: Site, ada: User, purchases_service: Running) -> None:
    await live(purchases_service, whole, ada)
    file = await exported(whole, ada)
    again = await started_anew(whole, ada)
    line = WalletTransactionPosted.model_validate(
        {"user_email": ada.email, "transaction_id": "tx-new", "sequence": 1, "kind": "top_up", "amount": "5.00"}
        | {"balance_after": "5.00", "currency": "TFP"}
    )
    await purchases_service.publish(topics.WALLET, make_event(line, source="/tests"))

    async def wallet() -> Json:
        found: Json = (await whole.ask("GET", f"{API}/wallet", token=again.token)).json
        return found

    async def is_there() -> bool:
        return bool((await wallet())["balance"] == "5.00")

    await eventually(is_there, what="the wallet began anew")
    before = without(await wallet(), {"change_this_month"})
    assert (await imported(whole, again, file)).status == 200
    assert without(await wallet(), {"change_this_month"}) == before
    ledger = (await whole.ask("GET", f"{API}/wallet/transactions", token=again.token)).json["items"]
    assert {each["transaction_id"] for each in ledger} == {"tx-new", "tx-1", "tx-2"}


async def test_another_users_file_is_refused(whole: Site, ada: User, bob: User) -> None:
    file = await exported(whole, ada)
    assert_problem(await imported(whole, bob, file), 403, "not-yours")
    assert_problem(await imported(whole, bob, {**file, "user_email": bob.email}), 422, "invalid", SIGNATURE)


SIGNATURE = "#/manifest/signature"


async def test_a_file_that_is_not_as_it_was_made_is_refused_and_nothing_is_written(
    whole: Site, ada: User, bob: User
) -> None:
    await eventually(lambda: has_an_activity(whole, ada, "login"))
    file = await exported(whole, ada)
    before = await shown_profile(whole, ada)
    text = orjson.dumps(file)

    def changed(**members: object) -> Json:
        return {**file, **members}

    def with_parts(**parts: object) -> Json:
        return changed(parts={**file["parts"], **parts})

    [profile], activities = file["parts"]["profile"], file["parts"]["activities"]
    one_more = {**file["manifest"]["counts"], "activities": len(activities) + 1}
    for wrong, pointer in [
        (with_parts(profile=[{**profile, "bio": "Forged"}]), SIGNATURE),
        (with_parts(activities=[*activities, activities[0]]), "#/manifest/counts/activities"),
        (with_parts(activities=[]), "#/manifest/counts/activities"),
        (changed(manifest={**file["manifest"], "counts": one_more}), "#/manifest/counts/activities"),
        (changed(manifest={**file["manifest"], "counts": None}), "#/manifest/counts/profile"),
        (changed(manifest={**file["manifest"], "signature": "0" * 64}), SIGNATURE),
        (changed(manifest={**file["manifest"], "signature": "ö"}), SIGNATURE),
        (changed(manifest={**file["manifest"], "left_out": []}), SIGNATURE),
        (changed(manifest=None), "#/manifest"),
        (without(file, {"manifest"}), "#/manifest"),
        (changed(more=1), "#/manifest"),
        (changed(exported_at="2026-01-01T00:00:00Z"), SIGNATURE),
        (changed(format="else"), "#/format"),
        (changed(version=2), "#/version"),
        (changed(version="1"), "#/version"),
        (with_parts(secrets=[1, {"a": [2]}]), "#/parts"),
        (with_parts(activities=None), "#/parts"),
        (changed(parts=without(file["parts"], {"pools"})), "#/parts"),
        (changed(parts=[]), "#/parts"),
        (b'{"parts":{"pools":[],"pools":[]},' + text[1:], "#/parts"),
        ([file], "#"),
        ("text", "#"),
    ]:
        assert_problem(await imported(whole, ada, wrong), 422, "invalid", pointer)
    for place in (1, len(text) // 2, len(text) - 1):
        assert_problem(await imported(whole, ada, text[:place]), 400, "cut-off")
    for garbage in (b"garbage", text + b"x", text + text, text.replace(b'"format"', b"format", 1), b'{"a":\xff}'):
        assert_problem(await imported(whole, ada, garbage), 400, "not-json")
    assert_problem(await imported(whole, ada, b""), 400, "cut-off")
    assert_problem(await imported(whole, ada, b'{"parts":' + b"[" * 100_000), 422, "invalid", "#/parts")
    assert_problem(await imported(whole, ada, b'{"x":' + b"[" * 100_000), 400, "too-deep")
    assert_problem(await imported(whole, ada, b'{"parts":{"pools":[' + b'{"a":' * 100_000), 400, "too-deep")
    assert_problem(await imported(whole, ada, b'{"x":[' + b"[]," * 50_000 + b"0]}"), 422, "invalid", "#")
    plain = await whole.ask("POST", f"{API}/import", token=ada.token, data=text, headers={"Content-Type": "text/csv"})
    assert_problem(plain, 415, "unsupported-media-type")
    assert await shown_profile(whole, ada) == before
    assert not await has_an_activity(whole, ada, "data_import")


async def shown_profile(site: Site, user: User) -> bytes:
    return (await site.ask("GET", f"{API}/profile", token=user.token)).body


async def test_how_the_file_is_written_does_not_matter(whole: Site, ada: User) -> None:
    pretty = orjson.dumps(await exported(whole, ada), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    assert (await imported(whole, ada, pretty)).status == 200


async def test_a_file_that_is_too_large_is_refused_while_it_comes(whole: Site, ada: User) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 200 * 1024 * 1024:
            sent += 1024 * 1024
            yield b" " * 1024 * 1024

    reply = None
    try:
        headers = {"Content-Type": "application/json"}
        reply = await whole.ask("POST", f"{API}/import", token=ada.token, data=endless(), headers=headers)
    except aiohttp.ClientConnectionError:
        pass  # it hung up while we were sending, which it may
    if reply is not None:
        assert_problem(reply, 413, "too-large")
    assert sent < 100 * 1024 * 1024


@pytest.mark.parametrize(("method", "path"), [("GET", "export"), ("POST", "import")])
async def test_neither_works_without_a_token(whole: Site, method: str, path: str) -> None:
    assert_problem(await whole.ask(method, f"{API}/{path}"), 401, "no-token")
