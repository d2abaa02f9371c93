"""After a password was changed, the user's other sessions end, also if the process was killed in between."""

from datetime import UTC, datetime

from services.profile.session_store import SessionStore
from services.profile.store import UserStore


class Leavers:
    """Ends the sessions of those who changed their password."""

    def __init__(self, users: UserStore, sessions: SessionStore) -> None:
        self._users = users
        self._sessions = sessions

    async def see_off(self) -> None:
        """Ends all that are still to end. Raises pymongo.errors.PyMongoError; it may then be called again."""
        for leaving in await self._users.leaving():
            await self._sessions.end_others(leaving.email, leaving.keep, leaving.at, datetime.now(UTC))
            await self._users.has_left(leaving)
