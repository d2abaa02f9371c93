"""Everything that this service keeps of a user, removed."""

from collections.abc import Set
from typing import Final

from services.analytics.comparing import Cohorts, member_of
from services.analytics.store import KINDS
from shared.plumbing import consents
from shared.plumbing.mongo import Database

_BY_USER: Final = (
    *(keeping.collection for keeping in KINDS.values()),
    *("days", "sessions", "views", "notifications", "sign_ins"),
)
_BY_EMAIL: Final = (consents.COLLECTION, "users")


async def erase(database: Database, users: Set[str]) -> int:
    """Removes all that is kept of the users; how many documents that was."""
    theirs = {"$in": list(users)}
    removed = [(await database[name].delete_many({"user": theirs})).deleted_count for name in _BY_USER]
    removed += [(await database[name].delete_many({"_id": theirs})).deleted_count for name in _BY_EMAIL]
    await Cohorts(database).take_out(map(member_of, users))  # last: see services.analytics.learn
    return sum(removed)
