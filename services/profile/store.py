"""The profile service's collections: the only file of it that speaks Mongo.

`accounts` holds one document per account, keyed by the email; `sessions` one per login, keyed by the session's id.
Each carries the events that tell of it in its `outbox` until they are published.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from services.profile.domain.accounts import Account, Session, logged_out
from shared.contracts import topics
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.plumbing import outbox
from shared.plumbing.mongo import Database, Document

OUTBOXES = ("accounts", "sessions")
_SOURCE = "/mycelium/profile"
_KEPT_AFTER_EXPIRY = timedelta(days=7)
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "accounts": [outbox.INDEX],
    "sessions": [
        outbox.INDEX,
        IndexModel(
            "expires_at",
            name="expired",
            expireAfterSeconds=int(_KEPT_AFTER_EXPIRY.total_seconds()),
            partialFilterExpression={"outbox": []},  # what is not published yet is not removed
        ),
    ],
}


class ProfileStore:
    """Accounts and sessions, each change stored in one write with the event that tells of it.

    Every method raises pymongo.errors.PyMongoError where Mongo does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._accounts = database["accounts"]
        self._sessions = database["sessions"]

    async def add_account(self, account: Account) -> bool:
        """Stores a new account; False if the email has one already."""
        document = {
            "_id": account.email,
            "user_id": account.user_id,
            "password_hash": account.password_hash,
            "created_at": account.created_at,
            "display_name": account.display_name,
            "country": account.country,
            "timezone": account.timezone,
            "outbox": [_told(account.registered(), account.created_at)],
        }
        try:
            await self._accounts.insert_one(document)
        except DuplicateKeyError:
            return False
        return True

    async def password_hash(self, email: str) -> str | None:
        """The password hash of the account with this email; None if there is no such account."""
        found = await self._accounts.find_one({"_id": email}, {"password_hash": 1})
        return found["password_hash"] if found else None

    async def replace_password_hash(self, email: str, old: str, new: str) -> None:
        """Stores another hash of the same password, unless the password was changed meanwhile."""
        await self._accounts.update_one({"_id": email, "password_hash": old}, {"$set": {"password_hash": new}})

    async def add_session(self, session: Session) -> None:
        """Stores a session that was opened."""
        await self._sessions.insert_one(
            {
                "_id": session.id,
                "user": session.user,
                "user_agent": session.user_agent,
                "opened_at": session.opened_at,
                "expires_at": session.expires_at,
                "ended_at": None,
                "outbox": [_told(session.logged_in(), session.opened_at)],
            }
        )

    async def is_alive(self, user: str, session_id: str, now: datetime) -> bool:
        """Whether `user` has such a session, neither ended nor expired `now` (UTC)."""
        found = await self._sessions.find_one(_alive(user, session_id, now), {"_id": 1})
        return found is not None

    async def end_session(self, user: str, session_id: str, now: datetime) -> None:
        """Ends the session, `now` (UTC); one that is not alive is left as it is."""
        told = _told(logged_out(user, session_id), now)
        await self._sessions.update_one(
            _alive(user, session_id, now), {"$set": {"ended_at": now}, "$push": {"outbox": told}}
        )


def _alive(user: str, session_id: str, now: datetime) -> Document:
    return {"_id": session_id, "user": user, "ended_at": None, "expires_at": {"$gt": now}}


def _told(payload: UserPayload, time: datetime) -> Document:
    return outbox.entry(topics.IDENTITY, make_event(payload, source=_SOURCE, time=time))
