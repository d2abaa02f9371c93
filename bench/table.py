"""What the figures come to: one row each, with its target where it has one."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from bench import bare
from bench.dashboard import FEW, MANY, Seen
from bench.history import Cost
from bench.ingest import Comparison, Results

_ABOUT_ONE = 1.5  # above it, something grows
_MOST_COMMANDS_FOR_TRIMMING = 4  # of one user's batch: to find and to delete, low-impact activities and the others
_MEGABYTES = 150


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


def of_activity(results: Results, costs: list[Cost]) -> list[Row]:
    """The lines about the activity service."""
    return [*_ingest(results), *_history(costs)]


def of_purchases(found: bare.Costs) -> list[Row]:
    """The lines about the purchases service."""
    return [*_costs("purchases", found)]


def of_analytics(found: bare.Costs) -> list[Row]:
    """The lines about how fast the analytics service is."""
    return [*_costs("analytics", found)]


def of_the_stack(seen: Seen) -> list[Row]:
    """The lines about all of it together."""
    return [*_answers(seen.seconds), *_memory(seen.megabytes)]


def table(rows: Iterable[Row]) -> Table:
    """The lines as they are printed."""
    shown = Table(title="Ratios within one run; a gate decides on the exit code")
    for name in ("What", "Measured", "Compared with", "Ratio or count", "Target", "Met"):
        shown.add_column(name, justify="left" if name == "What" else "right", overflow="fold")
    for row in rows:
        met = "" if row.met is None else ("yes" if row.met else "NO") + (" (gate)" if row.gate else "")
        shown.add_row(row.what, row.one, row.other, row.result, row.target, met)
    return shown


def _ingest(results: Results) -> Iterator[Row]:
    bare = results.by_the_clock("ours", "bare")
    stock = results.by_the_clock("ours", "faststream")
    yield _speed("Ingest, against bare aiokafka + orjson + the same bulk write", bare, 0.6)
    yield _speed("the same by CPU time of the process", results.by_cpu("ours", "bare"))
    yield _speed("Ingest, against a FastStream handler called for each message", stock, 10)
    yield _speed("A FastStream raw batch, against the bare loop", results.by_the_clock("faststream_batch", "bare"))
    yield _speed("The same records again, against the first time", results.by_the_clock("redelivered", "ours"))
    batches = sum(m.batches for m in results.measured["ours"])
    commits = sum(m.commits for m in results.measured["ours"]) / batches
    added = sum(after - before for before, after in results.stored)
    yield Row("Commits a batch", "", "", f"{commits:g}", "1", commits == 1, gate=True)
    yield Row("Activities that the same records again added", "", "", f"{added}", "0", added == 0, gate=True)


def _speed(what: str, found: Comparison, target: float | None = None) -> Row:
    figures = (f"{found.one:,.0f}/s", f"{found.other:,.0f}/s", f"{found.ratio:.2f}")
    return Row(what, *figures) if target is None else Row(what, *figures, f"≥ {target:g}", found.ratio >= target)


def _history(costs: list[Cost]) -> Iterator[Row]:
    first, filling, full, overfull = costs
    for cost, other in ((filling, first), (full, first), (overfull, full)):
        what = f"An event of a user with {cost.history:,} behind it, against {other.history:,}"
        yield _time(what, cost.seconds_per_event, other.seconds_per_event)
    for cost in costs:
        most = first.commands_per_batch + _MOST_COMMANDS_FOR_TRIMMING
        count, met = f"{cost.commands_per_batch:.2f}", cost.commands_per_batch <= most
        yield Row(f"Mongo commands a batch, {cost.history:,} behind it", "", "", count, f"≤ {most:.2f}", met, gate=True)


def _costs(service: str, found: bare.Costs) -> Iterator[Row]:
    what = f"Ingest of {service}, against orjson + the same bulk write, without Kafka"
    yield _speed(what, Comparison(median(found.ours), median(found.bare), found.ratio), 0.6)
    for what, seconds in found.seconds.items():
        few, many = sorted(seconds)
        yield _time(f"{what}, with {many:,} purchases behind it, against {few:,}", seconds[many], seconds[few])


def _answers(seconds: Mapping[str, Mapping[int, float]]) -> Iterator[Row]:
    for what, taken in seconds.items():
        yield _time(f"{what}, with {MANY:,} events behind it, against {FEW:,}", taken[MANY], taken[FEW])


def _time(what: str, one: float, other: float) -> Row:
    ratio = one / other
    return Row(what, _time_text(one), _time_text(other), f"{ratio:.2f}", "about 1", ratio <= _ABOUT_ONE)


def _time_text(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs" if seconds < 0.001 else f"{seconds * 1e3:,.1f} ms"


def _memory(megabytes: Mapping[str, float]) -> Iterator[Row]:
    for name, used in megabytes.items():
        yield Row(f"Memory of {name}", f"{used:.0f} MB", "", "", f"< {_MEGABYTES} MB", used < _MEGABYTES)
