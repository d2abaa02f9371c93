"""Access tokens: only ours, only for us, only while they are valid."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from services.gateway.tokens import AccessTokens, BadTokenError, Identity
from shared.plumbing.internal_auth import InternalTokens, NotAllowedError
from tests.unit.gateway.app import TOKEN_KEY

ADA = Identity("ada@example.test", "session-1")
TOKENS = AccessTokens(TOKEN_KEY)
KEY = OctKey.import_key(TOKEN_KEY.get_secret_value())


def in_an_hour() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def claims(**changed: object) -> dict[str, Any]:
    """Good claims, some of them changed; a claim that is None is left out."""
    now = int(datetime.now(UTC).timestamp())
    good: dict[str, object] = {
        "iss": "mycelium",
        "aud": "mycelium-dashboard",
        "sub": ADA.user,
        "sid": ADA.session_id,
        "iat": now,
        "exp": now + 3_600,
    }
    return {name: value for name, value in (good | changed).items() if value is not None}


def part(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


def check(text: str) -> Identity:
    return asyncio.run(TOKENS.identify(text))


def rejects(text: str) -> bool:
    try:
        check(text)
    except BadTokenError:
        return True
    return False


def test_a_token_says_who_is_asking_and_for_how_long() -> None:
    token = TOKENS.sign(ADA, in_an_hour())
    assert check(token.text) == ADA
    assert 3_598 <= token.expires_in <= 3_600


def test_no_two_tokens_are_the_same() -> None:
    end = in_an_hour()
    assert TOKENS.sign(ADA, end).text != TOKENS.sign(ADA, end).text


def test_the_good_claims_of_these_tests_are_good() -> None:
    assert check(jwt.encode({"alg": "HS256"}, claims(), KEY)) == ADA


def test_an_expired_token_is_rejected() -> None:
    assert rejects(TOKENS.sign(ADA, datetime.now(UTC) - timedelta(seconds=10)).text)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "someone-else"},
        {"iss": None},
        {"aud": "another-audience"},
        {"aud": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 0},
        {"iat": 2**40},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sid": None},
        {"nbf": 2**40},
    ],
)
def test_a_claim_that_is_wrong_or_missing_is_rejected(changed: dict[str, object]) -> None:
    assert rejects(jwt.encode({"alg": "HS256"}, claims(**changed), KEY))


def test_no_signature_is_no_token() -> None:
    header, payload, _ = jwt.encode({"alg": "HS256"}, claims(), KEY).split(".")
    for algorithm in ("none", "None", "NONE", ""):
        unsigned = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{payload}."
        assert rejects(unsigned)
    assert rejects(f"{header}.{payload}.")


def test_only_the_one_algorithm_is_taken() -> None:
    for algorithm in ("HS384", "HS512"):
        token = jwt.encode({"alg": algorithm}, claims(), KEY, algorithms=[algorithm])
        assert rejects(token)
        assert jwt.decode(token, KEY, algorithms=[algorithm]).claims["sub"] == ADA.user  # it is signed well
    rsa = RSAKey.generate_key(2048)
    assert rejects(jwt.encode({"alg": "RS256"}, claims(), rsa))


def test_a_key_in_the_header_is_not_believed() -> None:
    other = OctKey.import_key("a key that an attacker has chosen itself")
    for header in ({}, {"jwk": other.as_dict(private=True)}, {"kid": "../../dev/null"}):
        assert rejects(jwt.encode({"alg": "HS256", **header}, claims(), other))


def test_a_token_with_anything_changed_is_rejected() -> None:
    header, payload, signature = TOKENS.sign(ADA, in_an_hour()).text.split(".")
    bob = part(claims(sub="bob@example.test"))
    assert rejects(f"{header}.{bob}.{signature}")
    assert rejects(f"{part({'alg': 'HS256', 'x': 1})}.{payload}.{signature}")
    flipped = ("A" if signature[0] != "A" else "B") + signature[1:]
    assert rejects(f"{header}.{payload}.{flipped}")
    assert rejects(f"{header}.{payload}")
    assert rejects(f"{header}.{payload}.{signature}.{signature}")


@given(st.text() | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_any_other_text_is_rejected(text: str) -> None:
    assert rejects(text)


def test_the_users_tokens_and_those_between_processes_are_not_exchanged() -> None:
    same_key = InternalTokens(TOKEN_KEY)
    assert rejects(same_key.sign("profile", ADA.user))
    with pytest.raises(NotAllowedError):
        same_key.check("profile", TOKENS.sign(ADA, in_an_hour()).text)
