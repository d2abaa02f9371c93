"""A user: what was registered, what the old files said, what they chose here, and what these come to.

Each layer lies over the one before: the defaults, the old files, the registration, the user's own choices. A layer
keeps every field as a last-writer register, so that a user depends on the set of their events only.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from shared.contracts.envelope import Event, Payload
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.profiles import (
    MOST_CHARACTERS_OF_A_NAME,
    Country,
    Language,
    Line,
    PreferencesChange,
    TimeZone,
    one_line,
)
from shared.contracts.times import microseconds

Value = Any  # what a field holds: strings, numbers, Decimals, and lists and mappings of them


class Told(NamedTuple):
    """A field's `value`, told at `at` (microseconds since 1970, UTC) by the event of this `rank`."""

    value: Value
    at: int
    rank: str


Registers = Mapping[str, Told]


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose of a section, last at `at` (microseconds; 0 for never). Each visible change is a version."""

    chosen: Mapping[str, Value] = field(default_factory=dict)
    at: int = 0
    version: int = 1


@dataclass(frozen=True, slots=True)
class User:
    """A user, by their normalised `email`. Times are in microseconds since 1970 in UTC.

    `created_at` is the earliest registration; None while only old files spoke of them, who are nobody here yet.
    """

    email: str
    user_id: str
    created_at: int | None = None
    registered: Registers = field(default_factory=dict)
    found: Registers = field(default_factory=dict)
    profile: Choices = field(default_factory=Choices)
    preferences: Choices = field(default_factory=Choices)


def fold(user: User, event: Event[Payload]) -> User:
    """The user after what `event` tells; the same one if it tells nothing new. What is not valid is not taken."""
    match event.data:
        case UserRegistered() as data:
            at = microseconds(event.time)
            earliest = at if user.created_at is None else min(user.created_at, at)
            told = _told(event, _registered_fields(data))
            return replace(user, created_at=earliest, registered=_latest(user.registered, told))
        case LegacyPreferencesFound(preferences=preferences):
            return replace(user, found=_latest(user.found, _told(event, _valid_preferences(preferences))))
        case _:
            return user


def _told(event: Event[Payload], values: Mapping[str, Value]) -> Registers:
    at = microseconds(event.time)
    return {name: Told(value, at, event.rank) for name, value in values.items()}


def _latest(known: Registers, told: Registers) -> Registers:
    """The later time wins, then the greater rank."""
    newer = {name: new for name, new in told.items() if name not in known or known[name][1:] < new[1:]}
    return {**known, **newer}


def _cut(value: object) -> object:
    return one_line(value)[:MOST_CHARACTERS_OF_A_NAME].strip() if isinstance(value, str) else value


_REGISTERED: Final[Mapping[str, TypeAdapter[str]]] = {
    "display_name": TypeAdapter(Annotated[Line, BeforeValidator(_cut)]),
    "country": TypeAdapter(Country),
    "timezone": TypeAdapter(TimeZone),
    "language": TypeAdapter(Language),
}


def _registered_fields(data: UserRegistered) -> Mapping[str, Value]:
    taken = {}
    for name, adapter in _REGISTERED.items():
        with suppress(ValidationError):
            taken[name] = adapter.validate_python(getattr(data, name))
    return taken


def _valid_preferences(found: Mapping[str, Value]) -> Mapping[str, Value]:
    taken: dict[str, Value] = {}
    for name, value in _members(found):
        with suppress(ValidationError):
            taken = patched(taken, PreferencesChange.model_validate({name: value}).members)
    return {name: value for name, value in taken.items() if value is not None}


def _members(found: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    """Each member by itself, those of an object too, so that one that is not valid takes none along."""
    for name, value in found.items():
        parts = [{inner: each} for inner, each in value.items()] if isinstance(value, dict) else [value]
        yield from ((name, part) for part in parts)


def patched(kept: Mapping[str, Value], members: Mapping[str, Value]) -> dict[str, Value]:
    """RFC 7396, but for null, which is kept: it stands for what was emptied and hides the layers below."""
    return {**kept, **{name: _patched_value(kept.get(name), value) for name, value in members.items()}}


def _patched_value(kept: Value, value: Value) -> Value:
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in {**(kept or {}), **value}.items() if each is not None}
