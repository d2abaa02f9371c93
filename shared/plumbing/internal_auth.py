"""Calls between our processes: a short-lived signed token says who calls, which service is meant, and for whom.

The user is in the token and nowhere else, so that no URL, and no log of one, ever holds an email.
"""

import time
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shared.plumbing.settings import Secret

_ALGORITHM = "HS256"
_ISSUER = "mycelium-gateway"
LIFETIME_SECONDS = 60
_CLOCK_SKEW_SECONDS = 10  # two machines never agree on the second; `iat` would be in the future


class NotAllowedError(Exception):
    """The call carries no token that is valid for this service."""


@dataclass(frozen=True)
class Caller:
    """On whose behalf a call is made; `user` is None for what belongs to no one yet, such as a registration."""

    user: str | None


class InternalTokens:
    """Signs and checks the tokens with the key that all processes share."""

    def __init__(self, key: Secret) -> None:
        self._key = OctKey.import_key(key.get_secret_value())

    def sign(self, service: str, user: str | None = None) -> str:
        """A token for one `service`, on behalf of `user` (a normalised email), valid for LIFETIME_SECONDS."""
        now = int(time.time())
        claims = {"iss": _ISSUER, "aud": service, "iat": now, "exp": now + LIFETIME_SECONDS}
        return jwt.encode({"alg": _ALGORITHM}, claims | ({"sub": user} if user else {}), self._key)

    def check(self, service: str, token: str) -> Caller:
        """Who calls. Raises NotAllowedError if the token is not ours, not for `service`, or no longer valid."""
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
            _REGISTRY.validate(claims)
        except (JoseError, ValueError) as error:
            raise NotAllowedError from error
        if claims["aud"] != service:
            raise NotAllowedError
        return Caller(claims.get("sub"))


_REGISTRY = jwt.JWTClaimsRegistry(
    leeway=_CLOCK_SKEW_SECONDS,
    iss={"essential": True, "value": _ISSUER},
    aud={"essential": True},
    exp={"essential": True},
)
