"""Accounts and their passwords."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.profile.guard import WRONG, Guard
from services.profile.leaving import Leavers
from services.profile.passwords import Passwords
from services.profile.registering import Registrar
from services.profile.store import UserStore
from shared.contracts.accounts import Account, PasswordChangeFrom, PasswordCheck, Registration
from shared.contracts.identity import UserRegistered
from shared.plumbing.internal_api import caller, user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

_TAKEN = ProblemError(409, "email-taken", "There is an account with this email; log in, or register another email.")


def routes(
    users: UserStore,
    registrar: Registrar,
    passwords: Passwords,
    guard: Guard,
    leavers: Leavers,
    tokens: InternalTokens,
    told: Callable[[], None],
) -> APIRouter:
    """Registers, checks and changes passwords; calls `told` after each change: an event stands in an outbox."""
    router = APIRouter()
    User = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.post("/accounts", dependencies=[Depends(caller("profile", tokens))])
    async def register(new: Registration) -> Response:
        registered = UserRegistered(
            user_email=new.email, display_name=new.display_name, country=new.country, timezone=new.timezone
        )
        hashed = await passwords.hash(new.password)
        made = await registrar.register(registered, hashed)
        if made is None:
            raise _TAKEN
        told()
        account = Account(user_id=made.user_id, email=made.email)
        return Response(account.model_dump_json(), 201, media_type="application/json")

    @router.post("/password-checks", status_code=204)
    async def check_password(email: User, asked: PasswordCheck) -> None:
        await guard.check(email, asked.password)

    @router.post("/password", status_code=204)
    async def change_password(email: User, change: PasswordChangeFrom) -> None:
        """The sessions end after the password is changed, so that nobody opens one with the old password meanwhile."""
        old = await guard.check(email, change.old)
        new = await passwords.hash(change.new)
        if not await users.change_password(email, old, new, change.session_id, datetime.now(UTC)):
            raise WRONG
        await leavers.see_off()
        told()

    return router
