"""The profile service's own API, for the gateway: accounts and sessions."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends, Response
from pydantic import SecretStr

from services.profile.domain.accounts import Account, open_session
from services.profile.passwords import Passwords
from services.profile.store import ProfileStore
from shared.contracts import accounts
from shared.contracts.accounts import Login, OpenedSession, PasswordCheck, Registration
from shared.plumbing.internal_api import caller, user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

_TAKEN = ProblemError(409, "email-taken", "There is an account with this email; log in, or register another email.")
_WRONG = ProblemError(403, "wrong-credentials", "The email or the password is wrong.")
_NO_SESSION = ProblemError(404, "no-session", "There is no such session any more; log in again.")


def routes(store: ProfileStore, passwords: Passwords, tokens: InternalTokens, told: Callable[[], None]) -> APIRouter:
    """Registers, opens, checks and ends; calls `told` after each change, because it has put an event into an outbox."""
    router = APIRouter()
    gateway = Depends(caller("profile", tokens))
    User = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.post("/accounts", dependencies=[gateway])
    async def register(new: Registration) -> Response:
        account = Account(
            email=new.email,
            user_id=str(uuid4()),
            password_hash=await passwords.hash(new.password),
            created_at=datetime.now(UTC),
            display_name=new.display_name,
            country=new.country,
            timezone=new.timezone,
        )
        if not await store.add_account(account):
            raise _TAKEN
        told()
        return _created(accounts.Account(user_id=account.user_id, email=account.email))

    @router.post("/sessions", dependencies=[gateway])
    async def log_in(login: Login) -> Response:
        email = login.credentials.email
        await _check_password(store, passwords, email, login.credentials.password)
        session = open_session(secrets.token_urlsafe(24), email, login.user_agent, datetime.now(UTC))
        await store.add_session(session)
        told()
        return _created(OpenedSession(user=email, session_id=session.id, expires_at=session.expires_at))

    @router.post("/password-checks", status_code=204)
    async def check_password(email: User, asked: PasswordCheck) -> None:
        await _check_password(store, passwords, email, asked.password)

    @router.get("/sessions/{session_id}", status_code=204)
    async def is_alive(email: User, session_id: str) -> None:
        if not await store.is_alive(email, session_id, datetime.now(UTC)):
            raise _NO_SESSION

    @router.delete("/sessions/{session_id}", status_code=204)
    async def log_out(email: User, session_id: str) -> None:
        await store.end_session(email, session_id, datetime.now(UTC))
        told()

    return router


async def _check_password(store: ProfileStore, passwords: Passwords, email: str, password: SecretStr) -> None:
    """Raises the 403 problem unless the password is right; who has no account cannot be told from who mistyped."""
    known = await store.password_hash(email)
    if not await passwords.is_right(password, known) or known is None:
        raise _WRONG
    if passwords.is_outdated(known):
        await store.replace_password_hash(email, known, await passwords.hash(password))


def _created(body: accounts.Account | OpenedSession) -> Response:
    return Response(body.model_dump_json(), 201, media_type="application/json")
