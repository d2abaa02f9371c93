"""What a browser is kept from doing for another site, and what every answer tells it."""

import asyncio
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import pytest
import pytest_asyncio

from services.gateway.main import build_app
from services.gateway.settings import Settings
from shared.plumbing import mongo
from tests.servers.dashboard import API, PASSWORD, Json, Reply, Site, User, assert_problem, ready, sign_up, site
from tests.servers.routes import operations
from tests.unit.gateway.app import SETTINGS

OPERATIONS = operations(build_app(SETTINGS))
CHANGES = [operation for operation in OPERATIONS if operation.changes]
FOREIGN: list[dict[str, str]] = [
    {},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "none"},
    {"Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "{url}.evil.example"},
    {"Origin": "{url}0"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "https{host}"},
    {"Origin": "{url}", "Sec-Fetch-Site": "cross-site"},
    {"Referer": "{url}/page"},
    {"X-Requested-With": "XMLHttpRequest"},
    {"Origin": "https://evil.example", "X-Forwarded-Host": "evil.example"},
]


def of(site: Site, headers: dict[str, str]) -> dict[str, str]:
    return {name: value.format(url=site.url, host=site.url.removeprefix("http")) for name, value in headers.items()}


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_no_change_is_made_with_the_cookie_from_elsewhere(
    gateway: Site, ada: User, headers: dict[str, str]
) -> None:
    cookie = {"Cookie": f"other=1; session={ada.token}"}
    for operation in CHANGES:
        for authorization in ({}, {"Authorization": "Basic YWRhOnB3"}):
            sent = of(gateway, headers) | cookie | authorization
            reply = await gateway.ask(operation.method, operation.anywhere, headers=sent, json={})
            assert_problem(reply, 403, "cross-site")
    assert (await gateway.ask("GET", f"{API}/sessions", token=ada.token)).status == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "{url}"}], ids=str)
async def test_changes_are_made_with_the_cookie_from_our_own_pages(
    gateway: Site, ada: User, headers: dict[str, str]
) -> None:
    sent = of(gateway, headers) | {"Cookie": f"session={ada.token}"}
    for operation in CHANGES:
        reply = await gateway.ask(operation.method, operation.anywhere, headers=sent, json={})
        assert not (reply.status == 403 and reply.json["type"].endswith("cross-site")), operation
    changed = await gateway.ask("PATCH", f"{API}/profile", token=(await sign_up(gateway)).token, json={"bio": "Hello"})
    assert (changed.status, changed.json["bio"]) == (200, "Hello")


async def test_reading_with_the_cookie_and_changing_with_a_token_need_no_origin(gateway: Site, ada: User) -> None:
    cookie = {"Cookie": f"session={ada.token}", "Sec-Fetch-Site": "cross-site"}
    assert (await gateway.ask("GET", f"{API}/profile", headers=cookie)).status == 200
    foreign = {"Origin": "https://tool.example", "Sec-Fetch-Site": "cross-site", "Cookie": "session=x"}
    changed = await gateway.ask("PATCH", f"{API}/profile", token=ada.token, json={"bio": "Hello"}, headers=foreign)
    assert changed.status == 200


def cookie_of(reply: Reply) -> SimpleCookie:
    return SimpleCookie(reply.headers.get("Set-Cookie", ""))


async def test_a_page_that_logs_in_gets_a_cookie_and_loses_it_with_the_session(gateway: Site, ada: User) -> None:
    credentials = {"email": ada.email, "password": PASSWORD}
    own = {"Sec-Fetch-Site": "same-origin"}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert not cookie_of(await gateway.ask("POST", f"{API}/auth/login", json=credentials, headers=headers))
    reply = await gateway.ask("POST", f"{API}/auth/login", json=credentials, headers=own)
    kept = cookie_of(reply)["session"]
    assert kept.value == reply.json["access_token"]
    assert (kept["httponly"], kept["samesite"], kept["path"], kept["domain"]) == (True, "lax", "/", "")
    assert 0 < int(kept["max-age"]) <= 43_200
    assert not kept["secure"]
    signed_in = own | {"Cookie": f"session={kept.value}"}
    assert (await gateway.ask("GET", f"{API}/profile", headers=signed_in)).status == 200
    left = await gateway.ask("POST", f"{API}/auth/logout", headers=signed_in)
    assert (left.status, cookie_of(left)["session"].value) == (204, "")
    assert (await gateway.ask("GET", f"{API}/profile", headers=signed_in)).status == 401


ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


STREAM, OVERVIEW = f"{API}/stream", f"{API}/overview"


def assert_secure(reply: Reply, **others: str) -> None:
    for name, value in (ALWAYS | others).items():
        assert reply.headers.getall(name) == [value], (name, reply)  # type: ignore[attr-defined]  # a multidict


async def test_every_answer_has_the_security_headers(gateway: Site, ada: User) -> None:
    for operation in OPERATIONS:
        if operation.is_page:  # see test_security_pages.py
            continue
        for token in (None, ada.token):
            how: Json = {"json": {}} if operation.changes else {}
            own = {"Cache-Control": "private, no-cache"} if operation.path == OVERVIEW and token else {}
            if operation.path != STREAM or token is None:  # which has no end: see test_stream.py
                assert_secure(await gateway.ask(operation.method, operation.anywhere, token=token, **how), **own)
    for method, path in (("GET", "/nothing"), ("DELETE", "/livez"), ("OPTIONS", API), ("TRACE", "/")):
        assert_secure(await gateway.ask(method, path))
    assert_secure(await gateway.ask("GET", f"/{'x' * 9_000}"))


async def test_an_error_that_nobody_expected_has_them_too() -> None:
    app = build_app(SETTINGS)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("nobody expected it")

    async with site(app) as served:
        reply = await served.ask("GET", "/broken")
        assert_problem(reply, 500, "internal")
        assert_secure(reply)
        assert b"nobody" not in reply.body


@pytest_asyncio.fixture(loop_scope="session")
async def behind_a_proxy(gateway_settings: Settings) -> AsyncIterator[Site]:
    trusting = gateway_settings.model_copy(update={"trusted_proxies": "127.0.0.1, 10.0.0.0/8"})
    async with site(build_app(trusting)) as served:
        await ready(served)
        yield served


async def test_https_is_known_from_a_trusted_proxy_only(gateway: Site, behind_a_proxy: Site, ada: User) -> None:
    credentials = {"email": ada.email, "password": PASSWORD}
    https = {"X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"}
    direct = await gateway.ask("POST", f"{API}/auth/login", json=credentials, headers=https)
    proxied = await behind_a_proxy.ask("POST", f"{API}/auth/login", json=credentials, headers=https)
    assert [cookie_of(reply)["session"]["secure"] for reply in (direct, proxied)] == ["", True]
    assert "Strict-Transport-Security" not in direct.headers
    assert proxied.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    origin = {"X-Forwarded-Proto": "https", "Origin": behind_a_proxy.url.replace("http", "https", 1)}
    signed_in = origin | {"Cookie": f"session={ada.token}"}
    assert (await behind_a_proxy.ask("POST", f"{API}/auth/logout", headers=signed_in)).status == 204


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Large": "x" * 16_400}, 431),
        ({f"X-{n}": "x" for n in range(101)}, 431),
        ({"Cookie": "; ".join(f"c{n}={'x' * 100}" for n in range(170))}, 431),
        ({"X-Large": "x" * 15_000}, 200),
    ],
)
async def test_a_head_has_its_limits(gateway: Site, headers: dict[str, str], status: int) -> None:
    reply = await gateway.ask("GET", "/livez", headers=headers)
    assert reply.status == status
    if status == 431:
        assert_problem(reply, 431, "headers-too-large")
    assert_problem(await gateway.ask("GET", f"{API}/activities?q={'x' * 8_200}"), 414, "uri-too-long")


@pytest.mark.parametrize("piece", [b"X-Endless: " + b"x" * 4_000 + b"\r\n", b"x" * 4_000], ids=["many", "one"])
async def test_headers_without_end_are_cut_off(gateway: Site, piece: bytes) -> None:
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ")
    sent = 0
    try:
        while not reader.at_eof() and sent < 10_000_000:
            writer.write(piece)
            sent += len(piece)
            await writer.drain()
            await asyncio.sleep(0)
        assert (await reader.read()).startswith(b"HTTP/1.1 431")
    except ConnectionError:
        pass  # closed while we were still talking
    finally:
        writer.close()
    assert sent < 10_000_000


async def test_a_large_body_is_no_large_head(gateway: Site, ada: User) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"bio": "'
        for _ in range(60):
            yield b"x" * 1_000
        yield b'"}'

    headers = {"Content-Type": "application/json"}
    reply = await gateway.ask("PATCH", f"{API}/profile", token=ada.token, data=slowly(), headers=headers)
    assert_problem(reply, 422, "invalid", "#/bio")


async def test_the_address_that_a_trusted_proxy_names_is_the_clients(
    behind_a_proxy: Site, gateway: Site, ada: User, mongo_url: str
) -> None:
    """Wrong passwords are counted by address, so a new address is a new count."""
    wrong = {"email": ada.email, "password": "not the right one"}
    client = mongo.connect(mongo_url)

    async def counts_of_new_addresses(where: Site, *addresses: str) -> int:
        before = await client["profile"]["failures"].count_documents({})
        for address in addresses:
            forwarded = {"X-Forwarded-For": address}
            reply = await where.ask("POST", f"{API}/auth/login", json=wrong, headers=forwarded)
            assert reply.status == 401, reply.body
        return int(await client["profile"]["failures"].count_documents({}) - before)

    assert await counts_of_new_addresses(gateway, "192.0.2.1") <= 2  # the account, and the one that there really is
    assert await counts_of_new_addresses(behind_a_proxy, "192.0.2.1", "192.0.2.9, 192.0.2.2, 10.1.2.3") == 2
    assert await counts_of_new_addresses(behind_a_proxy, "x" * 300) == 0
    client.close()
