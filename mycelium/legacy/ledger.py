"""The lines of an old wallet in order of time, however many there are: kept in a temporary database on disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Context, Decimal
from typing import Final, NamedTuple

from mycelium.legacy.money import Line
from shared.contracts.times import microseconds

TOKEN: Final = "TFP"
_SAME_MOMENT = 60_000_000  # microseconds: the activity of a purchase is noted when it is paid, or just after
_EXACT: Final = Context(prec=60)


class Posted(NamedTuple):
    """A line in its place: the sequence from 1, and the balance after it; `line` None is pending or unreadable."""

    place: int
    sequence: int
    balance: Decimal
    line: Line | None


class Ledger:
    """Takes the lines as the file has them. A line that cannot be read has its place, so that the later ones keep
    theirs when it is mended.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("CREATE TABLE lines (identity TEXT PRIMARY KEY, at INT, place INT, currency TEXT, line TEXT)")
        database.execute("CREATE TABLE things (id TEXT, at INT)")
        database.execute("CREATE INDEX by_id ON things (id, at)")

    def add(self, identity: str, at: datetime, place: int, line: Line | None) -> bool:
        """Whether the line was not there before."""
        moment, currency = microseconds(at), line and line.currency
        row = (identity, moment, place, currency, line and line.model_dump_json())
        new = self._database.execute("INSERT OR IGNORE INTO lines VALUES (?, ?, ?, ?, ?)", row).rowcount
        if new and line:
            self._database.executemany("INSERT INTO things VALUES (?, ?)", [(id_, moment) for id_ in line.things])
        return bool(new)

    def currency(self) -> str:
        """The currency of the last line that names one."""
        found = self._database.execute(
            "SELECT currency FROM lines WHERE currency IS NOT NULL ORDER BY at DESC, place DESC LIMIT 1"
        ).fetchone()
        return str(found[0]) if found else TOKEN

    def sum(self, currency: str) -> Decimal:
        """What the lines in that currency come to."""
        total = Decimal(0)
        for _, line in self._lines():
            if line and (line.currency or currency) == currency:
                total = _EXACT.add(total, line.amount)
        return total

    def posted(self, currency: str, opening: Decimal) -> Iterator[Posted]:
        """The lines in order of time, and then of the file; the balance is that of the lines in `currency`."""
        balance = opening
        for sequence, (place, line) in enumerate(self._lines(), start=1):
            if line and (line.currency or currency) == currency:
                balance = _EXACT.add(balance, line.amount)
            yield Posted(place, sequence, balance, line)

    def tells_of(self, thing: str, at: datetime) -> bool:
        """Whether a line tells of that thing at about that time."""
        moment = microseconds(at)
        within = (thing, moment - _SAME_MOMENT, moment + _SAME_MOMENT)
        found = self._database.execute("SELECT 1 FROM things WHERE id = ? AND at BETWEEN ? AND ? LIMIT 1", within)
        return found.fetchone() is not None

    def _lines(self) -> Iterator[tuple[int, Line | None]]:
        for place, line in self._database.execute("SELECT place, line FROM lines ORDER BY at, place"):
            yield place, Line.model_validate_json(line) if line else None


@contextmanager
def ledger() -> Iterator[Ledger]:
    """A ledger that is gone at the end."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("BEGIN")
        yield Ledger(database)
