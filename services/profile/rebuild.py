"""What can be made anew of the users: that they are there, and what was registered of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any

from services.profile import consumer, store
from services.profile.settings import Settings
from services.profile.store import UserStore
from shared.contracts.envelope import UserPayload
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import RECEIPTS
from shared.plumbing.consume import Stored
from shared.plumbing.mongo import Database, Document
from shared.plumbing.rebuild import Plan
from shared.plumbing.rebuild_parts import Expected, Part


def plan(_settings: Settings, live: Database, shadow: Database) -> Plan:
    """Rebuilds two layers of `users`. Accounts, sessions, choices and erasures are this service's own, and in no topic.

    The topics do not tell what users chose: they stay, whatever the topics hold.
    """
    here, beside = UserStore(live), UserStore(shadow)

    async def apply(events: Sequence[AnyEvent]) -> Stored:
        told: dict[str, list[AnyEvent]] = defaultdict(list)
        for event in events:
            if isinstance(event.data, UserPayload):
                told[event.data.user_email].append(event)
        folded = await beside.fold(told)
        return Stored(folded.changed, folded.unchanged)

    async def erase(users: Set[str]) -> int:
        return await here.erase(users)

    return Plan(
        "profile",
        [topic for topic in consumer.TOPICS if topic is not RECEIPTS],
        consumer.reader(),
        store.INDEXES,
        apply=apply,
        erase_shadow=beside.erase,
        erase=erase,
        parts=(Part("users", _expect, user="_id", sections=("profile", "preferences")),),
    )


def _expect(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
    """The layers that events tell; a section that may look different has a new version."""
    if live is None or shadow is None:
        return Expected(shadow and shadow | {"outbox": []} if live is None else live, is_old=_is_old(live, oldest))
    told = {
        "created_at": _earliest(live["created_at"], shadow["created_at"], oldest),
        "registered": _layer(live["registered"], shadow["registered"], oldest),
        "found": {**live["found"], **shadow["found"]},  # the old files' topic is kept for a week only
    }
    if told == {name: live[name] for name in told}:
        return Expected(live)
    sections = {name: live[name] | {"version": live[name]["version"] + 1} for name in ("profile", "preferences")}
    return Expected(live | told | sections | {"version": live["version"] + 1})


def _is_old(live: Document | None, oldest: int) -> bool:
    return live is not None and live["created_at"] is not None and live["created_at"] < oldest


def _earliest(live: int | None, shadow: int | None, oldest: int) -> int | None:
    kept = [at for at in (live if live is not None and live < oldest else None, shadow) if at is not None]
    return min(kept, default=live)


def _layer(live: Mapping[str, Any], shadow: Mapping[str, Any], oldest: int) -> Document:
    kept = {name: said for name, said in live.items() if name not in shadow and said["at"] < oldest}
    return {**kept, **shadow}
