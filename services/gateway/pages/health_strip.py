"""The health of a deployment as a strip: one cell an hour, with states that differ in shape, not in colour only.

What counts as up and down is what `GET /deployments/{id}/health` counts, so that strip and uptime never disagree.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

Health = Mapping[str, Any]  # Any: JSON, see `DeploymentHealth`
State = Literal["up", "down", "off", "unknown"]
STATES: Final[tuple[State, ...]] = ("up", "down", "off", "unknown")
PERIODS: Final[Mapping[str, int]] = {"24h": 1, "7d": 7, "30d": 30, "90d": 90}  # their days

_HOUR = timedelta(hours=1)
_HOURS_A_DAY: Final = 24
_MOST_ROWS_OF_DAYS: Final = 7  # with more, a day is a column
_WORST: Final[Sequence[State]] = ("down", "off", "up", "unknown")
_SERVING: Final = ("running", "scaling")
_SHAPES: Final[Mapping[State, str]] = {
    "up": "M{x} {y}h9v9h-9z",
    "down": "M{x} {y}h9v9h-9z",
    "off": "M{x} {low}h9v4h-9z",
    "unknown": "M{x} {bottom}h9v1h-9z",
}
_HATCH = Markup(
    '<defs><pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="down" width="4" height="4"/><path class="hatch" d="M0 0v4"/></pattern></defs>'
)


@dataclass(frozen=True, slots=True)
class Span:
    """How a deployment was from `start` to `end`; `status` and `reason` say why, None where nothing is known."""

    state: State
    start: datetime
    end: datetime
    status: str | None = None
    reason: str | None = None

    @property
    def seconds(self) -> float:
        """How long it was so."""
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Cell:
    """An hour: where it stands, by the user's clock, and the worst of how it was."""

    row: int
    column: int
    state: State


@dataclass(frozen=True)
class Strip:
    """The cells of a period, its days by the user's clock, oldest first, and how many hours were how."""

    cells: Sequence[Cell]
    days: Sequence[date]
    rows: int
    columns: int
    hours: Mapping[State, int]

    @property
    def days_are_columns(self) -> bool:
        """Whether a column is a day, and not an hour."""
        return self.rows == _HOURS_A_DAY


def start_of(period: str, now: datetime, zone: ZoneInfo) -> datetime:
    """When `period`, one of PERIODS, began: on a full hour or at midnight by the clock of `zone`; UTC."""
    local = now.astimezone(zone)
    if period == "24h":
        return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC) - (_HOURS_A_DAY - 1) * _HOUR
    first_day = local.date() - timedelta(days=PERIODS[period] - 1)
    return datetime.combine(first_day, time.min, zone).astimezone(UTC)


def spans_of(health: Health) -> list[Span]:
    """How it was, oldest first and without gaps between the health's `from` and `to`."""
    start, end = _at(health["from"]), _at(health["to"])
    checks = [(_at(check["at"]), bool(check["healthy"])) for check in health["checks"]]
    found: list[Span] = []
    for interval in health["intervals"]:
        since = max(_at(interval["start"]), start)
        until = end if interval["end"] is None else min(_at(interval["end"]), end)
        if since < until:
            found += _spans_within(Span("off", since, until, interval["status"], interval["reason"]), checks)
    first = found[0].start if found else end
    return _joined([*([Span("unknown", start, first)] if start < first else []), *found])


def _spans_within(whole: Span, checks: Sequence[tuple[datetime, bool]]) -> list[Span]:
    if whole.status == "error":
        return [replace(whole, state="down")]
    if whole.status not in _SERVING:
        return [whole]
    first, last = (bisect_left(checks, at, key=itemgetter(0)) for at in (whole.start, whole.end))
    moments = [(whole.start, True), *checks[first:last]]
    parts = [*(next(same) for _, same in groupby(moments, key=itemgetter(1))), (whole.end, True)]
    return [
        Span("up" if healthy else "down", since, until, whole.status, whole.reason)
        for (since, healthy), (until, _) in pairwise(parts)
        if since < until
    ]


def _joined(spans: Iterable[Span]) -> list[Span]:
    same = (list(group) for _, group in groupby(spans, key=lambda span: (span.state, span.status, span.reason)))
    return [replace(group[0], end=group[-1].end) for group in same]


def strip_of(spans: Sequence[Span], zone: ZoneInfo) -> Strip:
    """The cells of `spans`; where a clock is put back, one cell stands for two hours."""
    states = _hours(spans)
    days = sorted({at.astimezone(zone).date() for at in states})
    rolling = len(states) <= _HOURS_A_DAY
    places: dict[tuple[int, int], State] = {}
    for number, (at, state) in enumerate(states.items()):
        local = at.astimezone(zone)
        day, hour = (0, number) if rolling else (days.index(local.date()), local.hour)
        place = (day, hour) if rolling or len(days) <= _MOST_ROWS_OF_DAYS else (hour, day)
        places[place] = min(places.get(place, "unknown"), state, key=_WORST.index)
    shape = (1, _HOURS_A_DAY) if rolling else (len(days), _HOURS_A_DAY)
    rows, columns = shape if shape[0] <= _MOST_ROWS_OF_DAYS else shape[::-1]
    cells = [Cell(row, column, state) for (row, column), state in places.items()]
    every = list(states.values())
    return Strip(cells, days, rows, columns, {state: every.count(state) for state in STATES})


def _hours(spans: Sequence[Span]) -> dict[datetime, State]:
    """The worst state of each hour from the first span's start on."""
    found: dict[datetime, State] = {}
    for span in spans:
        at = spans[0].start + (span.start - spans[0].start) // _HOUR * _HOUR
        while at < span.end:
            found[at] = min(found.get(at, "unknown"), span.state, key=_WORST.index)
            at += _HOUR
    return found


def draw(strip: Strip, title: str, description: str) -> Markup:
    """The strip as SVG, 10 units a cell, to be stretched to any size."""
    paths = Markup("").join(_path(state, strip.cells) for state in STATES if strip.hours[state])
    return Markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-labelledby="strip-title strip-text">'
        '<title id="strip-title">{}</title><desc id="strip-text">{}</desc>{}{}</svg>'
    ).format(strip.columns * 10 - 1, strip.rows * 10 - 1, title, description, _HATCH, paths)


def sample(state: State) -> Markup:
    """One cell, for the legend."""
    return Markup('<svg viewBox="0 0 9 9" aria-hidden="true">{}</svg>').format(_path(state, [Cell(0, 0, state)]))


def _path(state: State, cells: Iterable[Cell]) -> Markup:
    shape = _SHAPES[state]
    drawn = "".join(
        shape.format(x=10 * cell.column, y=10 * cell.row, low=10 * cell.row + 5, bottom=10 * cell.row + 8)
        for cell in cells
        if cell.state == state
    )
    fill = Markup('fill="url(#hatch)"') if state == "down" else Markup('class="{}"').format(state)
    return Markup('<path {} d="{}"/>').format(fill, drawn)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
