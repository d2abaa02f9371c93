"""Access tokens: what a client shows to say who it is, signed by the gateway and by no one else."""

import secrets
import time
from dataclasses import dataclass
from datetime import datetime

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from shared.plumbing.settings import Secret

_ALGORITHM = "HS256"
_ISSUER = "mycelium"
_AUDIENCE = "mycelium-dashboard"
_CLOCK_SKEW_SECONDS = 5  # between two gateways


class BadTokenError(Exception):
    """The text is not an access token of ours that is still valid."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is asking: a normalised email, and the session in which they are signed in."""

    user: str
    session_id: str


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and for how long it is valid, in seconds."""

    text: str
    expires_in: int


class AccessTokens:
    """Signs and checks access tokens: JWTs with HMAC-SHA256."""

    def __init__(self, key: Secret) -> None:
        self._key = OctKey.import_key(key.get_secret_value())

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
        return AccessToken(jwt.encode({"alg": _ALGORITHM}, claims, self._key), end - now)

    def check(self, text: str) -> Identity:
        """Whose token it is. Raises BadTokenError for whatever is not ours, not for us, or not valid any more."""
        try:
            claims = jwt.decode(text, self._key, algorithms=[_ALGORITHM]).claims
            _CLAIMS.validate(claims)
        except (JoseError, ValueError) as error:
            raise BadTokenError from error
        return Identity(claims["sub"], claims["sid"])


_CLAIMS = jwt.JWTClaimsRegistry(
    leeway=_CLOCK_SKEW_SECONDS,
    iss={"essential": True, "value": _ISSUER},
    aud={"essential": True, "value": _AUDIENCE},
    exp={"essential": True},
    sub={"essential": True},
    sid={"essential": True},
)
