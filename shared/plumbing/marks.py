"""Working off marks: ingesting only marks a user as `dirty`; what follows from the facts is worked out afterwards."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import PyMongoError

from shared.plumbing.logs import get
from shared.plumbing.mongo import Document

_log = get(__name__)
_AT_ONCE: Final = 100


async def work_off(
    users: AsyncIOMotorCollection[Document],
    fields: Mapping[str, int] | None,
    work: Callable[[Document], Awaitable[object]],
    failure: str,
) -> None:
    """Awaits `work` for each marked document (its `fields`), some at a time, until there are none. Raises PyMongoError.

    One for which the work fails keeps its mark, which is logged as `failure`, and no other waits for that.
    """
    failed: list[str] = []
    while found := await users.find({"dirty": True, "_id": {"$nin": failed}}, fields).limit(_AT_ONCE).to_list(None):
        failed += [document["_id"] for document in found if not await is_done(work(document), failure)]
        if len(found) < _AT_ONCE:
            return


async def is_done(work: Awaitable[object], failure: str) -> bool:
    """Awaits the work; False where it failed, which is logged as `failure`. Raises PyMongoError.

    Whatever else it raises is a fault of ours, or Kafka is away: it is tried again the next time.
    """
    try:
        await work
    except PyMongoError:
        raise
    except Exception as error:  # noqa: BLE001  (logged)
        _log.error(failure, exc_info=error)
        return False
    return True
