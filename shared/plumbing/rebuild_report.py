"""Rebuilding: what was found and done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

from shared.folds.facts import digest
from shared.plumbing.rebuild_parts import Part
from shared.plumbing.rebuild_topics import Reach

_SHOWN: Final = 20


class NotRebuildableError(Exception):
    """The topics do not hold what the live projection was made from. Nothing was changed."""

    def __init__(self, oldest: datetime, untold: int, told: int) -> None:
        super().__init__()
        self.oldest, self.untold, self.told = oldest, untold, told


@dataclass
class Counts:
    """What was found in one collection. `kept`: documents with something that no event in the topics tells any more.

    `changing` changed all the while, or has an event to publish first. `ids` has a few `_id`s for each; of one
    that is an email, its digest. Behind one that is different are the names of the members that are.
    """

    equal: int = 0
    different: int = 0
    missing: int = 0
    extra: int = 0
    kept: int = 0
    changing: int = 0
    ids: dict[str, list[str]] = field(default_factory=dict)

    def note(
        self, what: Literal["different", "missing", "extra", "changing"], part: Part, id: str, names: Iterable[str] = ()
    ) -> None:
        """One more, with its id and the `names` of what differs in it if there are not many yet."""
        setattr(self, what, getattr(self, what) + 1)
        shown = self.ids.setdefault(what, [])
        if len(shown) < _SHOWN:
            in_what = ", ".join(names)
            shown.append((digest(id) if part.user == "_id" else id) + (f" ({in_what})" if in_what else ""))

    @property
    def differ(self) -> int:
        """How many are not as they should be."""
        return self.different + self.missing + self.extra


class Report(NamedTuple):
    """What was found, by collection, and what is left after the switch; None where nothing was switched."""

    found: Mapping[str, Counts]
    left: Mapping[str, Counts] | None
    reach: Reach
    resumed: bool
