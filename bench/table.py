"""What the figures come to: one row each, with its target where it has one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

_ABOUT_ONE = 1.5  # above it, something grows


@dataclass(frozen=True)
class Row:
    """One line. `met` is None where there is no target; `gate` says that the exit code depends on it."""

    what: str
    one: str
    other: str
    result: str
    target: str = ""
    met: bool | None = None
    gate: bool = False


@dataclass(frozen=True)
class Comparison:
    """Speeds of two that took turns (medians), and the median of their ratios, round by round."""

    one: float
    other: float
    ratio: float


def compared(one: Sequence[float], other: Sequence[float]) -> Comparison:
    """Compares what two measured, round by round."""
    return Comparison(median(one), median(other), median(a / b for a, b in zip(one, other, strict=True)))


def speed(what: str, found: Comparison, target: float | None = None, unit: str = "s") -> Row:
    """A line about speeds; at least `target` is wanted of the ratio."""
    figures = (f"{found.one:,.0f}/{unit}", f"{found.other:,.0f}/{unit}", f"{found.ratio:.2f}")
    return Row(what, *figures) if target is None else Row(what, *figures, f"≥ {target:g}", found.ratio >= target)


def cost(what: str, one: float, other: float) -> Row:
    """A line about seconds, which should be about the same."""
    ratio = one / other
    return Row(what, seconds_text(one), seconds_text(other), f"{ratio:.2f}", "about 1", ratio <= _ABOUT_ONE)


def count_gate(what: str, count: float, most: float, one: str = "") -> Row:
    """A line about a count, which decides on the exit code: no more than `most`."""
    return Row(what, one, "", f"{count:.3g}", f"≤ {most:g}" if most > 1 else f"{most:g}", count <= most, gate=True)


def seconds_text(seconds: float) -> str:
    """A time as it is read best."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1e6:,.0f} µs" if seconds < 0.001 else f"{seconds * 1e3:,.1f} ms"


def table(rows: Iterable[Row]) -> Table:
    """The lines as they are printed."""
    shown = Table(title="Ratios within one run; a gate decides on the exit code")
    for name in ("What", "Measured", "Compared with", "Ratio or count", "Target", "Met"):
        shown.add_column(name, justify="left" if name == "What" else "right", overflow="fold")
    for row in rows:
        met = "" if row.met is None else ("yes" if row.met else "NO") + (" (gate)" if row.gate else "")
        shown.add_row(row.what, row.one, row.other, row.result, row.target, met)
    return shown
