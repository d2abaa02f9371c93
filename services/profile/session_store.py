"""The sessions: one document each, keyed by the session's id, with the events that tell of it in its `outbox`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from pymongo import DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.profile.domain.sessions import Session, logged_out
from services.profile.store import SOURCE
from shared.contracts import topics
from shared.contracts.accounts import ListedSession
from shared.contracts.build import make_event
from shared.contracts.dashboard import SectionChanged
from shared.contracts.envelope import UserPayload
from shared.plumbing import outbox
from shared.plumbing.mongo import Database, Document

_KEPT_AFTER_EXPIRY = timedelta(days=7)
_SEEN_EVERY = timedelta(minutes=5)
_LOGINS_KEPT = 2  # the latest one, and the one before that the overview shows
_SHOWN = ("user_agent", "opened_at", "last_seen_at", "expires_at")
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "sessions": [
        outbox.INDEX,
        IndexModel([("user", 1), ("opened_at", DESCENDING)], name="user"),
        IndexModel(
            "expires_at",
            name="expired",
            expireAfterSeconds=int(_KEPT_AFTER_EXPIRY.total_seconds()),
            partialFilterExpression={"outbox": []},  # what is not published yet is not removed
        ),
    ],
}


class SessionStore:
    """Every method raises pymongo.errors.PyMongoError where Mongo does not answer. All times are in UTC."""

    def __init__(self, database: Database) -> None:
        self._sessions = database["sessions"]
        self._users = database["users"]

    async def add(self, session: Session) -> None:
        """Stores a session that was opened, and with its user when that was, as sessions are not kept for long.

        Raises pymongo.errors.DuplicateKeyError if there is one with this id.
        """
        await self._sessions.insert_one(
            {
                "_id": session.id,
                "user": session.user,
                "user_agent": session.user_agent,
                "opened_at": session.opened_at,
                "last_seen_at": session.opened_at,
                "expires_at": session.expires_at,
                "ended_at": None,
                "outbox": _opened(session),
            }
        )
        latest = {"$each": [session.opened_at], "$sort": 1, "$slice": -_LOGINS_KEPT}
        await self._users.update_one({"_id": session.user}, {"$push": {"logins": latest}})

    async def make_known(self, session: Session) -> bool:
        """Stores a session of an outside issuer, unless it is known; False if it was ended, or is another user's."""
        return await self.goes_on(session) or await self._add_once(session) or await self.goes_on(session)

    async def goes_on(self, session: Session) -> bool:
        """Whether the session is known and was not ended; notes now and then that it was seen, and a later expiry."""
        own = {"_id": session.id, "user": session.user, "ended_at": None}
        found = await self._sessions.find_one(own, {"last_seen_at": 1, "expires_at": 1})
        if found is None:
            return False
        if found["last_seen_at"] < session.opened_at - _SEEN_EVERY or found["expires_at"] < session.expires_at:
            later = {"last_seen_at": session.opened_at, "expires_at": session.expires_at}
            await self._sessions.update_one(own, {"$max": later})
        return True

    async def _add_once(self, session: Session) -> bool:
        try:
            await self.add(session)
        except DuplicateKeyError:
            return False
        return True

    async def is_closed(self, user: str, session_id: str) -> bool:
        """Whether there was such a session, and it was ended or is another user's."""
        found = await self._sessions.find_one({"_id": session_id}, {"user": 1, "ended_at": 1})
        return found is not None and (found["user"] != user or found["ended_at"] is not None)

    async def is_alive(self, user: str, session_id: str, now: datetime) -> bool:
        """Whether `user` has such a session, neither ended nor expired `now`; notes now and then that it was seen."""
        alive = _alive(user, now) | {"_id": session_id}
        found = await self._sessions.find_one(alive, {"last_seen_at": 1})
        if found and found["last_seen_at"] < now - _SEEN_EVERY:
            await self._sessions.update_one(alive, {"$max": {"last_seen_at": now}})
        return found is not None

    async def of(self, user: str, now: datetime) -> list[ListedSession]:
        """The user's sessions that are alive `now`, the newest first."""
        found = self._sessions.find(_alive(user, now), _SHOWN).sort("opened_at", DESCENDING)
        return [ListedSession(id=d["_id"], **{name: d[name] for name in _SHOWN}) async for d in found]

    async def end(self, user: str, session_id: str, now: datetime) -> bool:
        """Ends the session `now`; one that is not alive is left as it is. False if the user has no such session."""
        told = _told(logged_out(user, session_id), now)
        written = await self._sessions.update_one(
            _alive(user, now) | {"_id": session_id}, {"$set": {"ended_at": now}, "$push": {"outbox": told}}
        )
        return bool(written.matched_count) or await self._has_had(user, session_id)

    async def _has_had(self, user: str, session_id: str) -> bool:
        return await self._sessions.find_one({"_id": session_id, "user": user}, {"_id": 1}) is not None

    async def end_others(self, user: str, keep: str, opened_until: datetime, now: datetime) -> None:
        """Ends `now` the user's sessions that were opened up to that time, but for the session `keep`."""
        others = _alive(user, now) | {"_id": {"$ne": keep}, "opened_at": {"$lte": opened_until}}
        async for document in self._sessions.find(others, {"_id": 1}):
            await self.end(user, document["_id"], now)

    async def drop(self, session_id: str) -> None:
        """Removes a session that should not have been opened."""
        await self._sessions.delete_one({"_id": session_id})

    async def erase(self, users: Collection[str], now: datetime) -> int:
        """Removes all that the users' sessions hold; how many there were.

        What stays until they would have expired is that these ids are ended: an outside issuer's token, which is good
        for as long, opens none of them again.
        """
        nothing_left: Document = {"user_agent": "", "opened_at": "", "last_seen_at": ""}
        removed = await self._sessions.update_many(
            {"user": {"$in": list(users)}},
            {"$set": {"user": None, "ended_at": now, "outbox": []}, "$unset": nothing_left},
        )
        return removed.modified_count


def _alive(user: str, now: datetime) -> Document:
    return {"user": user, "ended_at": None, "expires_at": {"$gt": now}}


def _opened(session: Session) -> list[Document]:
    changed = SectionChanged(user_email=session.user, section="profile", as_of=session.opened_at)
    update = outbox.entry(topics.UPDATES, make_event(changed, source=SOURCE, time=session.opened_at))
    return [_told(session.logged_in(), session.opened_at), update]


def _told(payload: UserPayload, time: datetime) -> Document:
    return outbox.entry(topics.IDENTITY, make_event(payload, source=SOURCE, time=time))
