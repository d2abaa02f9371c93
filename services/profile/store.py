"""The users: one document each, keyed by the email, that holds the account and all that is known of them.

Every change is one write of the document with the events that tell of it in its `outbox`. A write takes effect only on
the version that it was made from; who finds another one reads and decides again.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from pymongo import IndexModel, InsertOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.profile.domain.changing import Changed
from services.profile.domain.folding import folded
from services.profile.domain.preferences import changes_others, preferences_updated
from services.profile.domain.users import Choices, Registers, Told, User
from shared.contracts import topics
from shared.contracts.build import make_event
from shared.contracts.dashboard import SectionChanged
from shared.contracts.envelope import Event, Payload, UserPayload
from shared.contracts.identity import UserRegistered
from shared.contracts.profile import ProfileUpdated
from shared.contracts.topics import Topic
from shared.contracts.types import Section
from shared.plumbing import outbox
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document

SOURCE = "/mycelium/profile"
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "users": [
        outbox.INDEX,
        IndexModel("user_id", name="user_id", unique=True),
        IndexModel("leaving.at", name="leaving", sparse=True),
    ]
}
_MOST_TRIES = 100


class ContentionError(Exception):
    """Others changed the document again and again meanwhile. The change was not made; it may be tried again."""


@dataclass(frozen=True, slots=True)
class Folded:
    """How many users a batch changed, and how many it told nothing new of."""

    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """A user whose sessions of up to `at` (UTC) are to end, but for the session `keep`."""

    email: str
    keep: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Known:
    user: User
    version: int
    has_password: bool


class UserStore:
    """Every method raises pymongo.errors.PyMongoError where Mongo does not answer."""

    def __init__(self, database: Database) -> None:
        self._users = database["users"]

    async def find(self, email: str) -> User | None:
        """The user; None for one who is not registered."""
        return _registered(await self._users.find_one({"_id": email}))

    async def with_last_login(self, email: str) -> tuple[User, datetime | None] | None:
        """The user, and when they logged in before the latest time (UTC), if they did; None for one not registered."""
        document = await self._users.find_one({"_id": email})
        user = _registered(document)
        if document is None or user is None:
            return None
        *before, _ = document.get("logins") or [None]
        return user, before[-1] if before else None

    async def find_by_id(self, user_id: str) -> User | None:
        """The user with this opaque id; None for one who is not registered."""
        return _registered(await self._users.find_one({"user_id": user_id}))

    async def register(self, event: Event[UserRegistered], password_hash: str | None) -> User | None:
        """The user after the registration, which is told. None if the account, or without a password the user, is
        there already.

        A user without a password whom somebody else registered may get one this way. Raises ContentionError.
        """
        email = event.data.user_email
        told = [outbox.entry(topics.IDENTITY, event)]
        account = {} if password_hash is None else {"password_hash": password_hash}
        for _ in range(_MOST_TRIES):
            known = await self._known(email)
            if known and (known.has_password or (password_hash is None and known.user.created_at is not None)):
                return None
            user = folded(known.user if known else _new(email), [event]).user
            if not await self._write([_write(known, user, told, account)]):
                return user
        raise ContentionError

    async def change(
        self, email: str, section: Section, decide: Callable[[User], Changed], told: Callable[[Changed], UserPayload]
    ) -> User | None:
        """The user after the change that `decide` makes; None for one who is not registered.

        `decide` is called again when others were quicker. Where something looks different, `told` and section.changed
        are told with it. Raises ContentionError, and whatever `decide` raises.
        """
        for _ in range(_MOST_TRIES):
            known = await self._known(email)
            if known is None or known.user.created_at is None:
                return None
            changed = decide(known.user)
            if changed.user == known.user:
                return known.user
            entries = _changes(section, told(changed)) if changed.names else []
            if not await self._write([_write(known, changed.user, entries)]):
                return changed.user
        raise ContentionError

    async def tell(self, payload: UserPayload) -> bool:
        """Puts something on profile.events; False for a user who is not registered."""
        written = await self._users.update_one(
            {"_id": payload.user_email, "created_at": {"$ne": None}},
            {"$push": {"outbox": _entry(topics.PROFILE, payload, datetime.now(UTC))}},
        )
        return bool(written.matched_count)

    async def fold(self, events: Mapping[str, Sequence[Event[Payload]]]) -> Folded:
        """Folds events into their users, by email. Raises ContentionError; what was folded may be folded again."""
        left, changed = dict(events), set[str]()
        for _ in range(_MOST_TRIES):
            found = await self._users.find({"_id": {"$in": list(left)}}).to_list(None)
            known = {document["_id"]: _known(document) for document in found}
            before = {email: known[email].user if email in known else _new(email) for email in left}
            after = {email: folded(before[email], left[email]) for email in left}
            different = [email for email in left if after[email].user != before[email]]
            late = await self._write(
                [_write(known.get(email), after[email].user, _consequences(after[email])) for email in different]
            )
            changed.update(different)
            left = {different[place]: left[different[place]] for place in late}
            if not left:
                return Folded(len(changed), len(events) - len(changed))
        raise ContentionError

    async def password_hash(self, email: str) -> str | None:
        """The password hash of the account with this email; None if there is no such account, or it has none."""
        found = await self._users.find_one({"_id": email}, {"password_hash": 1})
        return found.get("password_hash") if found else None

    async def replace_password_hash(self, email: str, old: str, new: str) -> bool:
        """Stores another hash of the same password; False if the password was changed meanwhile."""
        written = await self._users.update_one({"_id": email, "password_hash": old}, {"$set": {"password_hash": new}})
        return bool(written.matched_count)

    async def change_password(self, email: str, old: str, new: str, keep: str, now: datetime) -> bool:
        """Stores the hash of a new password, and that all sessions but `keep` are to end, and tells of it.

        False if `old` is not the hash any more.
        """
        told = _entry(topics.PROFILE, ProfileUpdated(user_email=email, changed=["password"]), now)
        written = await self._users.update_one(
            {"_id": email, "password_hash": old},
            {"$set": {"password_hash": new, "leaving": {"keep": keep, "at": now}}, "$push": {"outbox": told}},
        )
        return bool(written.matched_count)

    async def leaving(self) -> list[Leaving]:
        """The users whose sessions are still to end."""
        found = self._users.find({"leaving.at": {"$exists": True}}, {"leaving": 1}, hint="leaving")
        return [Leaving(document["_id"], **document["leaving"]) async for document in found]

    async def has_left(self, leaving: Leaving) -> None:
        """Notes that these sessions have ended."""
        left = {"_id": leaving.email, "leaving": {"keep": leaving.keep, "at": leaving.at}}
        await self._users.update_one(left, {"$unset": {"leaving": 1}})

    async def erase(self, emails: Collection[str]) -> int:
        """Removes the users with all that their documents hold, what is not told yet too; how many there were."""
        removed = await self._users.delete_many({"_id": {"$in": list(emails)}})
        return removed.deleted_count

    async def _known(self, email: str) -> _Known | None:
        document = await self._users.find_one({"_id": email})
        return _known(document) if document else None

    async def _write(self, writes: Sequence[InsertOne[Document] | UpdateOne]) -> set[int]:
        """Writes; the places in `writes` of those that came too late, and maybe of others."""
        if not writes:
            return set()
        result: Mapping[str, Any]  # Any: the server's answer
        try:
            result = (await self._users.bulk_write(list(writes), ordered=False)).bulk_api_result
        except BulkWriteError as error:
            result = error.details
            if any(e["code"] != DUPLICATE_KEY for e in result["writeErrors"]) or result["writeConcernErrors"]:
                raise
        updates = {place for place, write in enumerate(writes) if isinstance(write, UpdateOne)}
        late = {e["index"] for e in result["writeErrors"]}
        return late if result["nMatched"] == len(updates) else late | updates


def _new(email: str) -> User:
    return User(email, str(uuid4()))


def _registered(document: Document | None) -> User | None:
    return _user(document) if document and document["created_at"] is not None else None


def _known(document: Document) -> _Known:
    return _Known(_user(document), document["version"], "password_hash" in document)


def _user(document: Document) -> User:
    return User(
        email=document["_id"],
        user_id=document["user_id"],
        created_at=document["created_at"],
        registered=_registers(document["registered"]),
        found=_registers(document["found"]),
        profile=Choices(**document["profile"]),
        preferences=Choices(**document["preferences"]),
    )


def _registers(kept: Mapping[str, Document]) -> Registers:
    return {name: Told(**told) for name, told in kept.items()}


def _write(
    known: _Known | None, user: User, told: Sequence[Document], more: Mapping[str, str] = {}
) -> InsertOne[Document] | UpdateOne:
    """Fails with a duplicate key, or matches nothing, where another writer was quicker, or has removed the user."""
    fields = {
        "created_at": user.created_at,
        "registered": {name: one._asdict() for name, one in user.registered.items()},
        "found": {name: one._asdict() for name, one in user.found.items()},
        "profile": asdict(user.profile),
        "preferences": asdict(user.preferences),
        **more,
    }
    if known is None:
        return InsertOne({"_id": user.email, "user_id": user.user_id, "version": 1, **fields, "outbox": [*told]})
    made_from = {"_id": user.email, "user_id": user.user_id, "version": known.version}
    change = {"$set": {"version": known.version + 1, **fields}, "$push": {"outbox": {"$each": [*told]}}}
    return UpdateOne(made_from, change)


def _entry(topic: Topic, payload: UserPayload, now: datetime) -> Document:
    return outbox.entry(topic, make_event(payload, source=SOURCE, time=now))


def _changes(section: Section, payload: UserPayload) -> list[Document]:
    now = datetime.now(UTC)
    update = SectionChanged(user_email=payload.user_email, section=section, as_of=now)
    return [_entry(topics.PROFILE, payload, now), _entry(topics.UPDATES, update, now)]


def _consequences(changed: Changed) -> list[Document]:
    """An old file may hold a choice that other services act on, and only this service knows which choices count."""
    if not changes_others(changed.names):
        return []
    return [_entry(topics.PROFILE, preferences_updated(changed), datetime.now(UTC))]
