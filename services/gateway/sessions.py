"""Who is asking: a valid token of a session that is alive."""

from typing import Annotated

import orjson
from cachetools import TTLCache
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import SecretStr

from services.gateway.services import Services, unavailable
from services.gateway.tokens import AccessTokens, BadTokenError, Identity
from shared.plumbing.problems import ProblemError

_REMEMBERED, _REMEMBERED_SECONDS = 10_000, 5.0
_PASSWORD_SECONDS = 10.0  # a hash takes its time, and only two are worked out at once
_WRONG_PASSWORD = ProblemError(403, "wrong-password", "The password is wrong.")
_LOG_IN = "log in at /api/v1/auth/login and send the token as `Authorization: Bearer …`."
_NO_TOKEN = ProblemError(401, "no-token", f"There is no token; {_LOG_IN}", headers={"WWW-Authenticate": "Bearer"})
_BAD_TOKEN = ProblemError(
    401,
    "bad-token",
    f"The token is not valid, or not any more; {_LOG_IN}",
    headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
)

bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="The `access_token` that `POST /api/v1/auth/login` answers.",
    auto_error=False,
)


class Sessions:
    """Checks tokens, and asks the profile service whether their sessions are alive.

    A good token is remembered for 5 seconds: this long may it work on here after its session was ended elsewhere.
    """

    def __init__(self, tokens: AccessTokens, services: Services) -> None:
        self._tokens = tokens
        self._services = services
        self._good: TTLCache[str, Identity] = TTLCache(_REMEMBERED, _REMEMBERED_SECONDS)
        self._ended = 0

    async def identity(self, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Identity:
        """Who is asking. Raises a 401 problem where that is not proven, 503 where the profile service is away."""
        if credentials is None:
            raise _NO_TOKEN
        known: Identity | None = self._good.get(credentials.credentials)
        return known or await self._check(credentials.credentials)

    async def end(self, identity: Identity, token: str) -> None:
        """Ends the session of this token. Raises a 503 problem if the profile service does not confirm it."""
        try:
            answer = await self._services.ask(
                "profile", f"/sessions/{identity.session_id}", method="DELETE", user=identity.user
            )
        finally:
            self._ended += 1
            self._good.pop(token, None)
        if answer.status != 204:
            raise unavailable("profile")

    async def confirm(self, identity: Identity, password: SecretStr) -> None:
        """Raises a 403 problem unless this is the password of who is asking."""
        body = orjson.dumps({"password": password.get_secret_value()})
        answer = await self._services.ask(
            "profile", "/password-checks", method="POST", user=identity.user, body=body, seconds=_PASSWORD_SECONDS
        )
        if answer.status == 403:
            raise _WRONG_PASSWORD
        if answer.status != 204:
            raise unavailable("profile")

    async def _check(self, token: str) -> Identity:
        try:
            identity = self._tokens.check(token)
        except BadTokenError:
            raise _BAD_TOKEN from None
        ended_before = self._ended
        answer = await self._services.ask("profile", f"/sessions/{identity.session_id}", user=identity.user)
        if answer.status == 404:
            raise _BAD_TOKEN
        if answer.status != 204:
            raise unavailable("profile")
        if self._ended == ended_before:  # else it may be this one that was ended while the answer was on its way
            self._good[token] = identity
        return identity
