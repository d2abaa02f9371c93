"""Tokens of an outside issuer, checked with the keys that a real one publishes."""

import asyncio
import base64
import hmac
import time
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey

from services.gateway.oidc import Issuer
from services.gateway.tokens import BadTokenError, OutsideIdentity
from shared.plumbing.problems import ProblemError
from tests.servers.issuer import AUDIENCE, IssuerServer, ec_key, issuing, rsa_key
from tests.waiting import eventually

ADA = "ada@example.test"


@pytest_asyncio.fixture(loop_scope="session")
async def server() -> AsyncIterator[IssuerServer]:
    async with issuing() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def issuer(server: IssuerServer) -> AsyncIterator[Issuer]:
    known = Issuer(server.url, AUDIENCE)
    await known.start()
    yield known
    await known.close()


async def outcome(issuer: Issuer, token: str) -> str:
    """`taken`, `refused`, or the code of the problem."""
    try:
        await issuer.identify(token)
    except BadTokenError:
        return "refused"
    except ProblemError as problem:
        return problem.code
    return "taken"


async def test_who_asks_is_the_subject_in_the_issuers_session(server: IssuerServer, issuer: Issuer) -> None:
    end = int(time.time()) + 600
    claims = {"sid": "s-1", "exp": end}
    first = await issuer.identify(server.token(f"  {ADA.upper()} ", claims))
    second = await issuer.identify(server.token(ADA, claims, key=server.ec))
    assert isinstance(first, OutsideIdentity)
    assert first == second
    assert (first.user, first.expires_at.timestamp()) == (ADA, end)
    assert first.signed_in_at is not None
    assert time.time() - first.signed_in_at < 10
    other = await issuer.identify(server.token("bob@example.test", {"sid": "s-1"}))
    assert other.session_id != first.session_id
    assert "s-1" not in first.session_id


async def test_a_token_without_a_session_is_one(server: IssuerServer, issuer: Issuer) -> None:
    tokens = [server.token(ADA, {"sid": None, "jti": jti}) for jti in ("a", "b", None)]
    known = [await issuer.identify(token) for token in (*tokens, *tokens)]
    assert len({identity.session_id for identity in known}) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://id.example.org"},
        {"iss": None},
        {"aud": "another-audience"},
        {"aud": ["another-audience"]},
        {"aud": None},
        {"exp": None},
        {"exp": 0},
        {"exp": "tomorrow"},
        {"exp": 10**40},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"sub": None},
        {"sub": "0c6a7a52"},
        {"sub": 7},
        {"sub": ["ada@example.test"]},
    ],
)
async def test_a_claim_that_is_wrong_or_missing_is_refused(
    server: IssuerServer, issuer: Issuer, changed: dict[str, object]
) -> None:
    assert await outcome(issuer, server.token(ADA, changed)) == "refused"


async def test_one_audience_of_several_is_enough(server: IssuerServer, issuer: Issuer) -> None:
    assert await outcome(issuer, server.token(ADA, {"aud": ["another", AUDIENCE]})) == "taken"


def part(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


async def test_algorithms_are_not_the_tokens_choice(server: IssuerServer, issuer: Issuer) -> None:
    header, payload, signature = server.token(ADA).split(".")
    assert await outcome(issuer, f"{header}.{payload}.{signature}") == "taken"
    for algorithm in ("none", "None", "", "HS256", ["RS256"], {"a": 1}, 7, None, "ES256"):
        for unsigned in ("", signature):
            forged = f"{part({'alg': algorithm, 'kid': 'rsa-1'})}.{payload}.{unsigned}"
            assert await outcome(issuer, forged) == "refused", algorithm
    for public in (server.rsa, server.ec):
        for form in (public.as_pem(private=False), public.as_der(private=False), orjson.dumps(public.as_dict())):
            signed = f"{part({'alg': 'HS256', 'kid': public.kid})}.{payload}"
            mac = hmac.digest(form, signed.encode(), "sha256")
            confused = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
            assert await outcome(issuer, confused) == "refused"


async def test_a_header_names_a_known_key_and_nothing_else(server: IssuerServer, issuer: Issuer) -> None:
    own = rsa_key("rsa-1")
    theirs: list[dict[str, object]] = [
        {},
        {"jwk": own.as_dict(private=False)},
        {"jku": f"{server.url}/keys"},
        {"x5u": f"{server.url}/keys"},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "k" * 100_000},
        {"kid": "\x00"},
        {"kid": ""},
    ]
    for header in theirs:
        assert await outcome(issuer, server.token(ADA, key=own, header=header)) == "refused", header
    _, payload, signature = server.token(ADA).split(".")
    for kid in (7, None, ["rsa-1"], {"a": 1}, True):
        assert await outcome(issuer, f"{part({'alg': 'RS256', 'kid': kid})}.{payload}.{signature}") == "refused"
    for text in (
        "",
        ".",
        "..",
        "a.b.c",
        "☃.☃.☃",
        f"{part([1])}.{payload}.x",
        f"{part('alg')}.{payload}.x",
        "[" * 9_000,
    ):
        assert await outcome(issuer, text) == "refused"
    assert await outcome(issuer, server.token(ADA, header={"typ": "logout+jwt"})) == "refused"
    assert await outcome(issuer, server.token(ADA, header={"typ": "at+jwt"})) == "taken"


async def test_only_keys_that_check_signatures_well_are_taken(server: IssuerServer) -> None:
    hidden, encrypting = ec_key("hidden"), rsa_key("encrypting")
    with pytest.warns(SecurityWarning):
        weak = rsa_key("weak", 1_024)
    shared = OctKey.generate_key(256, {"kid": "shared"})
    published = [
        *({**key.as_dict(private=False)} for key in (weak, server.rsa)),
        {**encrypting.as_dict(private=False), "use": "enc"},
        shared.as_dict(private=True),
        {k: v for k, v in hidden.as_dict(private=False).items() if k != "kid"},
        {"kty": "RSA", "kid": "broken"},
        {"kid": "nothing"},
        "text",
    ]
    server.published = {"keys": published}
    issuer = Issuer(server.url, AUDIENCE)
    await issuer.start()
    taken = {
        key.kid: await outcome(issuer, server.token(ADA, key=key)) for key in (server.rsa, weak, encrypting, hidden)
    }
    await issuer.close()
    assert taken == {"rsa-1": "taken", "weak": "refused", "encrypting": "refused", "hidden": "refused"}


async def test_a_new_key_is_asked_for_and_a_withdrawn_one_goes(server: IssuerServer, issuer: Issuer) -> None:
    new = ec_key("ec-2")
    server.publish(new)

    async def is_known() -> bool:
        return await outcome(issuer, server.token(ADA, key=new)) == "taken"

    await eventually(is_known, what="the new key is taken")
    assert await outcome(issuer, server.token(ADA)) == "refused"


async def test_keys_that_are_made_up_do_not_make_us_ask_without_end(server: IssuerServer, issuer: Issuer) -> None:
    before = server.times_asked
    forged = [server.token(ADA, key=rsa_key("x"), header={"kid": f"made-up-{n}"}) for n in range(3)] * 50
    assert {*await asyncio.gather(*(outcome(issuer, token) for token in forged))} == {"refused"}
    assert server.times_asked - before <= 1


async def test_known_keys_go_on_while_the_issuer_is_away(server: IssuerServer, issuer: Issuer) -> None:
    await server.stop()

    async def is_noticed() -> bool:
        return await outcome(issuer, server.token(ADA, key=rsa_key("new"))) == "issuer-unavailable"

    await eventually(is_noticed, what="the issuer is away")
    assert await outcome(issuer, server.token(ADA)) == "taken"
    new = ec_key("new")
    server.publish(new)
    await server.start()

    async def is_back() -> bool:
        return await outcome(issuer, server.token(ADA, key=new)) == "taken"

    await eventually(is_back, what="the issuer is back")


async def test_a_slow_issuer_holds_nobody_up_for_long(server: IssuerServer) -> None:
    server.may_answer.clear()
    issuer = Issuer(server.url, AUDIENCE)
    async with asyncio.timeout(30):  # the server itself would never answer
        await issuer.start()
        assert await outcome(issuer, server.token(ADA)) == "issuer-unavailable"
    server.may_answer.set()

    async def is_known() -> bool:
        return await outcome(issuer, server.token(ADA)) == "taken"

    await eventually(is_known, what="the issuer answers")
    await issuer.close()


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://id.example.org", "jwks_uri": "{url}/keys"},
        {"issuer": "{url}/", "jwks_uri": "{url}/keys"},
        {"issuer": "{url}"},
        {"issuer": "{url}", "jwks_uri": "http://169.254.169.254/keys"},
        {"issuer": "{url}", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}", "jwks_uri": 7},
        {"issuer": "{url}", "jwks_uri": "{url}/nothing"},
        {"issuer": "{url}", "jwks_uri": "{url}/keys", "more": "x" * 300_000},
        ["text"],
    ],
)
async def test_a_wrong_description_gives_no_keys(server: IssuerServer, described: object) -> None:
    server.described = orjson.loads(orjson.dumps(described).replace(b"{url}", server.url.encode()))
    issuer = Issuer(server.url, AUDIENCE)
    await issuer.start()
    assert await outcome(issuer, server.token(ADA)) == "issuer-unavailable"
    await issuer.close()


@pytest.mark.parametrize("published", [[], {}, {"keys": []}, {"keys": "text"}, {"keys": [{"kty": "oct", "kid": "k"}]}])
async def test_keys_that_are_no_keys_do_not_replace_those_that_are(
    server: IssuerServer, issuer: Issuer, published: object
) -> None:
    server.published = published

    async def is_noticed() -> bool:
        return await outcome(issuer, server.token(ADA, key=rsa_key("new"))) == "issuer-unavailable"

    await eventually(is_noticed, what="what it publishes is wrong")
    assert await outcome(issuer, server.token(ADA)) == "taken"
