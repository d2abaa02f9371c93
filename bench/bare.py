"""What the bare loops write: as many documents of the same shape and size as the services do, with nothing checked.

They believe whatever comes: no validation, no dead letters, no consent, no merging with what is stored, no order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from pymongo import InsertOne, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError

from services.activity.domain.activity import USED_PAYLOADS
from services.analytics.domain.presence import PRESENT
from services.analytics.store import KINDS as ANALYTICS_KINDS
from services.purchases.store import KINDS as PURCHASES_KINDS
from shared.folds.facts import USED_PAYLOADS as FACTS
from shared.plumbing.mongo import Database, Document

Event = Mapping[str, Any]  # JSON
Writes = dict[str, list[UpdateOne]]

ACTIVITY_TYPES: Final = frozenset(payload.event_type for payload in USED_PAYLOADS)
_FACTS: Final = frozenset(payload.event_type for payload in FACTS)
_PRESENT: Final = frozenset(payload.event_type for payload in PRESENT)
_LOOKED: Final = "product.viewed.v1"
_LOW: Final = frozenset({_LOOKED, "marketplace.browsed.v1"})
_NOT_KEPT: Final = frozenset({"user_email", "session_id", "user_agent", "product_id", "purchase"})
_OF_A_USER: Final = ("display_name", "country", "timezone", "language")
_KINDS: Final = {"support": "purchase", "wallet": "transaction"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TODAY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)  # or Mongo removes what is too old
_MARKED: Final = {"marked.one": {"$each": ["2026-05"]}, "marked.other": {"$each": []}}
_TAGS: Final = {  # as many as services.purchases.tags makes of a thing with four words, and about as long
    "purchase": [*(f"provider=hypha&status={n}" for n in range(8)), *(f"word={n}" for n in range(22))],
    "deployment": ["", "status=running"],
    "transaction": ["", "kind=purchase"],
}
_MARK: Final = {"$inc": {"version": 1}, "$set": {"dirty": True}, "$addToSet": _MARKED}


async def activities(database: Database, events: Sequence[Event]) -> None:
    """A document for each event, by one bulk write."""
    writes = [_activity(event) for event in events if event["type"] in ACTIVITY_TYPES]
    if writes:
        with suppress(BulkWriteError):  # an older telling of a purchase than the one that is stored
            await database["activities"].bulk_write(writes, ordered=False)


async def purchases(database: Database, events: Sequence[Event]) -> None:
    """An upsert for each thing, and a mark for each user."""
    collections = {str(kind): keeping.collection for kind, keeping in PURCHASES_KINDS.items()}
    await _store(database, _things(events, collections, _TAGS))


async def analytics(database: Database, events: Sequence[Event]) -> None:
    """The same, and when users were there, and where they signed in from."""
    writes = _things(events, {kind: keeping.collection for kind, keeping in ANALYTICS_KINDS.items()}, {})
    _write_presences([event for event in events if event["type"] in _PRESENT], writes)
    writes["sign_ins"] = [_sign_in(event) for event in events if event["type"] == "user.logged_in.v1"]
    await _store(database, writes)


async def users(database: Database, events: Sequence[Event]) -> None:
    """A document for each user."""
    writes = [InsertOne(_user(event)) for event in events if event["type"] == "user.registered.v1"]
    if writes:
        await database["users"].bulk_write(writes, ordered=False)


async def _store(database: Database, writes: Writes) -> None:
    for collection, these in writes.items():
        if these:
            await database[collection].bulk_write(these, ordered=False)


def _activity(event: Event) -> InsertOne[Document] | ReplaceOne[Document]:
    document = activity_document(event, datetime.fromisoformat(event["time"]))
    purchase = event["data"] if event["type"] == "purchase.created.v1" else event["data"].get("purchase")
    if not purchase:
        return InsertOne(document)
    document["_id"] = f"{purchase['purchase_id']:.32}"
    older = [{"at": {"$lt": document["at"]}}, {"at": document["at"], "event": {"$lt": document["event"]}}]
    return ReplaceOne({"_id": document["_id"], "$or": older}, document, upsert=True)


def activity_document(event: Event, time: datetime) -> Document:
    """What the activity service would keep of an event."""
    data, kind = event["data"], event["type"]
    return {
        "_id": f"{event['id']:.<32.32}",
        "user": data["user_email"],
        "low": kind in _LOW,
        "at": (time - _EPOCH) // _MICROSECOND,
        "event": f"{event['id']}\n{event['source']}",
        "type": kind,
        "impact": "high",
        "description": data.get("product_name"),
        "metadata": {name: value for name, value in data.items() if name not in _NOT_KEPT},
        "entity_id": data.get("product_id"),
        "entity_type": "product",
        "session": data.get("session_id"),
    }


def _user(event: Event) -> Document:
    at, data = (datetime.fromisoformat(event["time"]) - _EPOCH) // _MICROSECOND, event["data"]
    rank = f"{event['id']}\n{event['source']}"
    return {
        "_id": event["subject"],
        "user_id": str(uuid4()),
        "version": 1,
        "created_at": at,
        "registered": {name: {"value": data.get(name), "at": at, "rank": rank} for name in _OF_A_USER},
        "found": {},
        "profile": {"chosen": {}, "at": 0, "version": 2},
        "preferences": {"chosen": {}, "at": 0, "version": 2},
        "outbox": [],
    }


def _things(events: Sequence[Event], collections: Mapping[str, str], tags: Mapping[str, list[str]]) -> Writes:
    """An upsert for each thing of these kinds that is told of, and one for each user, by collection."""
    things: dict[tuple[str, str], Document] = defaultdict(dict)
    found: Writes = defaultdict(list)
    told = [event for event in events if event["type"] in _FACTS | _PRESENT]
    for event in told:
        user = event["subject"]
        for kind in _kinds(event):
            if kind in collections:
                id = _id_of(event, kind)  # noqa: A001
                said = {key: value for key, value in event["data"].items() if key != "user_email"}
                own = {"user": user, "id": id, "at": 0, "tags": tags.get(kind, []), "status": "active", "day": _TODAY}
                name = f"fields.{event['type'][-20:].replace('.', '_')}"
                things[kind, f"{user}/{id}"] |= {name: [0, event["time"], event["id"], said], **own}
    for (kind, key), fields in things.items():
        found[collections[kind]].append(UpdateOne({"_id": key}, {"$set": fields}, upsert=True))
    found["users"] = [UpdateOne({"_id": user}, _MARK, upsert=True) for user in {event["subject"] for event in told}]
    return found


def _kinds(event: Event) -> list[str]:
    kind = event["type"]
    if "health" in kind:
        return ["deployment", "health"]
    if "pool_" in kind:
        return ["pool"]
    if kind == "user.registered.v1":
        return ["settings"]
    first = kind.partition(".")[0]
    return [_KINDS.get(first, first), *(["purchase"] if event["data"].get("purchase") else [])]


def _id_of(event: Event, kind: str) -> str:
    data = event["data"]
    if kind == "health":
        return f"{data['deployment_id']}/{event['time'][:10]}"
    return str((data.get("purchase") or data).get(f"{kind}_id") or data.get(f"{kind}_id"))


def _write_presences(events: Sequence[Event], writes: Writes) -> None:
    days: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    sessions: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        user, at, data = event["subject"], event["time"], event["data"]
        days[user, at[:10]][f"low.{int(at[11:13]) * 60 + int(at[14:16])}"] = event["id"]
        if data.get("session_id"):
            sessions[user, data["session_id"]].append(at)
        if event["type"] == _LOOKED:
            looked = {"$set": {"user": user, "product_id": data["product_id"]}, "$max": {"at": at, "days.1": at}}
            writes["views"].append(UpdateOne({"_id": f"{user}/{data['product_id']}"}, looked, upsert=True))
    for (user, day), minutes in days.items():
        own = {"user": user, "day": datetime.fromisoformat(day)}
        writes["days"].append(UpdateOne({"_id": f"{user}/{day}"}, {"$setOnInsert": own, "$min": minutes}, upsert=True))
    for (user, session), times in sessions.items():
        seen = {"low.last": max(times), "seen": datetime.fromisoformat(max(times))}
        span = {"$setOnInsert": {"user": user}, "$min": {"low.first": min(times)}, "$max": seen}
        writes["sessions"].append(UpdateOne({"_id": f"{user}/{session}"}, span, upsert=True))


def _sign_in(event: Event) -> UpdateOne:
    user, data = event["subject"], event["data"]
    place = {"country": data.get("ip_country"), "browser": (data.get("user_agent") or "")[-12:]}
    seen = {"$setOnInsert": {"user": user, **place}, "$min": {"first": event["time"]}}
    return UpdateOne({"_id": f"{user}/{place['country']}/{place['browser']}"}, seen, upsert=True)
