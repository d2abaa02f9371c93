"""Sessions: opened, listed, checked and ended."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from services.profile.domain.sessions import Session, open_session
from services.profile.guard import WRONG, Guard
from services.profile.registering import Registrar
from services.profile.session_store import SessionStore
from shared.contracts.accounts import ExternalSession, Login, OpenedSession, SessionList
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import caller, user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

_NO_SESSION = ProblemError(404, "no-session", "There is no such session any more; log in again.")


def routes(
    store: SessionStore,
    guard: Guard,
    registrar: Registrar,
    erasure: Erasure,
    tokens: InternalTokens,
    told: Callable[[], None],
) -> APIRouter:
    """Opens, lists, checks and ends; calls `told` after each change: an event stands in an outbox."""
    router = APIRouter()
    User = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.post("/sessions", dependencies=[Depends(caller("profile", tokens))])
    async def log_in(login: Login) -> Response:
        email = login.credentials.email
        checked = await guard.check(email, login.credentials.password, login.address)
        session = open_session(secrets.token_urlsafe(24), email, login.user_agent, datetime.now(UTC))
        await store.add(session)
        if not await guard.still_holds(email, checked):
            await store.drop(session.id)
            raise WRONG
        told()
        return _answer(OpenedSession(user=email, session_id=session.id, expires_at=session.expires_at), 201)

    @router.get("/sessions")
    async def signed_in(email: User) -> Response:
        return _answer(SessionList(items=await store.of(email, datetime.now(UTC))))

    @router.get("/sessions/{session_id}", status_code=204)
    async def is_alive(email: User, session_id: str) -> None:
        if not await store.is_alive(email, session_id, datetime.now(UTC)):
            raise _NO_SESSION

    @router.put("/sessions/{session_id}", status_code=204)
    async def make_known(email: User, session_id: str, seen: ExternalSession) -> None:
        """An ended one opens no account again; else the registration comes first, as nothing counts before it."""
        session = Session(session_id, email, seen.user_agent, datetime.now(UTC), seen.expires_at)
        if session.expires_at <= session.opened_at:
            raise _NO_SESSION
        if await store.goes_on(session):
            return
        if await store.is_closed(email, session_id):
            raise _NO_SESSION
        session = replace(session, opened_at=await registrar.vouched_for(email))
        async with erasure.writing(email):
            known = await store.make_known(session)
        if not known:
            raise _NO_SESSION
        told()

    @router.delete("/sessions/{session_id}", status_code=204)
    async def end(email: User, session_id: str) -> None:
        if not await store.end(email, session_id, datetime.now(UTC)):
            raise _NO_SESSION
        told()

    return router


def _answer(body: BaseModel, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status, media_type="application/json")
