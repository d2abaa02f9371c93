"""When users were there, in Mongo: their active minutes by day, their sessions, and what they looked at.

Everything is a minimum, a maximum or a member of a set, so that any order and any number of duplicates give the same.
What is of low impact is kept apart from the rest (`low`, `rest`), because it goes when the consent goes.

On how many days a product was looked at is the number of slots that are taken: a day has one of 32, in turn, and each
holds the latest look of its days.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, IndexModel, UpdateOne

from services.analytics.domain.patterns import WINDOW, Stretch
from services.analytics.domain.presence import Presence
from shared.contracts.times import as_time, microseconds
from shared.folds.consent import ALWAYS, NEVER, Choice, Consent
from shared.folds.facts import digest
from shared.plumbing.consents import Consents
from shared.plumbing.mongo import Database, Document

_KEPT: Final = WINDOW + timedelta(days=2)
_ALONE, _IN_SESSION = "0", "1"  # what names no session comes first, so that $min keeps it
_MINUTE: Final = timedelta(minutes=1)
_SLOTS: Final = 32
DAYS_LOOKED_AT: Final[Document] = {"$size": {"$objectToArray": "$days"}}  # of a view, in a projection
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "days": [
        IndexModel([("user", ASCENDING), ("day", ASCENDING)], name="user"),
        IndexModel([("day", ASCENDING)], name="kept", expireAfterSeconds=int(_KEPT.total_seconds())),
    ],
    "sessions": [
        IndexModel([("user", ASCENDING), ("seen", ASCENDING)], name="user"),
        IndexModel([("seen", ASCENDING)], name="kept", expireAfterSeconds=int(_KEPT.total_seconds())),
    ],
    "views": [IndexModel([("user", ASCENDING), ("at", ASCENDING)], name="user")],
}


@dataclass(frozen=True, slots=True)
class Seen:
    """The active minutes of the last 90 days, those among them that name no session, and the sessions that do."""

    minutes: Sequence[datetime]
    alone: Sequence[datetime]
    sessions: Sequence[Stretch]


class Presences:
    """Keeps what the users let us keep of when they were there."""

    def __init__(self, database: Database) -> None:
        self._days, self._sessions = database["days"], database["sessions"]
        self._views, self._consents = database["views"], Consents(database)

    async def choose(self, choices: Sequence[Choice]) -> None:
        """Stores the choices and removes what they forbid.

        Storing comes first: whoever writes a low-impact presence reads the choices afterwards, so none is missed.
        """
        if choices:
            await self._remove_forbidden(await self._consents.add(choices))

    async def save(self, presences: Sequence[Presence]) -> None:
        """Stores the presences that are allowed. Raises PyMongoError; what was written may be written again."""
        low_users = {presence.user for presence in presences if presence.low}
        before = await self._consents.of(low_users)
        allowed = [p for p in presences if not p.low or before.get(p.user, ALWAYS).allows(p.time)]
        writing = [
            (self._days, _days(allowed)),
            (self._sessions, _sessions(allowed)),
            (self._views, [_view(p) for p in allowed if p.viewed]),
        ]
        await asyncio.gather(*(where.bulk_write(what, ordered=False) for where, what in writing if what))
        after = await self._consents.of(low_users)
        await self._remove_forbidden({user: now for user, now in after.items() if now != before.get(user)})

    async def remove_forbidden(self, users: Iterable[str]) -> None:
        """Removes what the users do not let us keep."""
        await self._remove_forbidden(await self._consents.of(users))

    async def of(self, user: str, now: datetime) -> Seen:
        """When the user was there in the last 90 days before `now` (UTC)."""
        since = now - WINDOW
        found = await self._found(user, since)
        sessions = self._sessions.find({"user": user, "seen": {"$gte": since}})
        return Seen(
            sorted({at for at, _ in found}),
            sorted({at for at, event in found if event.startswith(_ALONE)}),
            [stretch async for session in sessions if (stretch := _stretch(session))],
        )

    async def minutes_of(self, user: str, now: datetime) -> list[tuple[datetime, str]]:
        """The active minutes of the last 90 days before `now` (UTC), oldest first, each with an event's id."""
        return sorted((at, event[1:]) for at, event in await self._found(user, now - WINDOW))

    async def _found(self, user: str, since: datetime) -> list[tuple[datetime, str]]:
        days = self._days.find({"user": user, "day": {"$gte": since - timedelta(days=1)}})
        return [(at, event) async for day in days for at, event in _minutes(day) if at >= since]

    async def _remove_forbidden(self, consents: Mapping[str, Consent]) -> None:
        for user, consent in consents.items():
            if consent.since is not None:
                await self._remove_before(user, consent.since)

    async def _remove_before(self, user: str, since: datetime) -> None:
        """Removes what is of low impact and was before the minute of `since`."""
        minute = since.replace(second=0, microsecond=0)
        day = minute.replace(hour=0, minute=0)
        earlier: Document = {} if since == NEVER else {"$lt": day}
        await self._days.update_many({"user": user, **_if("day", earlier)}, {"$unset": {"low": ""}})
        if earlier:
            early = {f"low.{n}": "" for n in range((minute - day) // _MINUTE)}
            await self._days.update_one({"_id": _day_key(user, day)}, {"$unset": early or {"low.none": ""}})
        before: Document = {"$lt": microseconds(minute)} if earlier else {}
        await self._sessions.update_many({"user": user, **_if("low.first", before)}, {"$unset": {"low": ""}})
        await self._views.delete_many({"user": user, "at": {"$lt": microseconds(since)}})
        await self._views.update_many({"user": user}, [{"$set": {"days": _looks_since(since)}}])


def _if(name: str, condition: Document) -> Document:
    return {name: condition} if condition else {}


def _day_key(user: str, day: datetime) -> str:
    return digest(user, f"{day:%Y-%m-%d}")


def _days(presences: Iterable[Presence]) -> list[UpdateOne]:
    least: dict[tuple[str, datetime], dict[str, str]] = defaultdict(dict)
    for p in presences:
        day = p.minute.replace(hour=0, minute=0)
        name = f"{_side(p)}.{(p.minute - day) // _MINUTE}"
        event = f"{_IN_SESSION if p.session else _ALONE}{p.event}"
        known = least[p.user, day]
        known[name] = min(known.get(name, event), event)
    return [
        UpdateOne(
            {"_id": _day_key(user, day)},
            {"$setOnInsert": {"user": user, "day": day}, "$min": minutes},
            upsert=True,
        )
        for (user, day), minutes in least.items()
    ]


def _sessions(presences: Iterable[Presence]) -> list[UpdateOne]:
    spans: dict[tuple[str, str], dict[str, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    for p in presences:
        if p.session:
            spans[p.user, p.session][_side(p)].append(p.time)
    return [
        UpdateOne(
            {"_id": digest(user, session)},
            {
                "$setOnInsert": {"user": user},
                "$min": {f"{side}.first": microseconds(min(times)) for side, times in sides.items()},
                "$max": {f"{side}.last": microseconds(max(times)) for side, times in sides.items()}
                | {"seen": max(max(times) for times in sides.values())},
            },
            upsert=True,
        )
        for (user, session), sides in spans.items()
    ]


def _view(presence: Presence) -> UpdateOne:
    assert presence.viewed is not None  # noqa: S101  (asked for by the caller)
    at = microseconds(presence.time)
    return UpdateOne(
        {"_id": digest(presence.user, presence.viewed)},
        {
            "$setOnInsert": {"user": presence.user, "product_id": presence.viewed},
            "$max": {"at": at, f"days.{presence.time.toordinal() % _SLOTS}": at},
        },
        upsert=True,
    )


def _looks_since(since: datetime) -> Document:
    is_later: Document = {"$gte": ["$$this.v", microseconds(since)]}
    return {"$arrayToObject": {"$filter": {"input": {"$objectToArray": "$days"}, "cond": is_later}}}


def _side(presence: Presence) -> str:
    return "low" if presence.low else "rest"


def _minutes(day: Document) -> Iterable[tuple[datetime, str]]:
    begins: datetime = day["day"]
    for side in ("low", "rest"):
        for minute, event in day.get(side, {}).items():
            yield begins.astimezone(UTC) + int(minute) * _MINUTE, event


def _stretch(session: Document) -> Stretch | None:
    sides: list[dict[str, Any]] = [session[side] for side in ("low", "rest") if session.get(side)]
    if not sides:
        return None
    return Stretch(as_time(min(s["first"] for s in sides)), as_time(max(s["last"] for s in sides)))
