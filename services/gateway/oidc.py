"""Tokens of an outside OpenID Connect issuer: checked with the keys that it publishes, whether it is up or not."""

import asyncio
import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from services.gateway.services import unavailable
from services.gateway.tokens import (
    CLOCK_SKEW_SECONDS,
    OPERATOR,
    UNREADABLE,
    BadTokenError,
    Identity,
    OutsideIdentity,
    has_role,
)
from shared.contracts.types import normalise_email
from shared.plumbing.logs import get

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_LEAST_RSA_CHARACTERS = 342  # 2,048 bits in base64
_FETCH_SECONDS = 3.0
_MAX_DOCUMENT_BYTES = 262_144
_RENEWED_EVERY_SECONDS = 600.0  # so that a key that was withdrawn is not believed for ever
_LEAST_SECONDS_BETWEEN = 1.0
_log = get(__name__)

Key = ECKey | RSAKey


class _BadDocumentError(Exception):
    """The issuer answered what no issuer should."""


class Issuer:
    """The issuer at `url`, and the keys that it had when it was last asked.

    It is asked at the start, every ten minutes while there are requests, and for a key that is not known, but never
    more often than once a second. A known key goes on while the issuer is away.
    """

    def __init__(self, url: str, audience: str) -> None:
        self.url = url
        self._root = url.rstrip("/")
        self._keys: Mapping[str, Key] = {}
        self._asked_at = float("-inf")
        self._answered = False
        self._asking: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None
        self._claims = jwt.JWTClaimsRegistry(
            leeway=CLOCK_SKEW_SECONDS,
            iss={"essential": True, "value": url},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    async def start(self) -> None:
        """Asks for the keys once; without an answer, the first token asks again."""
        self._http = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_FETCH_SECONDS), cookie_jar=aiohttp.DummyCookieJar()
        )
        await self._ask()

    async def close(self) -> None:
        """Closes the connections."""
        if self._asking is not None:
            self._asking.cancel()
        if self._http is not None:
            await self._http.close()

    async def identify(self, text: str) -> Identity:
        """Whose token it is: the `sub` claim, an email.

        Raises BadTokenError for whatever is not the issuer's, not for us, or not valid any more; a 503 problem where
        the token's key is not known and the issuer does not answer.
        """
        try:
            header = jws.extract_compact(text.encode()).headers()
            kid, kind = header.get("kid"), str(header.get("typ", "JWT")).lower()
        except UNREADABLE as error:
            raise BadTokenError from error
        if not isinstance(kid, str) or kind not in _TYPES:
            raise BadTokenError
        key = await self._key(kid)
        try:
            claims = jwt.decode(text, key, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
            return _identity(claims, text)
        except UNREADABLE as error:
            raise BadTokenError from error

    async def _key(self, kid: str) -> Key:
        age = time.monotonic() - self._asked_at
        if kid in self._keys:
            if age > _RENEWED_EVERY_SECONDS:
                self._in_the_background()
        elif age > _LEAST_SECONDS_BETWEEN:
            await asyncio.shield(self._in_the_background())
        if kid in self._keys:
            return self._keys[kid]
        if not self._answered:
            raise unavailable("issuer")
        raise BadTokenError

    def _in_the_background(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    async def _ask(self) -> None:
        try:
            described = await self._document(f"{self._root}/.well-known/openid-configuration")
            self._keys = _usable((await self._document(self._keys_address(described))).get("keys"))
            self._answered = True
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, _BadDocumentError) as error:
            self._answered = False
            _log.warning("issuer_unavailable", error=type(error).__name__)
        finally:
            self._asked_at = time.monotonic()

    def _keys_address(self, described: Mapping[str, Any]) -> str:  # Any: JSON
        if described.get("issuer") != self.url:
            raise _BadDocumentError("it names another issuer")
        address = described.get("jwks_uri")
        if not isinstance(address, str) or not address.startswith(("https://", f"{self._root}/")):
            raise _BadDocumentError("its jwks_uri is no https address")
        return address

    async def _document(self, address: str) -> Mapping[str, Any]:  # Any: JSON
        assert self._http is not None  # noqa: S101  (started)
        async with self._http.get(address, allow_redirects=False) as response:
            response.raise_for_status()
            body = await response.content.read(_MAX_DOCUMENT_BYTES)
            if not response.content.at_eof() and await response.content.read(1):
                raise _BadDocumentError("it is too large")
        document = orjson.loads(body)
        if response.status != 200 or not isinstance(document, dict):
            raise _BadDocumentError("it is no JSON object")
        return document


def _usable(keys: object) -> Mapping[str, Key]:
    """The keys that check signatures with an algorithm of ALGORITHMS, by their `kid`; others are left out."""
    found = dict[str, Key]()
    for key in keys if isinstance(keys, list) else []:
        if isinstance(key, dict) and isinstance(key.get("kid"), str) and key.get("use", "sig") == "sig":
            try:
                found[key["kid"]] = _imported(key)
            except (JoseError, ValueError, TypeError, KeyError):
                _log.warning("issuer_key_left_out")
    if not found:
        raise _BadDocumentError("it has no key to check signatures with")
    return found


def _imported(key: dict[str, Any]) -> Key:  # Any: JSON
    if key.get("alg", ALGORITHMS[0]) not in ALGORITHMS:
        raise ValueError("another algorithm")
    if key.get("kty") == "EC":
        return ECKey.import_key(key)
    if key.get("kty") != "RSA" or len(key["n"]) < _LEAST_RSA_CHARACTERS:
        raise ValueError("another kind of key, or too short a one")
    return RSAKey.import_key(key)


def _identity(claims: Mapping[str, Any], text: str) -> OutsideIdentity:  # Any: JSON
    user = normalise_email(claims["sub"])
    named = next((claims[name] for name in ("sid", "jti") if isinstance(claims.get(name), str)), text)
    signed_in_at = claims.get("auth_time")
    return OutsideIdentity(
        user=user,
        session_id=hashlib.blake2b(orjson.dumps([user, named]), digest_size=24).hexdigest(),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        signed_in_at=signed_in_at if isinstance(signed_in_at, int | float) and signed_in_at is not True else None,
        is_operator=has_role(claims, OPERATOR),
    )
