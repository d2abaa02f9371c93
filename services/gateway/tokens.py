"""Access tokens: what a client shows to say who it is, signed by the gateway and by no one else."""

import secrets
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shared.plumbing.settings import Secret

_ALGORITHM = "HS256"
_ISSUER = "mycelium"
_AUDIENCE = "mycelium-dashboard"
OPERATOR = "operator"
CLOCK_SKEW_SECONDS = 5  # between two machines

# What a hostile text makes the decoder raise, besides its own errors: a header that is no object, a number too large.
UNREADABLE = (JoseError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


class BadTokenError(Exception):
    """The text is not an access token that is valid here and now."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking: a normalised email, and the session in which they are signed in."""

    user: str
    session_id: str
    is_operator: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class OutsideIdentity(Identity):
    """Who is asking with an outside issuer's token, which is valid until `expires_at` (UTC).

    `signed_in_at` is when the user last proved to the issuer who they are, in seconds since the epoch, if it tells.
    """

    expires_at: datetime
    signed_in_at: float | None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and for how long it is valid, in seconds."""

    text: str
    expires_in: int


class AccessTokens:
    """Signs and checks access tokens: JWTs with HMAC-SHA256. Those of `operators` (emails) say so, and no others."""

    def __init__(self, key: Secret, operators: Set[str] = frozenset()) -> None:
        self._key = OctKey.import_key(key.get_secret_value())
        self._operators = operators

    def sign(self, identity: Identity, expires_at: datetime) -> AccessToken:
        """A token for `identity`, valid from now until `expires_at` (aware)."""
        now, end = int(time.time()), int(expires_at.timestamp())
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": identity.user,
            "sid": identity.session_id,
            "iat": now,
            "exp": end,
            "jti": secrets.token_urlsafe(16),
        }
        if identity.user in self._operators:
            claims["roles"] = [OPERATOR]
        return AccessToken(jwt.encode({"alg": _ALGORITHM}, claims, self._key), end - now)

    async def identify(self, text: str) -> Identity:
        """Whose token it is. Raises BadTokenError for whatever is not ours, not for us, or not valid any more."""
        try:
            claims = jwt.decode(text, self._key, algorithms=[_ALGORITHM]).claims
            _CLAIMS.validate(claims)
        except UNREADABLE as error:
            raise BadTokenError from error
        is_operator = claims["sub"] in self._operators and has_role(claims, OPERATOR)
        return Identity(claims["sub"], claims["sid"], is_operator=is_operator)


def has_role(claims: Mapping[str, object], role: str) -> bool:
    """Whether the claim `roles`, a list of texts, names the role."""
    roles = claims.get("roles")
    return isinstance(roles, list) and role in roles


_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=CLOCK_SKEW_SECONDS,
    iss={"essential": True, "value": _ISSUER},
    aud={"essential": True, "value": _AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
    sid={"essential": True},
)
