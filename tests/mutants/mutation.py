"""A bug to plant."""

from dataclasses import dataclass
from pathlib import Path


class StaleMutationError(Exception):
    """The code is no longer what the mutation replaces: write the mutation anew."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """`new` in the place of `old`, which is in `file` exactly once; `harm` says what users or operators would suffer.

    `tests` are what has to notice: the narrowest selection, as pytest takes it.
    """

    name: str
    file: str
    old: str
    new: str
    harm: str
    tests: tuple[str, ...]

    @property
    def needs_servers(self) -> bool:
        """Whether its tests start real servers, which takes long."""
        return any(test.startswith("tests/integration/") for test in self.tests)

    def applied(self, tree: Path) -> str:
        """The whole file with the bug in it. Raises StaleMutationError unless `old` occurs exactly once."""
        text = (tree / self.file).read_text(encoding="utf-8")
        if (occurrences := text.count(self.old)) != 1:
            raise StaleMutationError(f"{self.name}: the old text occurs {occurrences} times in {self.file}")
        return text.replace(self.old, self.new)
