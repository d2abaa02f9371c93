"""What becomes of the files, for whoever runs the import: names of files and members, nothing that is in them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_MOST_SHOWN: Final = 20
_THINGS: Final = {
    "registration": "registration",
    "preferences": "preferences",
    "transactions": "1 transaction",
    "purchases": "1 purchase",
    "pool positions": "1 pool position",
    "activities": "1 activity",
}


@dataclass
class Report:
    """One file: how many of which things, what could not be read (`refused`: all of it), and what is good to know."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    refused: str | None = None
    problems: int = 0
    shown: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        """Notes what cannot be read; the first ones are shown, all are counted."""
        self.problems += 1
        if self.problems <= _MOST_SHOWN:
            self.shown.append(text)

    @property
    def is_whole(self) -> bool:
        """Whether everything in the file could be read."""
        return self.refused is None and not self.problems

    def lines(self) -> Iterator[str]:
        """The report on this file."""
        counted = ", ".join(_counted(thing, self.counts[thing]) for thing in _THINGS if self.counts[thing])
        yield f"{printable(self.name)}: {counted or 'nothing'}"
        if self.refused is not None:
            yield f"  not read: {self.refused}"
        yield from (f"  not read: {text}" for text in self.shown)
        if self.problems > _MOST_SHOWN:
            yield f"  not read: {self.problems - _MOST_SHOWN:,} more"
        yield from (f"  note: {text}" if n == 1 else f"  note: {text} ({n:,} times)" for text, n in self.notes.items())


def _counted(thing: str, number: int) -> str:
    return _THINGS[thing] if number == 1 else f"{number:,} {thing}"


def summary(reports: Iterable[Report], *, dry_run: bool) -> str:
    """One sentence on all files."""
    reports = list(reports)
    events = sum(sum(report.counts.values()) - report.counts["purchases"] for report in reports)
    refused = sum(report.refused is not None for report in reports)
    partly = sum(not report.is_whole for report in reports) - refused
    whole = len(reports) - refused - partly
    done = "would be published" if dry_run else "published"
    return (
        f"{len(reports):,} files: {whole:,} whole, {partly:,} in part, {refused:,} not at all; {events:,} events {done}"
    )


def printable(text: str) -> str:
    """A file's name without what would steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)
