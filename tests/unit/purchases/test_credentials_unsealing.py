"""What publishers encrypt is opened, what is anything else is refused with one error that tells nothing of it."""

import json
import traceback
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import SecretStr, ValidationError

from services.purchases.vault.unsealing import MAX_CHARACTERS, Unsealer, UnusableCredentialsError
from shared.contracts.credentials import CONTENT_ALGORITHM, KEY_ALGORITHM, AccessCredentials, seal_for

Jwk = dict[str, Any]  # JSON

SECRET = "correct-horse-battery-staple"
PLAIN = json.dumps({"username": "ada", "password": SECRET}).encode()
HEADER = {"alg": KEY_ALGORITHM, "enc": CONTENT_ALGORITHM}
BOB: Jwk = {  # RFC 7518, appendix C
    "kty": "EC",
    "crv": "P-256",
    "x": "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ",
    "y": "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck",
    "d": "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw",
}
# Made with jwcrypto 1.5: apu, apv, typ, cty, a kid that we do not know, and a header of the publisher's own.
FOREIGN = (
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImFwdSI6IlFXeHBZMlUiLCJhcHYiOiJRbTlpIiwiY3R5IjoiYXBwbGljYXRpb24vanNvbiIsImVuYyI"
    "6IkEyNTZHQ00iLCJlcGsiOnsiY3J2IjoiUC0yNTYiLCJrdHkiOiJFQyIsIngiOiJkUkRsOE5jT3VVU2M4ZWZROGRhQjA5Q2FCUEp2ZzhnQzcxN2"
    "tSdTVMXzdNIiwieSI6IllQSXd2NWNtSkl4X291d0VQSmpkNGdyYXlZNDl4YUpwbll5V3I5by15WmMifSwia2lkIjoidW5rbm93biIsInR5cCI6I"
    "kpPU0UiLCJ4LXNob3AiOjF9.-Vd1qkljAQWN8NT-2ipvcfnPTaHtntilGEac6VmmUdqC2RHfqFxd5A.9WeNcm7FL79XwOj5.q9oOy-lijIZuRq7P"
    "Q71vqbOgwB_I8m1gErc_Xydd_528p1kJy40uo7DxLrnGTOjdK_YUUKTJZoYAwzLgg9ce1WOHEkZDle4EcY9amNhXqayWuaVbCjne1lzShYEI.yZNU"
    "G-FhFpVvIEikWScxXw"
)

texts = st.text(st.characters(codec="utf-8"), max_size=40)
members = st.dictionaries(st.sampled_from(["username", "password", "api_key", "ssh_key"]), texts).filter(
    lambda found: any(found.values())
)


def unsealer(*keys: Jwk) -> Unsealer:
    return Unsealer.parse(SecretStr(json.dumps({"keys": keys} if len(keys) != 1 else keys[0])))


def private_jwk(**members: object) -> Jwk:
    return {**ECKey.generate_key("P-256").as_dict(private=True), **members}


def published(opener: Unsealer) -> Jwk:
    [key] = orjson.loads(opener.public_jwks())["keys"]
    return dict(key)


def sealed(plaintext: bytes, header: Mapping[str, object] = HEADER, jwk: Jwk = BOB) -> str:
    """A JWE with any algorithms; those that the header does not name are as publishers should have them."""
    algorithms = [str(header["alg"]), str(header["enc"]), "DEF"]
    return jwe.encrypt_compact(dict(header), plaintext, ECKey.import_key(jwk), algorithms)


def credentials(**members: str) -> AccessCredentials:
    return AccessCredentials.model_validate(members)


def refused(compact: str, opener: Unsealer | None = None) -> str:
    """The one error, in all the words that a log could have of it."""
    with pytest.raises(UnusableCredentialsError) as caught:
        (opener or unsealer(BOB)).unseal(compact)
    return "".join([str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)])


def test_another_librarys_jwe_is_opened() -> None:
    assert unsealer(BOB).unseal(FOREIGN) == credentials(username="ada", password="correct horse battery")


@settings(deadline=None, max_examples=50)
@given(members)
def test_what_is_sealed_for_the_published_key_is_opened(found: dict[str, str]) -> None:
    opener = unsealer(BOB)
    opened = opener.unseal(seal_for(published(opener), credentials(**found)))
    expected = dict.fromkeys(["username", "password", "api_key", "ssh_key"], None) | found
    assert orjson.loads(opened.revealed()) == expected


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ECDH-ES", "enc": "A256GCM"},
        {"alg": "ECDH-ES+A128KW", "enc": "A256GCM"},
        {"alg": "ECDH-ES+A192KW", "enc": "A256GCM"},
        {"alg": "ECDH-ES+A256KW", "enc": "A128GCM"},
        {"alg": "ECDH-ES+A256KW", "enc": "A256CBC-HS512"},
        {"alg": "ECDH-ES+A256KW", "enc": "A256GCM", "zip": "DEF"},
    ],
    ids=lambda header: " ".join(header.values()),
)
def test_other_algorithms_are_refused_although_the_key_would_open_them(header: dict[str, str]) -> None:
    compact = sealed(PLAIN, header)
    assert jwe.decrypt_compact(compact, ECKey.import_key(BOB), [*header.values()]).plaintext == PLAIN
    assert SECRET not in refused(compact)


def test_other_kinds_of_keys_are_refused() -> None:
    direct = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, PLAIN, OctKey.generate_key(256))
    rsa = jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A256GCM"}, PLAIN, RSAKey.generate_key(2048))
    other_curve = sealed(PLAIN, HEADER, ECKey.generate_key("P-384").as_dict(private=False))
    for compact in (direct, rsa, other_curve):
        refused(compact)


def test_another_recipients_jwe_is_refused() -> None:
    refused(sealed(PLAIN, jwk=private_jwk()))


def test_a_critical_header_that_is_not_understood_is_refused() -> None:
    header = urlsafe_b64encode(json.dumps({**HEADER, "crit": ["x-shop"], "x-shop": 1}).encode()).rstrip(b"=").decode()
    refused(".".join([header, *FOREIGN.split(".")[1:]]))


@settings(deadline=None, max_examples=200)
@given(st.integers(0, len(FOREIGN) - 1), st.sampled_from("ABab01-_.=+ \x00é"))
def test_a_jwe_that_was_changed_is_refused(place: int, character: str) -> None:
    changed = FOREIGN[:place] + character + FOREIGN[place + 1 :]
    if changed != FOREIGN:
        refused(changed)


@settings(deadline=None)
@given(texts)
def test_any_text_is_refused(text: str) -> None:
    refused(text)


_names = st.sampled_from(
    ["alg", "enc", "zip", "epk", "kid", "crit", "apu", "p2c", "kty", "crv", "x", "y", "use", "b64"]
)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["ECDH-ES+A256KW", "A256GCM", "EC", "P-256", "DEF", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=5),
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(_names, _json) | _json)
def test_any_header_is_refused(header: object) -> None:
    for each in (header, {**HEADER, **(header if isinstance(header, dict) else {})}):
        encoded = urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode()
        refused(".".join([encoded, *FOREIGN.split(".")[1:]]))


def test_a_header_that_is_nested_too_deeply_is_refused() -> None:
    nested = urlsafe_b64encode(b"[" * 760).rstrip(b"=").decode()
    refused(".".join([nested, *FOREIGN.split(".")[1:]]))


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        SECRET.encode(),
        b"\xff" + PLAIN,
        b"null",
        b"{}",
        json.dumps([SECRET]).encode(),
        json.dumps({"password": None, "secret": SECRET}).encode(),
        json.dumps({"username": "", "password": "", "api_key": "", "ssh_key": "", "note": SECRET}).encode(),
        json.dumps({"username": SECRET, "password": 5}).encode(),
        json.dumps({"username": {"password": SECRET}}).encode(),
        json.dumps({"username": SECRET * 251}).encode(),
    ],
    ids=range(11),
)
def test_what_holds_no_credentials_is_refused_and_not_quoted(plaintext: bytes) -> None:
    assert SECRET not in refused(sealed(plaintext))


def test_a_large_jwe_is_refused_before_it_is_opened() -> None:
    padded = json.dumps({"username": "ada", "password": SECRET, "padding": "x" * MAX_CHARACTERS}).encode()
    assert f"at most {MAX_CHARACTERS} characters" in refused(sealed(padded))
    fitting = json.dumps({"username": "ada", "password": SECRET, "padding": "x" * 6_000}).encode()
    assert unsealer(BOB).unseal(sealed(fitting)) == credentials(username="ada", password=SECRET)


def test_a_new_key_is_published_while_the_old_one_still_opens() -> None:
    old, new = private_jwk(kid="old"), private_jwk(kid="new")
    opener = unsealer(new, old)
    assert published(opener)["kid"] == "new"
    for jwk in (old, new):
        for header in (HEADER, {**HEADER, "kid": jwk["kid"]}):
            assert opener.unseal(sealed(PLAIN, header, jwk)) == credentials(username="ada", password=SECRET)
    refused(sealed(PLAIN, jwk=old), unsealer(new))


def test_only_public_members_are_published() -> None:
    jwk = private_jwk(kid="k1", ext=True, key_ops=["deriveKey"], x5c=["MIIB"])
    public = {"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"], "kid": "k1"}
    assert published(unsealer(jwk)) == public | {"use": "enc", "alg": KEY_ALGORITHM}


def test_a_key_without_an_id_is_published_with_its_thumbprint() -> None:
    assert published(unsealer(BOB))["kid"] == ECKey.import_key(BOB).thumbprint()


def test_credentials_are_shown_only_when_they_are_revealed() -> None:
    shown = credentials(username="ada", password=SECRET)
    assert SECRET not in f"{shown} {shown!r} {shown.model_dump()} {shown.model_dump_json()}"
    assert orjson.loads(shown.revealed()) == {"username": "ada", "password": SECRET, "api_key": None, "ssh_key": None}


def test_an_error_about_credentials_does_not_quote_them() -> None:
    with pytest.raises(ValidationError) as caught:
        AccessCredentials.model_validate({"username": {"password": SECRET}})
    assert SECRET not in f"{caught.value} {caught.value!r}"
