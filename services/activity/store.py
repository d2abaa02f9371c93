"""The activity service's collections: the only file of it that speaks Mongo.

`activities` holds one document per activity, keyed by the activity's id; `choices` one per user who ever chose about
tracking. Times are whole microseconds since 1970 in UTC, because a BSON date would cut them to milliseconds and the
order of two events with it.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from re import escape
from typing import Any

from cachetools import LRUCache
from pymongo import ASCENDING, DESCENDING, DeleteMany, IndexModel, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError

from services.activity.domain.activity import Activity
from shared.contracts.times import microseconds
from shared.contracts.views import ActivityQuery
from shared.folds.consent import ALWAYS, NEVER, Choice, Consent
from shared.plumbing import consents
from shared.plumbing.consents import Consents
from shared.plumbing.mongo import DUPLICATE_KEY, Database, Document
from shared.plumbing.paging import NEWEST_FIRST, Position, older_than

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "activities": [
        IndexModel([("user", ASCENDING), ("low", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="timeline")
    ]
}
_COUNTED_USERS = 50_000
_TRIM_STEP = 64  # under load a timeline may be this much too long in the database, so that trimming is not felt
Kind = tuple[str, bool]  # a user, and whether the low-impact activities are meant


@dataclass(frozen=True, slots=True)
class Written:
    """How many activities were new or newer than what was known, how many were known, and whose timelines to look at.

    These are the users of the known ones too: nobody may have been told, if it ended before the batch was through.
    """

    applied: int
    duplicates: int
    users: frozenset[str]


class ActivityStore:
    """Keeps the newest `keep` activities of each user, of those that the user lets us keep.

    The low-impact activities and the others are trimmed apart, each to `keep`: a user who withdraws the consent later
    still has the newest `keep` of the rest, whatever the order in which everything arrived.
    """

    def __init__(self, database: Database, keep: int) -> None:
        self._activities = database["activities"]
        self._choices = database[consents.COLLECTION]
        self._consents = Consents(database)
        self._keep = keep
        self._stored: LRUCache[Kind, int] = LRUCache(_COUNTED_USERS)

    async def save_choices(self, choices: Sequence[Choice]) -> set[str]:
        """Stores the choices and removes what they forbid. Returns the users whose timelines may have lost something.

        Storing comes first: whoever writes a low-impact activity reads the choices afterwards, so none is missed.
        """
        if not choices:
            return set()
        allowed = await self._consents.add(choices)
        await self._remove_forbidden(allowed)
        return set(allowed)

    async def save(self, activities: Sequence[Activity]) -> Written:
        """Stores the activities that are allowed, then trims. What was stored before, or is forbidden, changes nothing.

        Raises pymongo.errors.PyMongoError; what was written by then may be written again.
        """
        low_users = {a.user for a in activities if a.impact == "low"}
        before = await self._consents.of(low_users)
        allowed = [a for a in activities if a.impact != "low" or before.get(a.user, ALWAYS).allows(a.time)]
        if not allowed:
            return Written(0, 0, frozenset())
        known, added = await self._write(allowed)
        await self._remove_forbidden(_narrowed(before, await self._consents.of(low_users)))
        await self._trim(added)
        return Written(len(allowed) - known, known, frozenset(a.user for a in allowed))

    async def remove_forbidden(self, users: Iterable[str]) -> None:
        """Removes what the users do not let us keep."""
        await self._remove_forbidden(await self._consents.of(users))

    async def too_old(self, documents: Sequence[Document]) -> set[str]:
        """The ids of those documents that come after the newest `keep` of their user and kind here."""
        last = {kind: await self._last_kept(kind) for kind in {(d["user"], d["low"]) for d in documents}}
        return {d["_id"] for d in documents if (d["at"], d["_id"]) < last[d["user"], d["low"]]}

    async def _last_kept(self, kind: Kind) -> tuple[int, str]:
        user, low = kind
        newest_first = self._activities.find({"user": user, "low": low}, {"at": 1}).sort(NEWEST_FIRST)
        found = await newest_first.skip(self._keep - 1).to_list(1)
        return (found[0]["at"], found[0]["_id"]) if found else (-(2**62), "")

    async def erase(self, users: Set[str]) -> int:
        """Removes all that is kept of the users; how many documents that was."""
        theirs = list(users)
        activities = await self._activities.delete_many({"user": {"$in": theirs}})
        choices = await self._choices.delete_many({"_id": {"$in": theirs}})
        for kind in [(user, low) for user in users for low in (False, True)]:
            self._stored.pop(kind, None)
        return int(activities.deleted_count + choices.deleted_count)

    async def page(self, user: str, query: ActivityQuery, after: Position | None) -> list[Document]:
        """Up to `query.limit` + 1 documents of the user's timeline, newest first, that match and come after `after`."""
        matching = _matching(query, after)
        stages: list[Document] = [*self._timeline(user), {"$match": matching}, {"$limit": query.limit + 1}]
        return await self._activities.aggregate(stages).to_list(None)

    async def counts(self, user: str, since: datetime) -> dict[str, int]:
        """How often each type occurs in the user's timeline from `since` on; types that do not occur are left out."""
        stages: list[Document] = [
            *self._timeline(user),
            {"$match": {"at": {"$gte": microseconds(since)}}},
            {"$group": {"_id": "$type", "count": {"$sum": 1}}},
            {"$sort": {"_id": ASCENDING}},
        ]
        return {group["_id"]: group["count"] async for group in self._activities.aggregate(stages)}

    def _timeline(self, user: str) -> list[Document]:
        """What a user has: the newest `keep` of both kinds together, merged from the index without a sort."""
        return [
            {"$match": {"user": user, "low": {"$in": [False, True]}}},
            {"$sort": NEWEST_FIRST},
            {"$limit": self._keep},
        ]

    async def _remove_forbidden(self, consents: Mapping[str, Consent]) -> None:
        deletions = [DeleteMany(_forbidden(user, consent.since)) for user, consent in consents.items() if consent.since]
        if deletions:
            await self._activities.bulk_write(deletions, ordered=False)
            for user in consents:
                self._stored.pop((user, True), None)

    async def _write(self, activities: Sequence[Activity]) -> tuple[int, Counter[Kind]]:
        """How many of the activities were known already, and how many documents were added of each kind.

        Few are told twice, but a replacement takes Mongo ten times as long as an insert: both are done side by side.
        """
        once = [a for a in activities if not a.told_twice]
        twice = [a for a in activities if a.told_twice]
        written = await asyncio.gather(*(self._write_alike(alike) for alike in (once, twice) if alike))
        return sum(known for known, _ in written), sum((added for _, added in written), Counter())

    async def _write_alike(self, activities: Sequence[Activity]) -> tuple[int, Counter[Kind]]:
        try:
            written = await self._activities.bulk_write([_write(a) for a in activities], ordered=False)
            result: Mapping[str, Any] = written.bulk_api_result
        except BulkWriteError as error:
            result = error.details
            if any(e["code"] != DUPLICATE_KEY for e in result["writeErrors"]) or result["writeConcernErrors"]:
                raise
        known = {e["index"] for e in result["writeErrors"]}
        upserted = {u["index"] for u in result["upserted"]}
        added = Counter(
            (a.user, a.impact == "low")
            for i, a in enumerate(activities)
            if i in upserted or (i not in known and not a.told_twice)
        )
        return len(known), added

    async def _trim(self, added: Counter[Kind]) -> None:
        await self._count(added)
        for kind in added:
            if self._stored.get(kind, 0) > self._keep + _TRIM_STEP:
                await self._drop_the_oldest(kind)

    async def settle(self) -> None:
        """Trims every timeline that is too long by any number: called when there is nothing more urgent to do."""
        for kind in [kind for kind, stored in self._stored.items() if stored > self._keep]:
            await self._drop_the_oldest(kind)

    async def _drop_the_oldest(self, kind: Kind) -> None:
        user, low = kind
        newest_first = self._activities.find({"user": user, "low": low}, {"_id": 1}).sort(NEWEST_FIRST)
        too_old = await newest_first.skip(self._keep).to_list(None)
        await self._activities.delete_many({"_id": {"$in": [document["_id"] for document in too_old]}})
        self._stored[kind] = min(self._keep, self._stored.get(kind, self._keep))

    async def _count(self, added: Counter[Kind]) -> None:
        """Keeps the number of documents of each kind: counted once in the index, added up from then on."""
        for kind in added.keys() & self._stored.keys():
            self._stored[kind] += added[kind]
        unknown = sorted({user for user, low in added.keys() - self._stored.keys()})
        if not unknown:
            return
        stages: list[Document] = [
            {"$match": {"user": {"$in": unknown}}},
            {"$group": {"_id": {"user": "$user", "low": "$low"}, "stored": {"$sum": 1}}},
        ]
        for group in await self._activities.aggregate(stages).to_list(None):
            self._stored[(group["_id"]["user"], group["_id"]["low"])] = group["stored"]


def _document(activity: Activity) -> Document:
    return {
        "_id": activity.id,
        "user": activity.user,
        "low": activity.impact == "low",
        "at": microseconds(activity.time),
        "event": activity.event,
        "type": activity.type,
        "impact": activity.impact,
        "description": activity.description,
        "metadata": activity.metadata,
        "entity_id": activity.entity_id,
        "entity_type": activity.entity_type,
        "session": activity.session_id,
    }


def _write(activity: Activity) -> InsertOne[Document] | ReplaceOne[Document]:
    """A known id is refused as a duplicate key; so is, by the filter, an older telling of a thing told twice."""
    document = _document(activity)
    if not activity.told_twice:
        return InsertOne(document)
    older = [{"at": {"$lt": document["at"]}}, {"at": document["at"], "event": {"$lt": activity.event}}]
    return ReplaceOne({"_id": activity.id, "$or": older}, document, upsert=True)


def _forbidden(user: str, since: datetime | None) -> Document:
    before = {} if since in (None, NEVER) else {"at": {"$lt": microseconds(since)}}
    return {"user": user, "low": True, **before}


def _narrowed(before: Mapping[str, Consent], after: Mapping[str, Consent]) -> dict[str, Consent]:
    return {user: consent for user, consent in after.items() if consent != before.get(user)}


def _matching(query: ActivityQuery, after: Position | None) -> Document:
    conditions: list[dict[str, Any]] = []
    if query.type:
        conditions.append({"type": {"$in": query.type}})
    if query.impact:
        conditions.append({"impact": query.impact})
    if query.session_id:
        conditions.append({"session": query.session_id})
    if query.from_:
        conditions.append({"at": {"$gte": microseconds(query.from_)}})
    if query.to:
        conditions.append({"at": {"$lte": microseconds(query.to)}})
    if query.q:
        text = {"$regex": escape(query.q), "$options": "i"}
        conditions.append({"$or": [{"description": text}, {"entity_id": text}]})
    if after:
        conditions.append(older_than(after))
    return {"$and": conditions} if conditions else {}
