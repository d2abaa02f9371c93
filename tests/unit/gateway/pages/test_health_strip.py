"""The health strip: what it shows agrees with the uptime that the service works out, whatever happened."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.pages.health_strip import PERIODS, STATES, Span, State, draw, sample, spans_of, start_of, strip_of
from shared.contracts.times import microseconds
from shared.folds.deployment import Check, Interval, uptime

NOW = datetime(2026, 3, 30, 9, 30, 12, 5, tzinfo=UTC)
BERLIN, KATHMANDU = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kathmandu")
STATUSES = ("deploying", "running", "stopped", "error", "maintenance", "scaling")
minutes = st.integers(0, 3 * 24 * 60).map(lambda m: timedelta(minutes=m))


def health(
    start: datetime, end: datetime, moves: list[tuple[datetime, str]], checks: list[tuple[datetime, bool]]
) -> Mapping[str, Any]:
    """What the service answers of these moves and checks."""
    ends: list[datetime | None] = [*(at for at, _ in moves[1:]), None][: len(moves)]
    return {
        "from": start.isoformat(),
        "to": end.isoformat(),
        "intervals": [
            {"status": status, "start": at.isoformat(), "end": until and until.isoformat(), "reason": f"{at}"}
            for (at, status), until in zip(moves, ends, strict=True)
            if at <= end and (until is None or until >= start)
        ],
        "checks": [{"at": at.isoformat(), "healthy": healthy} for at, healthy in sorted(checks) if start <= at <= end],
    }


@given(
    st.lists(st.tuples(minutes, st.sampled_from(STATUSES)), max_size=6, unique_by=lambda move: move[0]),
    st.lists(st.tuples(minutes, st.booleans()), max_size=30, unique_by=lambda check: check[0]),
)
def test_the_spans_fill_the_time_and_make_the_uptime(
    moved: list[tuple[timedelta, Any]], checked: list[tuple[timedelta, bool]]
) -> None:
    start, end = NOW - timedelta(days=2), NOW
    moves = [(NOW - timedelta(days=3) + after, status) for after, status in sorted(moved)]
    checks = [(NOW - timedelta(days=3) + after, healthy) for after, healthy in checked]
    spans = spans_of(health(start, end, moves, checks))
    assert spans[0].start == start
    assert spans[-1].end == end
    assert all(one.end == other.start for one, other in pairwise(spans))
    ends = [*(microseconds(at) for at, _ in moves[1:]), None][: len(moves)]
    passed = [Interval(what, microseconds(at), until, None) for (at, what), until in zip(moves, ends, strict=True)]
    known = [Check(microseconds(at), healthy) for at, healthy in checks]
    truth = uptime(passed, known, microseconds(start), microseconds(end))
    seconds = {state: sum(span.seconds for span in spans if span.state == state) for state in ("up", "down")}
    assert seconds["up"] == pytest.approx(truth.up / 1e6)
    assert seconds["up"] + seconds["down"] == pytest.approx(truth.expected / 1e6)


@pytest.mark.parametrize("zone", [UTC, BERLIN, KATHMANDU], ids=str)
@pytest.mark.parametrize("period", PERIODS)
def test_a_period_begins_on_the_users_clock(period: str, zone: ZoneInfo) -> None:
    start = start_of(period, NOW, zone)
    local = start.astimezone(zone)
    assert start.utcoffset() == timedelta(0)
    assert (local.minute, local.second, local.microsecond) == (0, 0, 0)
    if period == "24h":
        assert timedelta(hours=23) < NOW - start <= timedelta(hours=24)
    else:
        assert local.hour == 0
        assert NOW.astimezone(zone).date() - local.date() == timedelta(days=PERIODS[period] - 1)


@pytest.mark.parametrize("zone", [UTC, BERLIN, KATHMANDU], ids=str)
@pytest.mark.parametrize(
    ("period", "rows", "columns"), [("24h", 1, 24), ("7d", 7, 24), ("30d", 24, 30), ("90d", 24, 90)]
)
def test_there_is_a_cell_for_every_hour(period: str, rows: int, columns: int, zone: ZoneInfo) -> None:
    start = start_of(period, NOW, zone)
    strip = strip_of([Span("up", start, NOW)], zone)
    assert (strip.rows, strip.columns, len(strip.days) > 0) == (rows, columns, True)
    places = {(cell.row, cell.column) for cell in strip.cells}
    assert len(places) == len(strip.cells)
    assert all(row < rows and column < columns for row, column in places)
    hours = -((start - NOW) // timedelta(hours=1))
    assert strip.hours == {"up": hours, "down": 0, "off": 0, "unknown": 0}
    assert hours - len(places) in (0, 1)  # the hour that a clock is put back has no cell of its own


def test_an_hour_is_as_bad_as_its_worst_moment() -> None:
    start = datetime(2026, 3, 29, 10, tzinfo=UTC)
    at = [start + timedelta(minutes=minute) for minute in (0, 70, 71, 130, 200, 240)]
    states: list[State] = ["unknown", "down", "up", "off", "up"]
    spans = [Span(state, since, until) for state, since, until in zip(states, at, at[1:], strict=False)]
    cells = strip_of(spans, ZoneInfo("UTC")).cells
    assert [cell.state for cell in sorted(cells, key=lambda cell: cell.column)] == ["unknown", "down", "off", "off"]


def test_a_clock_put_back_shows_the_worse_of_the_two_hours() -> None:
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)  # midnight in Berlin before the long day
    down = datetime(2025, 10, 26, 0, tzinfo=UTC)  # the first of the two hours from two to three
    spans = [
        Span("up", start, down),
        Span("down", down, down + timedelta(hours=1)),
        Span("up", down + timedelta(hours=1), start + timedelta(hours=25)),
    ]
    strip = strip_of(spans, BERLIN)
    (worst,) = [cell for cell in strip.cells if cell.state == "down"]
    assert (worst.row, worst.column) == (0, 2)
    assert (len(strip.cells), strip.hours["up"], strip.hours["down"]) == (24, 24, 1)


def test_states_differ_in_more_than_colour_and_texts_are_escaped() -> None:
    start = datetime(2026, 3, 29, 10, tzinfo=UTC)
    spans = [Span(s, start + timedelta(hours=n), start + timedelta(hours=n + 1)) for n, s in enumerate(STATES)]
    drawn = draw(strip_of(spans, ZoneInfo("UTC")), "<b>", "&")
    assert '<title id="strip-title">&lt;b&gt;</title>' in drawn
    assert "&amp;</desc>" in drawn
    assert 'fill="url(#hatch)"' in drawn
    shapes = {sample(state).split('d="')[1] for state in ("up", "off", "unknown")}
    assert len(shapes) == 3
