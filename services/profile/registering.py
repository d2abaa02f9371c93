"""Making users: of those who register here, and of those whom an outside issuer vouches for."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from services.profile.domain.users import User
from services.profile.store import SOURCE, UserStore
from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.times import as_time

Reopen = Callable[[str, datetime], Awaitable[datetime]]


class Registrar:
    """Registers users. `reopen` lets one in again who was erased, and says of when (UTC) the registration is."""

    def __init__(self, users: UserStore, reopen: Reopen) -> None:
        self._users = users
        self._reopen = reopen

    async def register(self, registered: UserRegistered, password_hash: str | None) -> User | None:
        """The user who was made, or has a password now; None if they had one, or needed none, before.

        Raises a 409 problem while an earlier account with this email is being erased.
        """
        at = await self._reopen(registered.user_email, datetime.now(UTC))
        return await self._users.register(make_event(registered, source=SOURCE, time=at), password_hash)

    async def vouched_for(self, email: str) -> datetime:
        """Makes the user if there is none; since when, in UTC, what they do counts: now, or the registration."""
        if await self._users.find(email) is None:
            made = await self.register(UserRegistered(user_email=email), None)
            if made is not None and made.created_at is not None:
                return as_time(made.created_at)
        return datetime.now(UTC)
