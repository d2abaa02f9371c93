"""Register, sign in and out, change the password."""

from ipaddress import ip_address
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel

from services.gateway import cookies
from services.gateway.bodies import JsonRoute
from services.gateway.description import (
    BAD_BODY,
    BAD_TOKEN,
    ELSEWHERE,
    PREFIX,
    TOO_MANY_FAILURES,
    UNAVAILABLE,
    answer,
    invalid,
    problem,
)
from services.gateway.services import Answer, Services, unavailable
from services.gateway.sessions import PASSWORD_SECONDS, USER_AGENT_MAX, Sessions, check_password_answer
from services.gateway.tokens import AccessToken, AccessTokens, Identity
from shared.contracts.accounts import Account, Credentials, OpenedSession, PasswordChange, Registration
from shared.plumbing.problems import ProblemError

_WRONG = ProblemError(
    401, "wrong-credentials", "The email or the password is wrong.", headers={"WWW-Authenticate": "Bearer"}
)
_ELSEWHERE = ProblemError(
    404, "accounts-elsewhere", "Accounts are the identity provider's here; register and sign in there."
)
_REGISTRATION = {
    "email": "ada@example.org",
    "password": "correct horse battery",
    "display_name": "Ada",
    "country": "SE",
    "timezone": "Europe/Stockholm",
}
_CREDENTIALS = {"email": "ada@example.org", "password": "correct horse battery"}
_CHANGE = {"old": "correct horse battery", "new": "staple correct horse"}
_TOKEN = {"access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "token_type": "Bearer", "expires_in": 43200}


class Token(BaseModel):
    """An access token, valid for `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


def routes(services: Services, sessions: Sessions, tokens: AccessTokens | None) -> APIRouter:
    """`POST /auth/register`, `/auth/login`, `/auth/password`, `/auth/logout`.

    Without `tokens` accounts are an outside issuer's, and all but the last answer a 404 problem.
    """
    router = APIRouter(prefix=f"{PREFIX}/auth", tags=["auth"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    @router.post(
        "/register",
        status_code=201,
        response_model=Account,
        summary="Make an account",
        responses=answer(
            201,
            "The account was made.",
            {"user_id": "0c6a7a52-3d1e-4f6b-9a58-7e2d1c0b9a81", "email": "ada@example.org"},
        )
        | problem(409, "email-taken", "There is an account with this email; log in, or register another email.")
        | invalid("#/password", "should have 8 to 256 characters")
        | ELSEWHERE
        | BAD_BODY
        | UNAVAILABLE,
    )
    async def register(
        request: Request, _checked: Annotated[Registration, Body(openapi_examples={"all": {"value": _REGISTRATION}})]
    ) -> Response:
        """The email is compared trimmed and in lower case. `timezone` is an IANA name, `country` an ISO 3166 code."""
        _kept_here(tokens)
        body = await request.body()
        made = await services.ask("profile", "/accounts", method="POST", body=body, seconds=PASSWORD_SECONDS)
        return made.response()

    @router.post(
        "/login",
        response_model=Token,
        summary="Log in",
        responses=answer(200, "A token for everything else.", _TOKEN)
        | problem(401, "wrong-credentials", "The email or the password is wrong.")
        | invalid("#/email", "should be an email address such as ada@example.org, at most 254 characters")
        | TOO_MANY_FAILURES
        | ELSEWHERE
        | BAD_BODY
        | UNAVAILABLE,
    )
    async def log_in(
        request: Request, _checked: Annotated[Credentials, Body(openapi_examples={"all": {"value": _CREDENTIALS}})]
    ) -> Response:
        """Opens a session of 12 hours; a page of this site gets the token in the cookie `session`, too.

        Whether it is the email or the password that is wrong is not told.
        """
        opened = await sign_in(services, _kept_here(tokens), request, await request.body())
        if isinstance(opened, Answer):
            return opened.response()
        shown = Token(access_token=opened.text, expires_in=opened.expires_in)
        response = Response(shown.model_dump_json(), media_type="application/json")
        if cookies.is_own_page(request.scope):
            cookies.keep(response, request, opened.text, opened.expires_in)
        return response

    @router.post(
        "/password",
        status_code=204,
        summary="Change the password",
        responses=answer(204, "Changed; all other tokens of the user are dead.")
        | problem(403, "wrong-password", "The password is wrong.")
        | invalid("#/new", "should have 8 to 256 characters")
        | TOO_MANY_FAILURES
        | ELSEWHERE
        | BAD_BODY
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def change_password(
        identity: Asking, change: Annotated[PasswordChange, Body(openapi_examples={"all": {"value": _CHANGE}})]
    ) -> Response:
        """Ends all the user's other sessions; the one that asks goes on."""
        _kept_here(tokens)
        changed = await set_password(
            services, sessions, identity, change.old.get_secret_value(), change.new.get_secret_value()
        )
        return changed.response()

    @router.post(
        "/logout",
        status_code=204,
        summary="Log out",
        responses=answer(204, "The session has ended; its token is dead.") | BAD_TOKEN | UNAVAILABLE,
    )
    async def log_out(request: Request, identity: Asking) -> Response:
        """Ends the session that the token belongs to. The user's other sessions go on."""
        ended = await sessions.end(identity, identity.session_id)
        if ended.status not in (204, 404):
            raise unavailable("profile")
        response = Response(status_code=204)
        cookies.forget(response, request)
        return response

    return router


def _kept_here(tokens: AccessTokens | None) -> AccessTokens:
    if tokens is None:
        raise _ELSEWHERE
    return tokens


async def set_password(services: Services, sessions: Sessions, identity: Identity, old: str, new: str) -> Answer:
    """What the profile service says to a new password. All the user's sessions but this one end.

    Raises a 403 problem where the old one is wrong, 429 after too many wrong ones.
    """
    body = orjson.dumps({"old": old, "new": new, "session_id": identity.session_id})
    try:
        changed = await services.ask(
            "profile", "/password", method="POST", user=identity.user, body=body, seconds=PASSWORD_SECONDS
        )
    finally:
        sessions.forget_all_of(identity.user)
    check_password_answer(changed)
    return changed


async def sign_in(
    services: Services, signing: AccessTokens, request: Request, credentials: bytes
) -> AccessToken | Answer:
    """A token for a new session of whoever the credentials, a JSON text, are of.

    Raises a 401 problem where they are wrong; whatever else the profile service says is returned as it is.
    """
    user_agent = request.headers.get("user-agent")
    login = {
        "credentials": orjson.Fragment(credentials),
        "user_agent": user_agent and user_agent[:USER_AGENT_MAX],
        "address": _address(request),
    }
    opened = await services.ask(
        "profile", "/sessions", method="POST", body=orjson.dumps(login), seconds=PASSWORD_SECONDS
    )
    if opened.status == 403:
        raise _WRONG
    if opened.status != 201:
        return opened
    session = OpenedSession.model_validate_json(opened.body)
    services.on_change(session.user)
    return signing.sign(Identity(session.user, session.session_id), session.expires_at)


def _address(request: Request) -> str | None:
    """The client's network address in one spelling; None for what is none, which a proxy may have let through."""
    try:
        return str(ip_address(request.client.host)) if request.client else None
    except ValueError:
        return None
