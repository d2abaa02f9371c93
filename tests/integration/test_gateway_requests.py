"""What the gateway answers to requests that are wrong. Every answer is held against its own description."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from services.gateway import bodies
from tests.servers.dashboard import API, Site, User, assert_problem
from tests.servers.raw import raw


@pytest.mark.parametrize("header", [None, "Basic YTpi", "Bearer", "Bearer ", "Bearer not.a.token", "Bearer ☃"])
async def test_no_token_or_a_bad_one_is_a_401(gateway: Site, header: str | None) -> None:
    for method, path in (("GET", "/activities"), ("GET", "/activities/summary"), ("POST", "/auth/logout")):
        reply = await gateway.ask(method, f"{API}{path}", headers={"Authorization": header} if header else {})
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        assert reply.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"activity_type": "purchase"}, "#/activity_type"),
        ({}, "#/activity_type"),
        ({"activity_type": "cart_add", "user_email": "bob@example.test"}, "#/user_email"),
        ({"activity_type": "cart_add", "a/b~c": 1}, "#/a~1b~0c"),
        ({"activity_type": "cart_add", "metadata": {"deep": {"er": 1}}}, "#/metadata"),
        ({"activity_type": "cart_add", "metadata": "text"}, "#/metadata"),
        ({"activity_type": "cart_add", "description": 7}, "#/description"),
        ({"activity_type": "cart_add", "session_id": ""}, "#/session_id"),
        ([], "#"),
        ("text", "#"),
    ],
)
async def test_a_wrong_report_names_the_field(gateway: Site, ada: User, fields: object, pointer: str) -> None:
    reply = await gateway.ask("POST", f"{API}/activities", token=ada.token, json=fields)
    assert_problem(reply, 422, "invalid", pointer)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"password": "1234567"}, "#/password"),
        ({"password": "x" * 257}, "#/password"),
        ({"password": 12345678}, "#/password"),
        ({"email": "no email"}, "#/email"),
        ({"email": "x" * 300 + "@example.test"}, "#/email"),
        ({"role": "operator"}, "#/role"),
        ({"display_name": 7}, "#/display_name"),
        ({"country": 46}, "#/country"),
    ],
)
async def test_a_wrong_registration_names_the_field_and_quotes_nothing(
    gateway: Site, fields: dict[str, object], pointer: str
) -> None:
    good = {"email": f"{uuid4().hex}@example.test", "password": "S3cret-s3cret"}
    reply = await gateway.ask("POST", f"{API}/auth/register", json=good | fields)
    assert_problem(reply, 422, "invalid", pointer)
    assert b"S3cret" not in reply.body
    assert b"1234567" not in reply.body


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("?limit=0", "#/limit"),
        ("?limit=201", "#/limit"),
        ("?limit=ten", "#/limit"),
        ("?type=login&type=dance", "#/type/1"),
        ("?impact=huge", "#/impact"),
        ("?from=yesterday", "#/from"),
        ("?from=2026-02-01&to=2026-01-01", "#"),
        ("/summary?days=0", "#/days"),
        ("/summary?days=1e9", "#/days"),
    ],
)
async def test_a_wrong_question_names_the_parameter(gateway: Site, ada: User, query: str, pointer: str) -> None:
    reply = await gateway.ask("GET", f"{API}/activities{query}", token=ada.token)
    assert_problem(reply, 422, "invalid", pointer)


async def test_a_bad_cursor_is_a_400(gateway: Site, ada: User) -> None:
    for cursor in ("nonsense", "%00", "%F0%9F%92%A9", "A" * 44):
        reply = await gateway.ask("GET", f"{API}/activities?cursor={cursor}", token=ada.token)
        assert_problem(reply, 400, "bad-cursor")


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"email": NaN}',
        b'{"email": "\\ud800"}',
        b'{"email": "\xff"}',
        b'{"a": 1} trailing',
    ],
)
async def test_what_is_no_json_is_a_400(gateway: Site, body: bytes) -> None:
    for path in ("/auth/register", "/auth/login"):
        assert_problem(await gateway.ask("POST", f"{API}{path}", data=body, headers=JSON), 400, "not-json")


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 30_000,
        b"[" * 33 + b"]" * 33,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b'{"a\\"":["]",' + b"[" * 31 + b"]" * 32 + b"}",
    ],
)
async def test_what_is_nested_too_deep_is_a_400(gateway: Site, body: bytes) -> None:
    for path in ("/auth/register", "/auth/login"):
        assert_problem(await gateway.ask("POST", f"{API}{path}", data=body, headers=JSON), 400, "too-deep")


@pytest.mark.parametrize("body", [b"[" * 32 + b"]" * 32, b'["' + b"[{" * 40 + b'"]', b"[[],[],[]" + b",[]" * 40 + b"]"])
async def test_what_is_nested_less_or_only_looks_it_is_read(gateway: Site, body: bytes) -> None:
    assert_problem(await gateway.ask("POST", f"{API}/auth/login", data=body, headers=JSON), 422, "invalid")


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
async def test_another_content_type_is_a_415(gateway: Site, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    reply = await gateway.ask("POST", f"{API}/auth/login", data=b"{}", headers=headers)
    assert_problem(reply, 415, "unsupported-media-type")


async def test_a_body_that_is_too_large_is_a_413_with_or_without_its_length(gateway: Site, ada: User) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b" " * 1_024

    for path in ("/auth/register", "/auth/login", "/activities"):
        for body in (b" " * 65_537, endless()):
            reply = await gateway.ask("POST", f"{API}{path}", token=ada.token, data=body, headers=JSON)
            assert_problem(reply, 413, "too-large")
    fits = await gateway.ask("POST", f"{API}/auth/login", data=b"{}".ljust(65_536), headers=JSON)
    assert_problem(fits, 422, "invalid", "#/email")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [(f"{API}/auth/login", b"application/json"), ("/login", b"application/x-www-form-urlencoded")],
)
async def test_a_body_that_does_not_come_is_not_waited_for(
    gateway: Site, monkeypatch: pytest.MonkeyPatch, path: str, media_type: bytes
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.1)
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\n" % path.encode()
    async with raw(gateway.url) as client:
        await client.send(head + b"Content-Type: %s\r\nContent-Length: 9\r\n\r\n12345678" % media_type)
        assert await client.status() == 408


async def test_no_body_and_no_length_of_errors_without_end(gateway: Site) -> None:
    members = ",".join(f'"m{n}":1' for n in range(6_000))
    reply = await gateway.ask("POST", f"{API}/auth/login", data=f"{{{members}}}".encode(), headers=JSON)
    assert reply.status == 422
    assert len(reply.json["errors"]) <= 50


async def test_unknown_paths_and_methods_are_problems(gateway: Site, ada: User) -> None:
    for path in ("/nothing", f"{API}/nothing", f"{API}/activities/", f"{API}/docs", "/docs", "/redoc"):
        assert_problem(await gateway.ask("GET", path, token=ada.token), 404, "not-found")
    wrong = await gateway.ask("DELETE", f"{API}/activities", token=ada.token)
    assert_problem(wrong, 405, "method-not-allowed")
    assert wrong.headers["Allow"] == "GET, POST"
