"""The user's account: where they are signed in, and how they leave."""

from datetime import datetime
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Body, Depends, Path, Request, Response
from pydantic import BaseModel

from services.gateway.bodies import JsonRoute
from services.gateway.description import (
    BAD_BODY,
    BAD_TOKEN,
    PREFIX,
    TOO_MANY_FAILURES,
    UNAVAILABLE,
    Responses,
    answer,
    invalid,
    problem,
)
from services.gateway.passing import passed_on
from services.gateway.services import Answer, Services
from services.gateway.sessions import PASSWORD_SECONDS, Sessions, check_password_answer, password_of
from services.gateway.tokens import Identity, OutsideIdentity
from shared.contracts.accounts import ListedSession, PasswordCheck, SessionList

_ID = r"^[A-Za-z0-9_-]{1,256}$"
_SESSION = {
    "id": "Yb0sVjCkqWm1dE5tXnUo3fRz7aGhLp2Q",
    "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "opened_at": "2026-01-31T08:00:00Z",
    "last_seen_at": "2026-01-31T09:25:00Z",
    "expires_at": "2026-01-31T20:00:00Z",
    "current": True,
}
_ERASURE = {
    "erasure_id": "era-3f1d8c52b7a94e06a1c0d9e8f7b6a543",
    "state": "pending",
    "requested_at": "2026-01-31T09:30:00Z",
    "services": {"activity": "2026-01-31T09:30:01Z"},
}


class SignedIn(ListedSession):
    """Where the user is signed in; `current` is the session that asks."""

    current: bool


class SignedInList(BaseModel):
    """The sessions that are alive, the newest first."""

    items: list[SignedIn]


class Erasure(BaseModel):
    """How far an erasure has come: when each service had removed all, null where it has not said so yet."""

    erasure_id: str
    state: Literal["pending", "completed"]
    requested_at: datetime
    completed_at: datetime | None = None
    services: dict[str, datetime | None]


PasswordAgain = Annotated[
    PasswordCheck | None, Body(openapi_examples={"password": {"value": {"password": "correct horse battery"}}})
]
SAID_NO = problem(403, "wrong-password", "The password is wrong.") | TOO_MANY_FAILURES


def routes(services: Services, sessions: Sessions) -> APIRouter:
    """`GET /sessions`, `DELETE /sessions/{id}`, `DELETE /account`, `GET /erasures/{id}`."""
    router = APIRouter(prefix=PREFIX, tags=["account"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    @router.get(
        "/sessions",
        response_model=SignedInList,
        summary="Where the user is signed in",
        responses=answer(200, "All that are alive.", {"items": [_SESSION]}) | BAD_TOKEN | UNAVAILABLE,
    )
    async def signed_in(request: Request, identity: Asking) -> Response:
        """The newest first. `current` is the session of the token that asks."""
        answered = await passed_on(services, "profile", request, identity)
        if answered.status != 200:
            return answered.response()
        known = SessionList.model_validate_json(answered.body).items
        items = [SignedIn(**session.model_dump(), current=session.id == identity.session_id) for session in known]
        return Response(SignedInList(items=items).model_dump_json(), media_type="application/json")

    @router.delete(
        "/sessions/{session_id}",
        status_code=204,
        summary="End a session",
        responses=answer(204, "Ended; its token is dead.")
        | problem(404, "no-session", "There is no such session any more; log in again.")
        | invalid("#/session_id", "String should match pattern …")
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def end(identity: Asking, session_id: Annotated[str, Path(pattern=_ID)]) -> Response:
        """Signs the user out there. A session of somebody else looks as if it did not exist."""
        return (await sessions.end(identity, session_id)).response()

    @router.delete(
        "/account",
        status_code=202,
        response_model=Erasure,
        summary="Erase the user and everything about them",
        responses=_followed(answer(202, "It has begun and cannot be undone.", _ERASURE))
        | SAID_NO
        | invalid("#/password", "Field required")
        | BAD_BODY
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def erase(identity: Asking, body: PasswordAgain = None) -> Response:
        """Asks for the password again; where accounts are an outside issuer's, for a sign-in of the last five minutes.

        All tokens are dead here, and within five seconds at every other gateway. Every service removes what it has; the
        `Location`, which needs no token, tells how far that has come.
        """
        erased = await begin_erasure(services, sessions, identity, body)
        response = erased.response()
        if erased.status == 202:
            response.headers["Location"] = f"{PREFIX}/erasures/{orjson.loads(erased.body)['erasure_id']}"
        return response

    @router.get(
        "/erasures/{erasure_id}",
        response_model=Erasure,
        summary="How far an erasure has come",
        responses=answer(200, "`pending` until every service has said that it is done.", _ERASURE)
        | problem(404, "no-erasure", "There is no such erasure.")
        | invalid("#/erasure_id", "String should match pattern …")
        | UNAVAILABLE,
    )
    async def erasure(erasure_id: Annotated[str, Path(pattern=_ID)]) -> Response:
        """Needs no token, as there is no account any more: the id is known to nobody but who asked for the erasure."""
        return (await services.ask("profile", f"/erasures/{erasure_id}")).response()

    return router


async def begin_erasure(
    services: Services, sessions: Sessions, identity: Identity, given: PasswordCheck | None
) -> Answer:
    """What the profile service says when the user is to be erased; all their tokens are dead then.

    Raises a 403 problem unless it is really the user, 422 where a password is missing, 429 after too many wrong ones.
    """
    body = orjson.dumps(await _confirmation(sessions, identity, given))
    try:
        erased = await services.ask(
            "profile", "/erasures", method="POST", user=identity.user, body=body, seconds=PASSWORD_SECONDS
        )
    finally:
        sessions.forget_all_of(identity.user)
    check_password_answer(erased)
    return erased


async def _confirmation(sessions: Sessions, identity: Identity, given: PasswordCheck | None) -> dict[str, str]:
    """What the profile service is told: the password, for it to check, or nothing where the issuer's word is enough."""
    if isinstance(identity, OutsideIdentity):
        await sessions.confirm(identity, None)
        return {}
    return {"password": password_of(given)}


def _followed(responses: Responses) -> Responses:
    header = {"Location": {"schema": {"type": "string"}, "example": f"{PREFIX}/erasures/{_ERASURE['erasure_id']}"}}
    return {status: described | {"headers": header} for status, described in responses.items()}
