"""A thing's state: its fields and its collections, and how a fact is merged into them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from shared.folds.facts import Fact, Value

State = dict[str, Any]  # {"fields": {name: [*stamp, value]}, "members": {name: {member: [*stamp, value]}}}

_MOST_MEMBERS: Final[Mapping[str, int]] = {"history": 200, "tickets": 200, "checks": 96}


class Said(NamedTuple):
    """What a field holds, and which event said so: microseconds since 1970 and the event's rank."""

    at: int
    event: str
    value: Value


def empty() -> State:
    """The state of a thing about which nothing was said."""
    return {"fields": {}, "members": {}}


def merge(state: State, facts: Iterable[Fact]) -> bool:
    """Merges the facts into `state`; whether that changed anything."""
    changed = False
    for fact in facts:
        if fact.member is None:
            changed |= _say(state["fields"], fact.field, fact)
        else:
            members = state["members"].setdefault(fact.field, {})
            said = _say(members, fact.member, fact)
            _keep_the_newest(members, _MOST_MEMBERS[fact.field])
            changed |= said and fact.member in members
    return changed


def _say(holders: dict[str, list[Any]], name: str, fact: Fact) -> bool:
    known = holders.get(name)
    if known is not None and tuple(known[:3]) >= fact.stamp:
        return False
    holders[name] = [*fact.stamp, fact.value]
    return True


def _keep_the_newest(members: dict[str, list[Any]], most: int) -> None:
    while len(members) > most:
        del members[min(members, key=lambda name: (members[name][1], members[name][2], name))]


def field(state: State, name: str) -> Said | None:
    """What was last said about a field, if anything was."""
    said = state["fields"].get(name)
    return Said(*said[1:]) if said else None


def value(state: State, name: str, default: Value = None) -> Value:
    """The value of a field, or `default` where nothing was said."""
    said = state["fields"].get(name)
    return said[3] if said else default


def members(state: State, name: str) -> list[Said]:
    """The members of a collection, oldest first."""
    return sorted(_said(state["members"].get(name, {})), key=lambda said: (said.at, said.event))


def _said(members: Mapping[str, list[Any]]) -> Iterator[Said]:
    return (Said(*said[1:]) for said in members.values())
