"""The sessions in which a user is signed in, and what the rest of the system is told of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.identity import UserLoggedIn, UserLoggedOut

SESSION_LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    """A stay of `user` (a normalised email) from login to logout, or to `expires_at`. Times are in UTC."""

    id: str
    user: str
    user_agent: str | None
    opened_at: datetime
    expires_at: datetime

    def logged_in(self) -> UserLoggedIn:
        """What is told when the session is opened."""
        return UserLoggedIn(user_email=self.user, session_id=self.id, user_agent=self.user_agent)


def open_session(id: str, user: str, user_agent: str | None, now: datetime) -> Session:
    """The session of `user` that starts `now` (UTC) and lasts SESSION_LIFETIME."""
    return Session(id, user, user_agent, opened_at=now, expires_at=now + SESSION_LIFETIME)


def logged_out(user: str, session_id: str) -> UserLoggedOut:
    """What is told when a session is ended by its user."""
    return UserLoggedOut(user_email=user, session_id=session_id)
