"""A change that a user makes of their profile or preferences: what is kept of it, and what it changes for others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pydantic import BaseModel

from services.profile.domain.users import Choices, User, Value, patched

_TIMES = {"created_at", "updated_at"}


class InvalidChangeError(Exception):
    """The change does not fit what is kept. `fields` are those to correct, `detail` says how."""

    def __init__(self, fields: Sequence[str], detail: str) -> None:
        super().__init__(detail)
        self.fields = fields
        self.detail = detail


class Changed(NamedTuple):
    """The user after a change, and the names of the fields that look different now: none if nothing does."""

    user: User
    names: list[str]


def chosen(kept: Choices, members: Mapping[str, Value]) -> Choices:
    """The choices with `members` patched in; as old as they were, until it is known whether anything looks different.

    A choice of what holds anyway is kept too: what is told later does not change it.
    """
    return replace(kept, chosen=patched(kept.chosen, members))


def renewed(choices: Choices, now: int) -> Choices:
    """The next version, of `now` (microseconds); a clock that was put back does not make it older than the last one."""
    return replace(choices, at=max(now, choices.at), version=choices.version + 1)


def differences(before: BaseModel, after: BaseModel) -> list[str]:
    """The names of the fields, but for times, that are not the same, in the model's order."""
    names = (name for name in type(before).model_fields if name not in _TIMES)
    return [name for name in names if getattr(before, name) != getattr(after, name)]
