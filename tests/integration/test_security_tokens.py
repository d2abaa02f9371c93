"""Every operation of the gateway refuses whatever is no good token, whoever signs the tokens."""

import base64
import hmac
import time
from collections.abc import Callable, Mapping

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from services.gateway.main import build_app
from services.gateway.settings import Settings
from shared.plumbing.internal_auth import InternalTokens
from tests.servers.dashboard import API, Json, Site, assert_problem, sign_up
from tests.servers.issuer import IssuerServer, rsa_key
from tests.servers.routes import Operation, operations
from tests.unit.gateway.app import SETTINGS

OPEN = {
    Operation("GET", "/livez"),
    Operation("GET", "/readyz"),
    Operation("GET", "/metrics"),
    Operation("GET", "/.well-known/jwks.json"),
    Operation("GET", f"{API}/openapi.json"),
    Operation("HEAD", f"{API}/openapi.json"),
    Operation("GET", f"{API}/export.schema.json"),
    Operation("GET", f"{API}/erasures/{{erasure_id}}"),  # the id is the secret: there is no account any more
    Operation("POST", f"{API}/auth/register"),
    Operation("POST", f"{API}/auth/login"),
}
PROTECTED = [
    each for each in operations(build_app(SETTINGS)) if each not in OPEN and not each.is_page
]  # pages: test_security_pages.py

Text = str | bytes


def encoded(value: bytes | object) -> str:
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def mac(header: Mapping[str, object], claims: Json, secret: bytes) -> str:
    """A token with any header, signed with HMAC-SHA256."""
    signed = f"{encoded(header)}.{encoded(claims)}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), 'sha256'))}"


HOSTILE_HEADERS: Mapping[str, Mapping[str, object]] = {
    "path as kid": {"kid": "../../../../dev/null"},
    "sql as kid": {"kid": "x' UNION SELECT 'secret' --"},
    "very long kid": {"kid": "k" * 8_000},
    "number as kid": {"kid": 7},
    "object as kid": {"kid": {"$ne": None}},
    "list as kid": {"kid": ["rsa-1"]},
    "jku": {"jku": "http://127.0.0.1:9/keys"},
    "x5u": {"x5u": "http://127.0.0.1:9/keys"},
    "jwk": {"jwk": {"kty": "oct", "k": "c2VjcmV0"}},
    "crit": {"crit": ["exp"]},
    "list as alg": {"alg": ["HS256"]},
    "number as alg": {"alg": 256},
}


def forgeries(good: str, public: list[Text]) -> dict[str, str | None]:
    """What an attacker may show, by name: made of a good token and of the public keys."""
    header, payload, signature = good.split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=="))
    other = b"a key that an attacker has chosen itself"
    found: dict[str, str | None] = {
        "no token": None,
        "no text": "",
        "no jwt": "not.a.token",
        "no signature": f"{header}.{payload}.",
        "another user": f"{header}.{encoded(claims | {'sub': 'bob@example.test'})}.{signature}",
        "another key": mac({"alg": "HS256"}, claims, other),
        "no key": mac({"alg": "HS256"}, claims, b""),
        "another RSA key": jwt.encode({"alg": "RS256", "kid": "rsa-1"}, claims, rsa_key("rsa-1")),
        "header is no object": f"{encoded([1])}.{payload}.{signature}",
        "header is a text": f"{encoded('alg kid')}.{payload}.{signature}",
        "a number too large": f"{header}.{encoded(claims | {'exp': 1})[:-1]}.{signature}",
    }
    for algorithm in ("none", "NONE", "nOnE", ""):
        found[f"alg {algorithm!r}"] = f"{encoded({'alg': algorithm, 'kid': 'rsa-1'})}.{payload}."
    for number, form in enumerate(public):
        secret = form if isinstance(form, bytes) else form.encode()
        found[f"public key as secret {number}"] = mac({"alg": "HS256", "kid": "rsa-1"}, claims, secret)
    for name, hostile in HOSTILE_HEADERS.items():
        found[name] = mac({"alg": "HS256", **hostile}, claims, other)
    return found


async def assert_refused(gateway: Site, tokens: Mapping[str, str | None]) -> None:
    for name, token in tokens.items():
        for operation in PROTECTED:
            body: Json = {"json": {}} if operation.changes else {}
            headers = {} if token is None else {"Authorization": f"Bearer {token}"}
            reply = await gateway.ask(operation.method, operation.anywhere, headers=headers, **body)
            assert reply.status == 401, (name, operation, reply.body)
            assert reply.headers["Content-Type"] == "application/problem+json"
            assert reply.headers["WWW-Authenticate"].startswith("Bearer")


def test_every_open_operation_is_there() -> None:
    assert {*operations(build_app(SETTINGS))} >= OPEN
    assert len(PROTECTED) > 25


async def test_our_own_tokens(whole: Site, whole_settings: Settings) -> None:
    assert whole_settings.token_key is not None
    key = whole_settings.token_key.get_secret_value().encode()
    user = await sign_up(whole)
    claims = orjson.loads(base64.urlsafe_b64decode(user.token.split(".")[1] + "=="))
    assert (await whole.ask("GET", f"{API}/sessions", token=mac({"alg": "HS256"}, claims, key))).status == 200

    (published,) = (await whole.ask("GET", "/.well-known/jwks.json")).json["keys"]
    tokens = forgeries(user.token, [orjson.dumps(published)])
    for name, wrong in wrong_claims(claims).items():
        tokens[name] = mac({"alg": "HS256"}, wrong, key)
    tokens["another algorithm"] = jwt.encode({"alg": "HS512"}, claims, OctKey.import_key(key), algorithms=["HS512"])
    tokens["between processes"] = InternalTokens(whole_settings.internal_key).sign("profile", user.email)
    await assert_refused(whole, tokens)
    assert (await whole.ask("GET", f"{API}/sessions", token=user.token)).status == 200
    await whole.ask("POST", f"{API}/auth/logout", token=user.token)
    await assert_refused(whole, {"a dead session": user.token})


def wrong_claims(claims: Json) -> dict[str, Json]:
    return {
        "expired": claims | {"exp": int(time.time()) - 60},
        "not yet": claims | {"nbf": int(time.time()) + 600},
        "another issuer": claims | {"iss": "https://id.example.org"},
        "another audience": claims | {"aud": "someone-else"},
        "no audience": {name: value for name, value in claims.items() if name != "aud"},
        "no end": {name: value for name, value in claims.items() if name != "exp"},
        "no user": {name: value for name, value in claims.items() if name != "sub"},
        "a session of nobody": claims | {"sid": "made-up", "sub": "nobody"},
    }


async def test_an_outside_issuers_tokens(outside: Site, whole: Site, issuer: IssuerServer) -> None:
    email = "ada-of-the-issuer@example.test"
    good = issuer.token(email)
    claims = orjson.loads(base64.urlsafe_b64decode(good.split(".")[1] + "=="))
    assert (await outside.ask("GET", f"{API}/sessions", token=good)).status == 200

    public: list[Text] = [
        form(private=False) for key in (issuer.rsa, issuer.ec) for form in _forms(key.as_pem, key.as_der)
    ]
    tokens = forgeries(good, public)
    for name, wrong in wrong_claims(claims).items():
        tokens[name] = jwt.encode({"alg": "RS256", "kid": "rsa-1"}, wrong, issuer.rsa)
    tokens["our own"] = (await sign_up(whole)).token
    await assert_refused(outside, tokens)
    await assert_refused(whole, {"the issuer's": good})
    assert (await outside.ask("POST", f"{API}/auth/logout", token=good)).status == 204
    await assert_refused(outside, {"a dead session": good})


def _forms(*forms: Callable[..., bytes]) -> tuple[Callable[..., bytes], ...]:
    return forms


@pytest.mark.parametrize("header", ["Basic YWRhOnB3", "Bearer", "Token x", "bearer  ", "Bearer ☃"])
async def test_what_is_no_bearer_token_is_none(whole: Site, header: str) -> None:
    reply = await whole.ask("GET", f"{API}/profile", headers={"Authorization": header})
    assert reply.status == 401


async def test_a_bad_bearer_token_is_not_made_good_by_a_cookie(whole: Site) -> None:
    user = await sign_up(whole)
    both = {"Authorization": "Bearer bad", "Cookie": f"session={user.token}"}
    assert_problem(await whole.ask("GET", f"{API}/profile", headers=both), 401, "bad-token")
    assert (await whole.ask("GET", f"{API}/profile", headers={"Cookie": f"session={user.token}"})).status == 200
