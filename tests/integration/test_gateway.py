"""The gateway as its clients use it, before the real services, a real broker and a real mongod.

Every answer is held against the gateway's own OpenAPI description (see `Site.ask`).
"""

from uuid import uuid4

from services.gateway.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.dashboard import ActivityReported
from shared.contracts.identity import UserLoggedIn
from shared.contracts.marketplace import ProductViewed
from shared.contracts.topics import GATEWAY, IDENTITY, MARKETPLACE
from tests.servers.dashboard import (
    API,
    PASSWORD,
    Site,
    User,
    activities,
    assert_problem,
    events_until,
    log_in,
    report,
)
from tests.servers.running import Running
from tests.waiting import eventually


async def test_register_log_in_and_see_the_login(gateway: Site) -> None:
    email = f"{uuid4().hex}@example.test"
    made = await gateway.ask(
        "POST", f"{API}/auth/register", json={"email": f" {email.upper()} ", "password": PASSWORD, "country": "SE"}
    )
    assert (made.status, made.json["email"]) == (201, email)

    reply = await gateway.ask("POST", f"{API}/auth/login", json={"email": email, "password": PASSWORD})
    assert reply.json["token_type"] == "Bearer"
    assert 43_190 <= reply.json["expires_in"] <= 43_200
    assert reply.headers["Cache-Control"] == "no-store"

    ada = User(email, reply.json["access_token"])
    (login,) = await eventually(lambda: activities(gateway, ada), what="the login is an activity")
    assert (login["activity_type"], login["user_email"]) == ("login", email)


async def test_an_email_is_registered_once(gateway: Site, ada: User) -> None:
    again = await gateway.ask("POST", f"{API}/auth/register", json={"email": ada.email, "password": "another one"})
    assert_problem(again, 409, "email-taken")


async def test_the_user_agent_of_a_login_is_told(gateway: Site, ada: User, gateway_settings: Settings) -> None:
    strange = "Mozilla/5.0 \xe9 " + "x" * 5_000
    credentials = {"email": ada.email, "password": PASSWORD}
    reply = await gateway.ask("POST", f"{API}/auth/login", json=credentials, headers={"User-Agent": strange})
    assert reply.status == 200
    await gateway.ask("POST", f"{API}/auth/logout", token=reply.json["access_token"])
    told = await events_until(gateway_settings.kafka_bootstrap_servers, IDENTITY, ada.email, UserLoggedIn, number=2)
    agent = [event.data for event in told if isinstance(event.data, UserLoggedIn)][-1].user_agent
    assert agent is not None
    assert agent.startswith("Mozilla/5.0 ")
    assert len(agent) == 500


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(gateway: Site, ada: User) -> None:
    wrong = await gateway.ask("POST", f"{API}/auth/login", json={"email": ada.email, "password": "not this one"})
    unknown = await gateway.ask(
        "POST", f"{API}/auth/login", json={"email": "nobody@example.test", "password": PASSWORD}
    )
    assert_problem(wrong, 401, "wrong-credentials")
    assert wrong.headers["WWW-Authenticate"] == "Bearer"
    assert wrong.body == unknown.body


async def test_a_token_is_dead_from_its_logout_on_and_others_live(gateway: Site, ada: User) -> None:
    other = await log_in(gateway, ada.email)
    assert (await gateway.ask("GET", f"{API}/activities", token=ada.token)).status == 200
    assert (await gateway.ask("POST", f"{API}/auth/logout", token=ada.token)).status == 204
    for method, path in (("GET", "/activities"), ("GET", "/activities/summary"), ("POST", "/auth/logout")):
        dead = await gateway.ask(method, f"{API}{path}", token=ada.token)
        assert_problem(dead, 401, "bad-token")
        assert dead.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert (await gateway.ask("GET", f"{API}/activities", token=other)).status == 200


async def test_the_filters_reach_the_activity_service(gateway: Site, activity_service: Running, ada: User) -> None:
    views = [
        make_event(
            ProductViewed(user_email=ada.email, product_id=f"p-{name}", product_name=name, session_id="s & t=1"),
            source="/shop",
        )
        for name in ("Überblick 100%+", "Vault", "vaulted")
    ]
    await activity_service.publish(MARKETPLACE, *views)

    async def all_there() -> bool:
        return len(await activities(gateway, ada)) == 4

    await eventually(all_there, what="a login and three views")
    found = {
        "?type=login&type=product_view": 4,
        "?type=product_view": 3,
        "?type=login": 1,
        "?impact=low": 3,
        "?q=vault": 2,
        "?q=%C3%9Cberblick%20100%25%2B": 1,
        "?session_id=s%20%26%20t%3D1": 3,
        "?session_id=s+%26+t%3D1": 3,
        f"?from={views[0].time.isoformat().replace('+', '%2B')}&type=product_view": 3,
        "?from=2020-01-01&to=2020-12-31": 0,
        "?limit=2": 2,
        "?unknown=1": 4,
    }
    assert {query: len(await activities(gateway, ada, query)) for query in found} == found


async def test_a_page_and_the_summary_are_the_activity_services_bytes(
    gateway: Site, activity_service: Running, ada: User
) -> None:
    await eventually(lambda: activities(gateway, ada))
    for path in ("/activities?limit=1", "/activities/summary?days=7"):
        shown = await gateway.ask("GET", f"{API}{path}", token=ada.token)
        token = {"authorization": f"Bearer {activity_service.tokens.sign('activity', ada.email)}"}
        async with activity_service.http.get(f"{activity_service.url}{path}", headers=token) as direct:
            assert (shown.status, shown.body) == (200, await direct.read())
        assert shown.headers["Content-Type"] == "application/json"


async def test_paging_leads_through_everything_once(gateway: Site, activity_service: Running, ada: User) -> None:
    data = [ProductViewed(user_email=ada.email, product_id=f"p-{n}") for n in range(7)]
    await activity_service.publish(MARKETPLACE, *(make_event(d, source="/shop") for d in data))

    async def all_there() -> bool:
        return len(await activities(gateway, ada)) == 8

    await eventually(all_there)
    seen, query = [], "?limit=3"
    while query:
        page = (await gateway.ask("GET", f"{API}/activities{query}", token=ada.token)).json
        seen += [item["id"] for item in page["items"]]
        query = f"?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert len(seen) == len(set(seen)) == 8


async def test_nobody_sees_anything_of_another(gateway: Site, ada: User, bob: User) -> None:
    await report(gateway, ada, activity_type="product_view", description="ada's secret")

    async def reported() -> bool:
        return len(await activities(gateway, ada)) == 2

    await eventually(reported)
    for query in ("", f"?q={ada.email}", f"?user={ada.email}", f"?user_email={ada.email}", f"?sub={ada.email}"):
        assert {item["user_email"] for item in await activities(gateway, bob, query)} <= {bob.email}
    adas = (await gateway.ask("GET", f"{API}/activities?limit=1", token=ada.token)).json["next_cursor"]
    assert_problem(await gateway.ask("GET", f"{API}/activities?cursor={adas}", token=bob.token), 400, "bad-cursor")


async def test_what_a_page_reports_is_an_event_and_then_an_activity(
    gateway: Site, ada: User, gateway_settings: Settings
) -> None:
    seen = {
        "activity_type": "cart_add",
        "description": "Ünïcode",
        "metadata": {"price": 12.5, "gift": True, "note": None},
        "related_entity_id": "p-1",
        "related_entity_type": "product",
        "session_id": "page-7",
    }
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    reply = await gateway.ask("POST", f"{API}/activities", token=ada.token, json=seen, headers={"traceparent": trace})
    assert reply.status == 202

    (event,) = await events_until(gateway_settings.kafka_bootstrap_servers, GATEWAY, ada.email, ActivityReported)
    assert (event.id, event.source, event.traceparent) == (reply.json["id"], "/mycelium/gateway", trace)
    assert event.data.model_dump() == {"user_email": ada.email, **seen}

    (shown,) = await eventually(lambda: activities(gateway, ada, "?type=cart_add"))
    assert shown["description"] == "Ünïcode"


async def test_a_report_belongs_to_the_tokens_session_unless_it_says_otherwise(gateway: Site, ada: User) -> None:
    await report(gateway, ada, activity_type="marketplace_browse")
    (browsed,) = await eventually(lambda: activities(gateway, ada, "?type=marketplace_browse"))
    (login,) = await activities(gateway, ada, "?type=login")
    assert browsed["session_id"] == login["session_id"] is not None


async def test_every_answer_has_the_headers_of_an_api(gateway: Site, ada: User) -> None:
    for path in (f"{API}/activities", f"{API}/openapi.json", f"{API}/nothing", "/livez"):
        headers = (await gateway.ask("GET", path, token=ada.token)).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "Server" not in headers


async def test_the_front_door_leads_to_the_pages(gateway: Site) -> None:
    door = await gateway.ask("GET", "/", allow_redirects=False)
    assert (door.status, door.headers["Location"]) == (303, "/dashboard/user")


async def test_the_api_describes_itself(gateway: Site) -> None:
    described = await gateway.ask("GET", f"{API}/openapi.json")
    assert described.json == gateway.description
    assert described.json["openapi"].startswith("3.1")


async def test_metrics_hold_no_user(gateway: Site, ada: User) -> None:
    await gateway.ask("GET", f"{API}/activities?q={ada.email}", token=ada.token)
    metrics = (await gateway.ask("GET", "/metrics")).body.decode()
    assert 'route="/api/v1/activities",status="200"' in metrics
    assert "@" not in metrics
