"""How the timelines are made anew from the topics."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from services.activity import consumer
from services.activity.settings import Settings
from services.activity.store import INDEXES, ActivityStore
from shared.plumbing import consents
from shared.plumbing.mongo import Database, Document
from shared.plumbing.rebuild import Plan
from shared.plumbing.rebuild_parts import Pair, Part, choices, whole

_FROM_A_FILE: Final = ""  # see services.activity.portable
_FROM_OLD_FILES: Final = "\n/mycelium/import-legacy"  # their topic is kept for a week only


def plan(settings: Settings, live: Database, shadow: Database) -> Plan:
    """Rebuilds `activities`, and brings choices back that are missing."""
    here, beside = ActivityStore(live, settings.keep_per_user), ActivityStore(shadow, settings.keep_per_user)

    async def written(_collection: str, pairs: Sequence[Pair]) -> None:
        """A choice may have come meanwhile, or have come back."""
        users = {_user(pair.either) for pair in pairs if pair.before is not pair.after}
        await here.remove_forbidden(users)

    return Plan(
        "activity",
        consumer.TOPICS,
        consumer.reader(),
        INDEXES,
        apply=partial(consumer.apply, beside),
        erase_shadow=beside.erase,
        erase=here.erase,
        parts=(
            Part(consents.COLLECTION, choices, user="_id", sections=("activity",)),
            Part("activities", whole(_is_untold, _at), sections=("activity",), surplus=beside.too_old),
        ),
        written=written,
    )


def _user(document: Document) -> str:
    return str(document.get("user", document["_id"]))


def _is_untold(document: Document) -> bool:
    event: str = document["event"]
    return event == _FROM_A_FILE or event.endswith(_FROM_OLD_FILES)


def _at(document: Document) -> int:
    at: int = document["at"]
    return at
