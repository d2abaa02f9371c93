"""The notifications in Mongo: one document each, and the places that each user signed in from.

A notification is kept whatever its user prefers, and shown only if they want its kind: so switching a kind off and on
again loses nothing, and what was read stays read.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel, UpdateOne

from services.analytics.domain.notices import (
    TOLD_BY,
    Notice,
    SignIn,
    browser_of,
    country_of,
    is_recent,
    new_sign_ins,
    notice_of,
)
from services.analytics.domain.settling import KEPT, Settled
from services.analytics.domain.wording import body_of, title_of
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserLoggedIn
from shared.contracts.notification_views import Notification, NotificationKind, NotificationQuery
from shared.contracts.reading import AnyEvent
from shared.contracts.times import as_time, microseconds
from shared.folds.facts import SETTINGS, digest, key_of
from shared.folds.state import value
from shared.plumbing.mongo import Database, Document
from shared.plumbing.paging import NEWEST_FIRST, after, older_than, page

USED: Final[tuple[type[UserPayload], ...]] = (*TOLD_BY, UserLoggedIn)
SWITCHES: Final[Mapping[NotificationKind, str]] = {
    "deployment": "deployment_alerts",
    "billing": "billing_alerts",
    "anomaly": "billing_alerts",
    "budget": "billing_alerts",
    "security": "security_alerts",
}
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "notifications": [
        IndexModel([("user", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="newest"),
        IndexModel([("user", ASCENDING), ("read_at", ASCENDING), ("kind", ASCENDING)], name="unread"),
        IndexModel([("mail.state", ASCENDING), ("at", ASCENDING)], name="mail"),
        IndexModel([("made", ASCENDING)], name="kept", expireAfterSeconds=int(KEPT.total_seconds())),
    ],
    "sign_ins": [IndexModel([("user", ASCENDING), ("first", ASCENDING)], name="user")],
}


class Notifications:
    """Keeps what the users should know. Every method may raise PyMongoError."""

    def __init__(self, database: Database) -> None:
        self._notifications, self._sign_ins = database["notifications"], database["sign_ins"]
        self._settings = database["settings"]

    async def take(self, events: Sequence[AnyEvent]) -> tuple[frozenset[str], frozenset[str]]:
        """Keeps what events say by themselves, and where users signed in: who was told something, who signed in."""
        now = datetime.now(UTC)
        told = [(e.data.key, made) for e in events if (made := notice_of(e)) and is_recent(made.at, now)]
        if told:
            await self._notifications.bulk_write([_insert(*each, now) for each in told], ordered=False)
        places = [(e.time, e.data) for e in events if isinstance(e.data, UserLoggedIn)]
        if places:
            await self._sign_ins.bulk_write([_place(at, login) for at, login in places], ordered=False)
        return frozenset(user for user, _ in told), frozenset(login.user_email for _, login in places)

    async def sign_ins(self, user: str, now: datetime) -> list[Notice]:
        """The recent sign-ins from places that the user was never seen at before."""
        found = self._sign_ins.find({"user": user})
        places = [SignIn(each["country"], each["browser"], as_time(each["first"])) async for each in found]
        return [each for each in new_sign_ins(user, places) if is_recent(each.at, now)]

    async def known(self, user: str) -> list[Notice]:
        """All that are kept of the user."""
        return [_notice(each) async for each in self._notifications.find({"user": user})]

    async def keep(self, user: str, settled: Settled) -> None:
        """Stores what was settled; what was read stays read."""
        now = datetime.now(UTC)
        if settled.save:
            await self._notifications.bulk_write([_save(user, each, now) for each in settled.save], ordered=False)
        if settled.remove:
            await self._notifications.delete_many({"user": user, "_id": {"$in": list(settled.remove)}})

    async def page(self, user: str, asked: NotificationQuery) -> Document:
        """One page of the list, newest first, and how many are unread in all. Raises a 400 problem for the cursor."""
        wanted: Document = self._of(user, await self.kinds(user), unread=asked.unread)
        if position := after(user, asked.cursor):
            wanted |= older_than(position)
        found = (
            await self._notifications.find(wanted).sort(list(NEWEST_FIRST.items())).limit(asked.limit + 1).to_list(None)
        )
        shown = [view_of(each).model_dump(mode="json") for each in found[: asked.limit]]
        return {**page(user, found, asked.limit, shown), "unread": await self.unread(user)}

    async def unread(self, user: str) -> int:
        """How many the user has not read, of the kinds that they want to know of."""
        return await self._notifications.count_documents(self._of(user, await self.kinds(user), unread=True))

    async def read(self, user: str, id: str) -> bool | None:
        """Notes that the user read it; whether they had not yet. None if the user has no such notification."""
        theirs = {"_id": id, "user": user}
        if (await self._notifications.update_one(theirs | {"read_at": None}, _read_now())).modified_count:
            return True
        return False if await self._notifications.find_one(theirs, {"_id": 1}) else None

    async def read_all(self, user: str) -> bool:
        """Notes that the user read all that they have; whether there was one that they had not."""
        return (await self._notifications.update_many({"user": user, "read_at": None}, _read_now())).modified_count > 0

    async def kinds(self, user: str) -> list[NotificationKind]:
        """The kinds that the user wants to know of: all, until they say otherwise."""
        return wanted_kinds(await self._settings.find_one({"_id": key_of(user, SETTINGS)}))

    @staticmethod
    def _of(user: str, kinds: Collection[str], *, unread: bool) -> Document:
        return {"user": user, "kind": {"$in": list(kinds)}, **({"read_at": None} if unread else {})}


def wanted_kinds(settings: Document | None) -> list[NotificationKind]:
    """The kinds that somebody with these settings, if any, wants to know of."""
    state = settings or {"fields": {}}
    return [kind for kind, switch in SWITCHES.items() if value(state, switch, default=True) is True]


def view_of(document: Document) -> Notification:
    """The notification in a document."""
    known, params = _notice(document), document["params"]
    return Notification(
        id=known.id,
        kind=known.about.kind,
        severity=known.severity,
        title=title_of(known.code, params),
        body=body_of(known.code, params),
        at=known.at,
        read_at=document["read_at"],
        resolved_at=known.resolved_at,
        section=known.about.section,
        related_entity_type=known.related[0] if known.related else None,
        related_entity_id=known.related[1] if known.related else None,
        code=known.code,
        params=dict(known.params),
    )


def _notice(document: Document) -> Notice:
    related: Any = document["related"]  # what _content made of it
    resolved: int | None = document["resolved_at"]
    return Notice(
        document["_id"],
        document["code"],
        document["severity"],
        as_time(document["at"]),
        document["params"],
        related and (related[0], related[1]),
        None if resolved is None else as_time(resolved),
    )


def _content(user: str, made: Notice) -> Document:
    return {
        "user": user,
        "kind": made.about.kind,
        "code": made.code,
        "severity": made.severity,
        "at": microseconds(made.at),
        "params": dict(made.params),
        "related": list(made.related) if made.related else None,
        "resolved_at": None if made.resolved_at is None else microseconds(made.resolved_at),
    }


def _save(user: str, made: Notice, now: datetime) -> UpdateOne:
    first = {"made": now, "read_at": None}
    return UpdateOne({"_id": made.id}, {"$set": _content(user, made), "$setOnInsert": first}, upsert=True)


def _insert(user: str, made: Notice, now: datetime) -> UpdateOne:
    first = {**_content(user, made), "made": now, "read_at": None}
    return UpdateOne({"_id": made.id}, {"$setOnInsert": first}, upsert=True)


def _place(at: datetime, login: UserLoggedIn) -> UpdateOne:
    country, browser = country_of(login.ip_country), browser_of(login.user_agent)
    return UpdateOne(
        {"_id": digest(login.user_email, country or "", browser or "")},
        {
            "$setOnInsert": {"user": login.user_email, "country": country, "browser": browser},
            "$min": {"first": microseconds(at)},
        },
        upsert=True,
    )


def _read_now() -> Document:
    return {"$set": {"read_at": datetime.now(UTC)}}
