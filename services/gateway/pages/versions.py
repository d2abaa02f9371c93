"""What has a version: read, and changed in a form only while it is still what the form was made of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from services.gateway.pages.forms import Sent
from services.gateway.pages.visits import Visit
from shared.plumbing.problems import ProblemError

Json = Any  # what the profile service answered
_GONE = ProblemError(404, "no-profile", "")


class Difference(NamedTuple):
    """A field that was changed elsewhere while it was typed into: what is saved now, and what was typed."""

    label: str
    saved: str
    typed: str


@dataclass(frozen=True)
class Saved:
    """The values as they are saved, and their version."""

    values: Json
    version: str


async def read(visit: Visit, path: str) -> Saved:
    """The user's `/profile` or `/preferences`. Raises a 404 or 503 problem."""
    answer = await visit.services.ask("profile", path, user=visit.identity.user)
    if answer.status != 200:
        raise _GONE
    return Saved(orjson.loads(answer.body), answer.headers["ETag"])


async def change(visit: Visit, path: str, patch: Mapping[str, object], version: str) -> Sent:
    """Has `patch` made if the version still holds: 412 if it does not. Nothing is asked where nothing differs."""
    if not patch:
        return Sent(200)
    named = version if version.isascii() and version.isprintable() else '""'  # which no version has
    return await visit.send("profile", "PATCH", path, patch, headers={"If-Match": named})


def by_field(sent: Sent) -> dict[str, str]:
    """The errors by the names of their fields; one within a field, such as `#/price/1`, is the field's own."""
    found: dict[str, str] = {}
    for pointer, detail in sent.errors.items():
        found.setdefault(pointer.partition("/")[0], detail)
    return found


def differences(
    names: Iterable[str],
    saved: Json,
    typed: Mapping[str, object],
    label: Callable[[str], str],
    text: Callable[..., str],
) -> list[Difference]:
    """What differs of the fields `names`; `text` says a value, given with its field's name, in words."""
    return [
        Difference(label(name), text(name, saved[name]), text(name, typed[name]))
        for name in names
        if (saved[name] or None) != (typed[name] or None)
    ]
