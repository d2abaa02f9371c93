"""The user's activities as a part of the file that holds everything about them, and back from it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter

from services.activity.api import shown
from services.activity.domain.activity import IMPACT, Activity
from services.activity.store import ActivityStore
from shared.contracts.portable import PARTS, ActivityItem, PortableActivity
from shared.plumbing.erasure import Erasure
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from shared.plumbing.paging import NEWEST_FIRST
from shared.plumbing.portability import NOT_YOURS, Thing, items_in, stream_of
from shared.plumbing.publish import Publisher

_ITEMS: Final = TypeAdapter(list[ActivityItem])
_OLDEST_EVENT: Final = ""  # loses against any event of the same time


def routes(
    store: ActivityStore,
    database: Database,
    keep: int,
    erasure: Erasure,
    publisher: Publisher,
    tokens: InternalTokens,
) -> APIRouter:
    """`GET /export`, `POST /imports/check`, `POST /imports`, for the user that the gateway's signed call names.

    `keep` is how many activities of either kind (low impact or not) the store keeps.
    """
    router = APIRouter()
    stored = database["activities"]
    User = Annotated[str, Depends(user("activity", tokens))]  # noqa: N806  (a type)

    @router.get("/export")
    async def export(email: User) -> Response:
        return stream_of(PARTS["activity"], _things(stored, keep, email))

    @router.post("/imports/check", status_code=204)
    async def check(email: User, request: Request) -> None:
        async with erasure.writing(email):
            await _activities_in(request, email)

    @router.post("/imports")
    async def take(email: User, request: Request) -> dict[str, int]:
        activities = await _activities_in(request, email)
        async with erasure.writing(email):
            added = await _take(store, stored, activities)
        await publisher.sections_changed([(email, "activity")], datetime.now(UTC))
        return {"added": added}

    return router


async def _things(stored: Any, keep: int, email: str) -> AsyncIterator[Thing]:  # Any: a driver's collection
    """The newest of those that the user can always see, then of those that they can forbid us to keep."""
    for low in (False, True):
        async for document in stored.find({"user": email, "low": low}).sort(NEWEST_FIRST).limit(keep):
            yield "activities", shown(document)


async def _activities_in(request: Request, email: str) -> list[Activity]:
    items = [each.item for each in await items_in(request, _ITEMS)]
    if any(item.user_email != email for item in items):
        raise NOT_YOURS
    return [_activity(item) for item in items]


def _activity(item: PortableActivity) -> Activity:
    return Activity(
        id=item.id,
        user=item.user_email,
        type=item.activity_type,
        impact=IMPACT[item.activity_type],
        description=item.description,
        time=item.timestamp,
        event=_OLDEST_EVENT,
        metadata=item.metadata,
        entity_id=item.related_entity_id,
        entity_type=item.related_entity_type,
        session_id=item.session_id,
    )


async def _take(store: ActivityStore, stored: Any, activities: Sequence[Activity]) -> int:
    """Stores those that the user lets us keep and that are among the newest; how many of them were not here before."""
    ids = [activity.id for activity in activities]
    before = await stored.count_documents({"_id": {"$in": ids}})
    await store.save(activities)
    await store.settle()
    after = await stored.count_documents({"_id": {"$in": ids}})
    return max(0, int(after) - int(before))
