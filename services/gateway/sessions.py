"""Who is asking: a valid token of a session that is alive."""

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

import orjson
from cachetools import TTLCache
from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from services.gateway import cookies
from services.gateway.services import Answer, Services, unavailable
from services.gateway.tokens import BadTokenError, Identity, OutsideIdentity
from shared.contracts.accounts import PasswordCheck
from shared.plumbing.problems import ProblemError, field_problem

USER_AGENT_MAX: Final = 500
PASSWORD_SECONDS: Final = 15.0  # a password is slow to check by design, and others may be before it
_REMEMBERED, _REMEMBERED_SECONDS = 10_000, 5.0
_FRESH_SECONDS = 300
_LOG_IN = "log in at /api/v1/auth/login and send the token as `Authorization: Bearer …`."
_NO_TOKEN = ProblemError(401, "no-token", f"There is no token; {_LOG_IN}", headers={"WWW-Authenticate": "Bearer"})
_BAD_TOKEN = ProblemError(
    401,
    "bad-token",
    f"The token is not valid, or not any more; {_LOG_IN}",
    headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
)
_WRONG_PASSWORD = ProblemError(403, "wrong-password", "The password is wrong.")
_SIGN_IN_AGAIN = ProblemError(
    403, "sign-in-again", "This asks for a sign-in of the last five minutes; sign in again and send the new token."
)

_bearer = HTTPBearer(
    scheme_name="bearer",
    bearerFormat="JWT",
    description="The `access_token` that `POST /api/v1/auth/login` answers, or one of the outside issuer.",
    auto_error=False,
)
_cookie = APIKeyCookie(
    name=cookies.NAME, scheme_name="cookie", description="The same token, as a browser keeps it.", auto_error=False
)
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
Cookie = Annotated[str | None, Depends(_cookie)]


Ended = Callable[[Identity], bool]


class Sessions:
    """Checks tokens with `identify`, and asks the profile service whether their sessions are alive.

    A good token is remembered for 5 seconds: this long may it work on here after its session was ended elsewhere.
    `on_end` is called when sessions of a user were ended here, with what tells which ones.
    """

    def __init__(self, identify: Callable[[str], Awaitable[Identity]], services: Services) -> None:
        self._identify = identify
        self._services = services
        self._good: TTLCache[str, Identity] = TTLCache(_REMEMBERED, _REMEMBERED_SECONDS)
        self._ended = 0
        self.on_end: Callable[[str, Ended], None] = _nothing

    async def identity(self, request: Request, bearer: Bearer, cookie: Cookie) -> Identity:
        """Who is asking. Raises a 401 problem where that is not proven, 503 where the profile service is away."""
        token = bearer.credentials if bearer else cookie
        if token is None:
            raise _NO_TOKEN
        return self.remembered(token) or await self.check(token, request.headers.get("user-agent"))

    def remembered(self, token: str) -> Identity | None:
        """Whose token it is, if that was checked a moment ago."""
        known: Identity | None = self._good.get(token)
        return known

    async def end(self, identity: Identity, session_id: str) -> Answer:
        """What the profile service answers when it is to end this session, whose tokens are not remembered after."""
        try:
            return await self._services.ask("profile", f"/sessions/{session_id}", method="DELETE", user=identity.user)
        finally:
            self._forget(identity.user, lambda known: known.session_id == session_id)

    def forget_all_of(self, user: str) -> None:
        """Remembers no token of `user`, because sessions of theirs were ended."""
        self._forget(user, lambda known: known.user == user)

    async def confirm(self, identity: Identity, given: PasswordCheck | None) -> None:
        """Raises a 403 problem unless it is really the user: the password, or an outside issuer's fresh sign-in.

        Raises a 422 problem where a password is missing, 429 after too many wrong ones.
        """
        if isinstance(identity, OutsideIdentity):
            _check_freshness(identity)
        else:
            await self._check_password(identity, password_of(given))

    async def _check_password(self, identity: Identity, password: str) -> None:
        body = orjson.dumps({"password": password})
        answer = await self._services.ask(
            "profile",
            "/password-checks",
            method="POST",
            user=identity.user,
            body=body,
            seconds=PASSWORD_SECONDS,
            is_change=False,
        )
        check_password_answer(answer)
        if answer.status != 204:
            raise unavailable("profile")

    async def check(self, token: str, user_agent: str | None) -> Identity:
        """Whose token it is, as of now. Raises a 401 problem if it is no good one, 503 where that cannot be known."""
        try:
            identity = await self._identify(token)
        except BadTokenError:
            raise _BAD_TOKEN from None
        ended_before = self._ended
        answer = await self._is_alive(identity, user_agent)
        if answer.status == 404:
            raise _BAD_TOKEN
        if answer.status != 204:
            raise unavailable("profile")
        if self._ended == ended_before:  # else it may be this one that was ended while the answer was on its way
            self._good[token] = identity
        return identity

    async def _is_alive(self, identity: Identity, user_agent: str | None) -> Answer:
        path = f"/sessions/{identity.session_id}"
        if not isinstance(identity, OutsideIdentity):
            return await self._services.ask("profile", path, user=identity.user)
        session = {"expires_at": identity.expires_at, "user_agent": user_agent and user_agent[:USER_AGENT_MAX]}
        body = orjson.dumps(session, option=orjson.OPT_UTC_Z)
        return await self._services.ask("profile", path, method="PUT", user=identity.user, body=body, is_change=False)

    def _forget(self, user: str, is_ended: Ended) -> None:
        self._ended += 1
        self.on_end(user, is_ended)
        for token, known in list(self._good.items()):
            if is_ended(known):
                self._good.pop(token, None)


def _nothing(_user: str, _is_ended: Ended) -> None:
    pass


def password_of(given: PasswordCheck | None) -> str:
    """The password in a body. Raises a 422 problem where there is none."""
    if given is None:
        raise field_problem("#/password", "Field required")
    return given.password.get_secret_value()


def check_password_answer(answer: Answer) -> None:
    """Raises the problem that stands for the profile service's "wrong" or "too often"; returns for any other answer."""
    if answer.status == 403:
        raise _WRONG_PASSWORD
    if answer.status == 429:
        detail = "There were too many failures; try again later."
        raise ProblemError(
            429, "too-many-failures", detail, headers={"Retry-After": answer.headers.get("Retry-After", "1")}
        )


def _check_freshness(identity: OutsideIdentity) -> None:
    age = None if identity.signed_in_at is None else time.time() - identity.signed_in_at
    if age is None or not -60 <= age <= _FRESH_SECONDS:
        raise _SIGN_IN_AGAIN
