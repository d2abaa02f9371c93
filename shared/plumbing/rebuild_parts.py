"""Rebuilding: what a document should be, given what is there and what the events made. Pure: no database, no clock.

`live` is a document of the service, `shadow` the one that was made anew from the topics. The shadow's word counts. What
it does not have is kept where no event can tell it: it came from a file, or is older than `oldest`, the time (whole
microseconds since 1970, UTC) from which on the topics hold every event.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from shared.contracts.types import Section
from shared.folds.facts import Kind
from shared.folds.ported import is_imported
from shared.folds.state import State, empty
from shared.plumbing.fact_store import Keeping, Writing
from shared.plumbing.mongo import Document

_VERSION: Final = "version"


class Expected(NamedTuple):
    """What the document should be, None if there should be none; and whether it holds what no event tells any more."""

    document: Document | None
    is_old: bool = False


Expect = Callable[[Document | None, Document | None, int], Expected]  # live, shadow, oldest


async def _none(_: Sequence[Document]) -> set[Any]:  # Any: an _id
    return set()


async def _as_they_are(_: Sequence[Document]) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """A collection that can be made anew.

    `user` is the member that names whose a document is, and `sections` are what shows it to that user. `ignored` are
    members in which nothing is told. `surplus` says which of some documents (by `_id`) are not to be brought back nor
    removed; `complete` finishes those to be written.
    """

    collection: str
    expect: Expect
    user: str | None = "user"
    sections: tuple[Section, ...] = ()
    ignored: frozenset[str] = frozenset({_VERSION})
    surplus: Callable[[Sequence[Document]], Awaitable[set[Any]]] = _none
    complete: Callable[[Sequence[Document]], Awaitable[None]] = _as_they_are

    def is_same(self, one: Document | None, other: Document | None) -> bool:
        """Whether the two say the same, in whatever order their members are."""
        if one is None or other is None:
            return one is other
        return {k: v for k, v in one.items() if k not in self.ignored} == {
            k: v for k, v in other.items() if k not in self.ignored
        }

    def differing(self, one: Document | None, other: Document | None) -> list[str]:
        """The names of the members in which two documents differ, in order; none where there is only one of them."""
        if one is None or other is None:
            return []
        here, there = _by_name(one), _by_name(other)
        names = (here.keys() | there.keys()) - self.ignored
        return sorted(n for n in names if n not in here or n not in there or here[n] != there[n])

    def whose(self, document: Document) -> str | None:
        """The email of its user."""
        return document.get(self.user) if self.user else None


def _by_name(document: Document) -> Document:
    """Its members, and those in which facts are kept one by one: `fields.details`. The names are the code's own."""
    held = ("fields", "members")
    parts = {f"{name}.{inner}": value for name in held for inner, value in document.get(name, {}).items()}
    return {name: value for name, value in document.items() if name not in held} | parts


class Pair(NamedTuple):
    """A document before and after a rebuild; None where there was none, or is none any more."""

    before: Document | None
    after: Document | None

    @property
    def either(self) -> Document:
        """One of the two."""
        found = self.after or self.before
        assert found is not None  # noqa: S101  (a pair is of something)
        return found


def facts(kind: Kind, keeping: Keeping) -> Expect:
    """Of things that facts are merged into: every field and every member for itself."""

    def expect(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
        state = _copy(shadow)
        is_old = live is not None and _keep(state, live, oldest)
        known = live or shadow
        if known is None or (shadow is None and not any(_holders(state))):
            return Expected(None)
        document = known | state | {_VERSION: live[_VERSION] + 1 if live else 1}
        return Expected(document | keeping.columns(writing(kind, keeping, Pair(live, document))), is_old)

    return expect


def writing(kind: Kind, keeping: Keeping, pair: Pair) -> Writing:
    """A pair as that which a fact store would have written."""
    of = pair.either
    before, after = _copy(pair.before), _copy(pair.after)
    version = pair.before[_VERSION] if pair.before else 0
    return Writing(kind, of["_id"], of["user"], of["id"], version, keeping.noted(before), after, changed=True)


def _copy(document: Document | None) -> State:
    if document is None:
        return empty()
    return {"fields": {**document["fields"]}, "members": {n: {**held} for n, held in document["members"].items()}}


def _keep(state: State, live: Document, oldest: int) -> bool:
    """Puts into `state` what only `live` can tell; whether there was anything that events told once."""
    is_old = False
    for place, name, said in _said(live):
        held = state["members"].get(place, {}) if place else state["fields"]
        weight, at, *_ = said
        if (is_imported(weight) or at < oldest) and (name not in held or tuple(held[name][:3]) < tuple(said[:3])):
            (state["members"].setdefault(place, {}) if place else state["fields"])[name] = said
            is_old |= not is_imported(weight)
    return is_old


def _said(document: Document) -> list[tuple[str | None, str, list[Any]]]:
    fields: list[tuple[str | None, str, list[Any]]] = [(None, *each) for each in document["fields"].items()]
    return fields + [(place, *each) for place, held in document["members"].items() for each in held.items()]


def _holders(state: State) -> chain[Mapping[str, Any]]:
    return chain([state["fields"]], state["members"].values())


def whole(is_untold: Callable[[Document], bool], at: Callable[[Document], int]) -> Expect:
    """Of documents that one event tells: all or nothing. `is_untold` says that no event in the topics can tell it."""

    def expect(live: Document | None, shadow: Document | None, oldest: int) -> Expected:
        if shadow is not None or live is None:
            return Expected(shadow)
        if is_untold(live):
            return Expected(live)
        return Expected(live, is_old=True) if at(live) < oldest else Expected(None)

    return expect


def choices(live: Document | None, shadow: Document | None, _oldest: int) -> Expected:
    """What users allow: a choice that is missing comes back, and none is ever taken away."""
    known = live or shadow
    if known is None:
        return Expected(None)
    here = list(live["choices"]) if live else []
    return Expected(known | {"choices": here + [c for c in (shadow or {}).get("choices", ()) if c not in here]})
