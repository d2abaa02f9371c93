"""Register, log in, log out."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from pydantic import BaseModel

from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_BODY, BAD_TOKEN, PREFIX, UNAVAILABLE, answer, invalid, problem
from services.gateway.services import Services
from services.gateway.sessions import Sessions, bearer
from services.gateway.tokens import AccessTokens, Identity
from shared.contracts.accounts import Account, Credentials, OpenedSession, Registration
from shared.plumbing.problems import ProblemError

_HASHING_SECONDS = 15.0  # a password is slow to check by design, and others may be before it
_USER_AGENT_MAX = 500
_WRONG = ProblemError(
    401, "wrong-credentials", "The email or the password is wrong.", headers={"WWW-Authenticate": "Bearer"}
)
_REGISTRATION = {
    "email": "ada@example.org",
    "password": "correct horse battery",
    "display_name": "Ada",
    "country": "SE",
    "timezone": "Europe/Stockholm",
}
_CREDENTIALS = {"email": "ada@example.org", "password": "correct horse battery"}
_TOKEN = {"access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "token_type": "Bearer", "expires_in": 43200}


class Token(BaseModel):
    """An access token, valid for `expires_in` seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"
    expires_in: int


def routes(services: Services, sessions: Sessions, tokens: AccessTokens) -> APIRouter:
    """`POST /auth/register`, `/auth/login`, `/auth/logout`."""
    router = APIRouter(prefix=f"{PREFIX}/auth", tags=["auth"], route_class=JsonRoute)

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
        | BAD_BODY
        | UNAVAILABLE,
    )
    async def register(
        request: Request, _checked: Annotated[Registration, Body(openapi_examples={"all": {"value": _REGISTRATION}})]
    ) -> Response:
        """The email is compared trimmed and in lower case. `timezone` is an IANA name, `country` an ISO 3166 code."""
        body = await request.body()
        made = await services.ask("profile", "/accounts", method="POST", body=body, seconds=_HASHING_SECONDS)
        return made.response()

    @router.post(
        "/login",
        response_model=Token,
        summary="Log in",
        responses=answer(200, "A token for everything else.", _TOKEN)
        | problem(401, "wrong-credentials", "The email or the password is wrong.")
        | invalid("#/email", "should be an email address such as ada@example.org, at most 254 characters")
        | BAD_BODY
        | UNAVAILABLE,
    )
    async def log_in(
        request: Request, _checked: Annotated[Credentials, Body(openapi_examples={"all": {"value": _CREDENTIALS}})]
    ) -> Response:
        """Opens a session of 12 hours. Whether it is the email or the password that is wrong is not told."""
        user_agent = request.headers.get("user-agent")
        login = {
            "credentials": orjson.Fragment(await request.body()),
            "user_agent": user_agent and user_agent[:_USER_AGENT_MAX],
        }
        opened = await services.ask(
            "profile", "/sessions", method="POST", body=orjson.dumps(login), seconds=_HASHING_SECONDS
        )
        if opened.status == 403:
            raise _WRONG
        if opened.status != 201:
            return opened.response()
        session = OpenedSession.model_validate_json(opened.body)
        token = tokens.sign(Identity(session.user, session.session_id), session.expires_at)
        shown = Token(access_token=token.text, expires_in=token.expires_in)
        return Response(shown.model_dump_json(), media_type="application/json")

    @router.post(
        "/logout",
        status_code=204,
        summary="Log out",
        responses=answer(204, "The session has ended; its token is dead.") | BAD_TOKEN | UNAVAILABLE,
    )
    async def log_out(
        identity: Annotated[Identity, Depends(sessions.identity)],
        shown: Annotated[HTTPAuthorizationCredentials, Depends(bearer)],
    ) -> None:
        """Ends the session that the token belongs to. The user's other sessions go on."""
        await sessions.end(identity, shown.credentials)

    return router
