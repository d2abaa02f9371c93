"""Charts: whatever the amounts are, everything is drawn inside, said in words, and there as a table."""

import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from services.gateway.pages import charts
from services.gateway.pages.charts import Bar, Cell, Point, Span, Table, Telling

_ACROSS = ("x", "cx", "width")
_DOWN = ("y", "cy", "height")
_NUMBER = re.compile(r"-?[\d.]+(?:e[+-]?\d+)?|nan|inf", re.IGNORECASE)
TELLING = Telling("c", "It rose <b>", "One & all", Table("As a table", ["Month", "Spent"], [["June", "1 <i>"]]))

amounts = st.one_of(
    st.just(Decimal(0)),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(-1000, 1000, places=2),
    st.sampled_from([Decimal("1e300"), Decimal("-1e300"), Decimal("1e-300"), Decimal("99999999999999.99")]),
)


@st.composite
def some_bars(draw: st.DrawFn) -> list[Bar]:
    drawn = []
    for index, value in enumerate(draw(st.lists(amounts, max_size=15))):
        ends = sorted(draw(st.tuples(amounts, amounts, amounts)))
        span = draw(st.sampled_from([None, Span(ends[1], ends[0], ends[2])]))
        drawn.append(Bar(f"M{index}", value, str(value), draw(st.booleans()), span))
    return drawn


@st.composite
def some_points(draw: st.DrawFn) -> list[Point]:
    times = sorted(draw(st.lists(st.floats(0, 4e9), min_size=1, max_size=30)))
    return [Point(at, draw(amounts)) for at in times]


def tick(value: Decimal) -> str:
    return f"{value:.2E}"


def parsed(chart: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(chart.replace("&nbsp;", " "))  # noqa: S314  (we made it)


def assert_inside(chart: Markup) -> None:
    """Everything has a finite place, at most one label's height outside of the drawing's box."""
    for element in parsed(chart).iter():
        for name in (*_ACROSS, *_DOWN):
            text = element.get(name)
            if text is not None:
                number = float(text.rstrip("%"))
                assert math.isfinite(number), (element.tag, name, text)
                assert 0 <= number <= (100 if text.endswith("%") else charts.HEIGHT), (element.tag, name, text)
        assert_path_is_inside(element.get("d", ""))
    for box in parsed(chart).iter("rect"):
        if (x := box.get("x", "")).endswith("%"):
            assert float(x[:-1]) + float(box.get("width", "")[:-1]) <= 100.01
            assert float(box.get("y", "")) + float(box.get("height", "")) <= charts.HEIGHT


def assert_path_is_inside(path: str) -> None:
    numbers = [float(number) for number in _NUMBER.findall(path)]
    assert all(math.isfinite(number) and 0 <= number <= charts.STRETCHED for number in numbers), path


@given(some_bars())
def test_bars_are_inside_whatever_the_amounts(drawn: list[Bar]) -> None:
    chart = charts.bars(TELLING, drawn, "TFP", tick)
    assert_inside(chart)
    names = [text.text for text in parsed(chart).iter("text") if "name" in text.get("class", "")]
    assert names == [bar.label for bar in drawn]


@given(some_points())
def test_a_line_is_inside_whatever_the_amounts(points: list[Point]) -> None:
    assert_inside(charts.line(TELLING, points, "TFP", tick, ("1 June", "30 June"), "12"))


@given(st.lists(amounts, min_size=1, max_size=30))
def test_a_spark_is_inside_whatever_the_amounts(values: list[Decimal]) -> None:
    assert_inside(charts.spark("It rose", values))


@given(st.lists(st.tuples(st.text("ab<&", max_size=3), st.integers(0, 3)), max_size=40))
def test_a_strip_is_inside(named: list[tuple[str, int]]) -> None:
    assert_inside(charts.strip(TELLING, [Cell(name, name, name, level) for name, level in named]))


@given(st.floats())
@example(math.nan)
@example(-math.inf)
def test_a_share_is_inside_whatever_comes(percent: float) -> None:
    for drawn in (charts.share(percent), charts.standing(percent)):
        assert_inside(drawn)


@given(st.lists(amounts, max_size=20))
def test_a_scale_has_zero_all_values_and_a_few_round_steps(values: list[Decimal]) -> None:
    ticks = charts.scale_of(values).ticks
    assert 3 <= len(ticks) <= 6
    assert 0 in ticks
    assert all(ticks[0] <= value <= ticks[-1] for value in values)
    step = (ticks[-1] - ticks[0]) / (len(ticks) - 1)
    assert Decimal(step.normalize().as_tuple().digits[0]) in (1, 2, 5)
    assert len(step.normalize().as_tuple().digits) <= 2


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([], ["0", "0.25", "0.5", "0.75", "1"]),
        (["284"], ["0", "100", "200", "300"]),
        (["9.99"], ["0", "2.5", "5", "7.5", "10"]),
        (["-30", "100"], ["-50", "0", "50", "100"]),
    ],
)
def test_gridlines_are_round(values: Sequence[str], ticks: Sequence[str]) -> None:
    found = charts.scale_of([Decimal(value) for value in values]).ticks
    assert found == [Decimal(value) for value in ticks]


def test_a_taller_bar_is_for_more_and_a_refund_hangs_below_zero() -> None:
    chart = charts.bars(TELLING, [Bar(str(v), Decimal(v), str(v)) for v in (10, 20, -10)], "TFP", tick)
    ten, twenty, less = (box for box in parsed(chart).iter("rect") if box.get("class") == "s1" and box.get("y"))
    assert float(twenty.get("height", "")) == pytest.approx(2 * float(ten.get("height", "")))
    zero = float(ten.get("y", "")) + float(ten.get("height", ""))
    assert float(less.get("y", "")) == pytest.approx(zero)


def test_what_is_not_over_is_hatched_and_what_is_expected_is_dashed_with_its_band() -> None:
    span = Span(Decimal(8), Decimal(5), Decimal(9))
    chart = parsed(charts.bars(TELLING, [Bar("Jun", Decimal(4), "4", running=True, expected=span)], "TFP", tick))
    classes = [box.get("class") for box in chart.iter("rect") if box.get("class")]
    assert {"band", "outlined", "outlined dashed"} <= set(classes)
    [hatched] = (box for box in chart.iter("rect") if box.get("fill") == "url(#c-hatch)")
    assert float(hatched.get("height", "")) > 0


def test_bars_without_anything_in_them_have_no_box_but_their_label() -> None:
    chart = parsed(charts.bars(TELLING, [Bar(m, Decimal(0), "0") for m in ("Jan", "Feb")], "TFP", tick))
    assert [box for box in chart.iter("rect") if box.get("x")] == []
    assert [text.text for text in chart.iter("text") if text.get("class") == "label"] == ["0", "0"]


CHARTS: Sequence[Callable[[], Markup]] = (
    lambda: charts.bars(TELLING, [Bar("<i>", Decimal(1), "<i>")], "<i>", lambda _: "<i>"),
    lambda: charts.line(TELLING, [Point(0, Decimal(1))], "<i>", lambda _: "<i>", ("<i>", "<i>"), "<i>"),
    lambda: charts.strip(TELLING, [Cell("<i>", "<i>", "<i>", 3)]),
)


@pytest.mark.parametrize("made", CHARTS)
def test_a_chart_says_what_it_shows_and_has_its_table(made: Callable[[], Markup]) -> None:
    chart = parsed(made())
    assert not list(chart.iter("i"))  # what is told is text, whatever is in it
    [drawn] = (svg for svg in chart.iter("svg") if svg.get("role") == "img")
    title, described = drawn.find("title"), drawn.find("desc")
    assert title is not None
    assert described is not None
    assert (drawn.get("aria-labelledby"), drawn.get("aria-describedby")) == (title.get("id"), described.get("id"))
    assert (title.text, described.text) == (TELLING.title, TELLING.description)
    assert chart.findtext("figcaption") == TELLING.title
    [table] = chart.iterfind("details//table")
    assert [cell.text for cell in table.iter("th")] == ["Month", "Spent", "June"]
    assert [cell.text for cell in table.iter("td")] == ["1 <i>"]
    assert "style=" not in made()
