"""How the facts, the presences and the catalogue are made anew from the topics."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from services.analytics import catalogue, consumer, notifications, presences, store
from services.analytics.catalogue import Catalogue
from services.analytics.erasing import erase
from services.analytics.notifications import Notifications
from services.analytics.presences import Presences
from services.analytics.settings import Settings
from services.analytics.store import ADVISING, KINDS, AnalyticsStore
from shared.contracts.times import microseconds
from shared.contracts.types import Section
from shared.folds.facts import Kind
from shared.plumbing import consents
from shared.plumbing.mongo import Database, Document
from shared.plumbing.rebuild import Plan
from shared.plumbing.rebuild_parts import Expected, Pair, Part, choices, facts, writing

_MINUTE: Final = 60_000_000
_INDEXES: Final = {**store.INDEXES, **presences.INDEXES, **catalogue.INDEXES, **notifications.INDEXES}
_FIGURES: Final = ("analytics",)
_ADVISED: Final = ("analytics", "recommendations")
_KIND_OF: Final = {keeping.collection: kind for kind, keeping in KINDS.items()}


def plan(_settings: Settings, live: Database, shadow: Database) -> Plan:
    """Rebuilds what events say by themselves. What was noticed, learnt and read is not told by any event."""
    here, seen, products = AnalyticsStore(live), Presences(live), Catalogue(live)
    beside = (AnalyticsStore(shadow), Presences(shadow), Catalogue(shadow), Notifications(shadow))

    async def written(collection: str, pairs: Sequence[Pair]) -> None:
        if kind := _KIND_OF.get(collection):
            await here.mark_written(writing(kind, KINDS[kind], pair) for pair in pairs)
            return
        if collection == "products":  # also those that were right: a run that was killed may have written them
            await products.stored_now([pair.either for pair in pairs])
            return
        changed = [pair.either for pair in pairs if pair.before is not pair.after]
        users = {str(document.get("user", document["_id"])) for document in changed}
        await seen.remove_forbidden(users)
        await here.mark_seen(users, frozenset())

    return Plan(
        "analytics",
        consumer.TOPICS,
        consumer.reader(),
        _INDEXES,
        apply=partial(consumer.apply, *beside),
        erase_shadow=partial(erase, shadow),
        erase=partial(erase, live),
        parts=(
            Part(consents.COLLECTION, choices, user="_id", sections=_FIGURES),
            *(Part(name, facts(kind, KINDS[kind]), sections=_shown_in(kind)) for name, kind in _KIND_OF.items()),
            Part("days", _day, sections=_FIGURES),
            Part("sessions", _session, sections=_FIGURES),
            Part("views", _view, sections=_ADVISED),
            Part("products", _product, user=None, ignored=frozenset({"stored"})),
        ),
        written=written,
    )


def _shown_in(kind: Kind) -> tuple[Section, ...]:
    """As the consumer tells it."""
    return _ADVISED if kind in ADVISING else _FIGURES


def _day(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
    """Every minute for itself."""
    if live is None:
        return Expected(shadow)
    midnight = microseconds(live["day"])
    sides, is_old = {}, False
    for side in ("low", "rest"):
        told: dict[str, Any] = (shadow or {}).get(side, {})
        kept = {
            minute: event
            for minute, event in live.get(side, {}).items()
            if minute not in told and midnight + int(minute) * _MINUTE < oldest
        }
        is_old |= bool(kept)
        if told or kept:
            sides[side] = {**told, **kept}
    known = {name: live[name] for name in ("_id", "user", "day")}
    return Expected(known | sides if sides else None, is_old)


def _session(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
    """A stretch that began before what the topics hold is kept, and goes on with what they tell."""
    if live is None:
        return Expected(shadow)
    if not shadow:
        is_old = any(live[side]["first"] < oldest for side in ("low", "rest") if live.get(side))
        return Expected(live if is_old else None, is_old)
    sides, is_old = {side: shadow[side] for side in ("low", "rest") if shadow.get(side)}, False
    for side in ("low", "rest"):
        known = live.get(side)
        if known and known["first"] < oldest and known["first"] < sides.get(side, {"first": oldest})["first"]:
            sides[side] = {**known, **sides.get(side, {}), "first": known["first"]}
            is_old = True
    return Expected({name: shadow[name] for name in ("_id", "user", "seen")} | sides, is_old)


def _view(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
    """Every day's look for itself."""
    if live is None:
        return Expected(shadow)
    told = (shadow or {}).get("days", {})
    kept = {slot: at for slot, at in live["days"].items() if at < oldest and told.get(slot, -(2**62)) < at}
    days = {**told, **kept}
    if not days:
        return Expected(None)
    return Expected({**(shadow or live), "days": days, "at": max(days.values())}, bool(kept))


def _product(live: Document | None, shadow: Document | None, _oldest: int) -> Expected:
    """Of a product the topic may keep the last event only, which need not be the latest: what is later stays."""
    if live is None or shadow is None:
        return Expected(live or shadow, is_old=live is not None)
    later = {
        name: live[name]
        for side, names in (("listing", ("listing", "listed")), ("retirement", ("retirement",)))
        if side in live and (side not in shadow or _stamp(live[side]) > _stamp(shadow[side]))
        for name in names
    }
    return Expected({**live, **shadow, **later}, is_old=bool(later))


def _stamp(said: Document) -> tuple[int, str]:
    return said["at"], said["rank"]
