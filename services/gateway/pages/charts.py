"""Charts as SVG: pure functions from figures to markup, each with its title, its description and its table.

Texts keep their size however narrow the page is: across, everything is placed by per cent of the drawing's width, and
down by pixels. What is a line or an area is in a drawing of its own that stretches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from markupsafe import Markup, escape

HEIGHT: Final = 224  # as in app.css
_TOP, _BOTTOM = 24.0, 198.0  # of the plot; labels are above and below
STRETCHED: Final = 1000  # the width of a drawing that stretches, in its own units
_FEWEST_SLOTS, _MANY_SLOTS = 6, 8
_BAR_SHARE = 0.64
_STEPS: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_MOST_INTERVALS: Final = 4
Tick = Callable[[Decimal], str]


@dataclass(frozen=True)
class Span:
    """What is expected: a value, and from where to where it may well be."""

    value: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Bar:
    """One bar. `label` goes below it and `short` above; `running` is hatched, for it is not over."""

    label: str
    value: Decimal
    short: str
    running: bool = False
    expected: Span | None = None


@dataclass(frozen=True)
class Point:
    """One point of a line: `at` is any measure of time, not falling from point to point."""

    at: float
    value: Decimal


@dataclass(frozen=True)
class Cell:
    """One cell of a strip: its name, a label below (or ""), what is written in it, and how much: 0 (none) to 3."""

    name: str
    label: str
    text: str
    level: int


@dataclass(frozen=True)
class Table:
    """The figures behind a chart: `summary` opens them; the first cell of a row names it."""

    summary: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]


@dataclass(frozen=True)
class Telling:
    """What a chart says: `id` is unique on the page, `title` a sentence made from the data, `description` the rest."""

    id: str
    title: str
    description: str
    table: Table


@dataclass(frozen=True)
class Scale:
    """From values to pixels down the drawing. `ticks` are round, rise, and hold zero and every value between them."""

    ticks: Sequence[Decimal]

    def y(self, value: Decimal) -> float:
        """How far down `value` is."""
        with localcontext(prec=40):
            share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return round(_BOTTOM - float(min(max(share, Decimal(0)), Decimal(1))) * (_BOTTOM - _TOP), 2)


def scale_of(values: Sequence[Decimal]) -> Scale:
    """A scale from zero (or below it, where a value is) to the greatest of finite `values`, in two to five steps."""
    low, high = min([Decimal(0), *values]), max([Decimal(0), *values])
    if low == high:
        high = Decimal(1)
    with localcontext(prec=60):
        step = _round_step((high - low) / _MOST_INTERVALS)
        first, last = (low / step).to_integral_value("ROUND_FLOOR"), (high / step).to_integral_value("ROUND_CEILING")
        return Scale([step * number for number in range(int(first), int(last) + 1)])


def _round_step(least: Decimal) -> Decimal:
    size = Decimal(1).scaleb(least.adjusted())
    return next(each * size for each in _STEPS if each * size >= least)


def bars(telling: Telling, drawn: Sequence[Bar], unit: str, tick: Tick) -> Markup:
    """Bars side by side, such as months; `unit` is written at the axis, whose values `tick` shows."""
    spans = [bar.expected for bar in drawn if bar.expected]
    reach = [value for span in spans for value in (span.value, span.low, span.high)]
    scale = scale_of([*(bar.value for bar in drawn), *reach])
    slot, many = 100 / max(len(drawn), _FEWEST_SLOTS), len(drawn) >= _MANY_SLOTS
    tallest = max((bar.value for bar in drawn), default=Decimal(0))
    parts = [_hatching(telling.id)]
    for index, bar in enumerate(drawn):
        parts.append(_bar(bar, scale, index * slot, slot, telling.id))
        special = bar.value == tallest or bar.running or index == len(drawn) - 1
        every_second = (len(drawn) - index) % 2 == 1
        spare = (" spare" if many and not wanted else "" for wanted in (special, every_second))
        parts.append(_bar_labels(bar, scale, (index + 0.5) * slot, *spare))
    return _figure(telling, scale, unit, tick, Markup().join(parts))


def _bar(bar: Bar, scale: Scale, left: float, slot: float, id: str) -> Markup:
    zero, width = scale.y(Decimal(0)), slot * _BAR_SHARE
    x = left + (slot - width) / 2
    fill = Markup('fill="url(#{}-hatch)" class="outlined"').format(id) if bar.running else Markup('class="s1"')
    solid = _box(x, width, zero, scale.y(bar.value), fill)
    if bar.expected is None:
        return solid
    band = _box(x, width, scale.y(bar.expected.low), scale.y(bar.expected.high), Markup('class="band"'))
    return band + solid + _box(x, width, zero, scale.y(bar.expected.value), Markup('class="outlined dashed"'))


def _box(x: float, width: float, one: float, other: float, how: Markup) -> Markup:
    top, height = min(one, other), abs(one - other)
    box = Markup('<rect x="{:.3f}%" y="{:.2f}" width="{:.3f}%" height="{:.2f}" {}/>')
    return box.format(x, top, width, height, how) if height else Markup()


def _bar_labels(bar: Bar, scale: Scale, middle: float, spare: str, month_spare: str) -> Markup:
    said = bar.expected.value if bar.expected and not bar.running else bar.value
    top = min(scale.y(said), scale.y(Decimal(0)))
    return Markup(
        '<text class="label{}" x="{:.3f}%" y="{:.2f}" text-anchor="middle">{}</text>'
        '<text class="name{}" x="{:.3f}%" y="{:.2f}" text-anchor="middle">{}</text>'
    ).format(spare, middle, top - 6, bar.short, month_spare, middle, HEIGHT - 8, bar.label)


def line(telling: Telling, points: Sequence[Point], unit: str, tick: Tick, ends: tuple[str, str], last: str) -> Markup:
    """What a balance was: it stays until it changes. `ends` are below the first and the last point, `last` is at it.

    Raises ValueError without points.
    """
    scale = scale_of([point.value for point in points])
    places = _across([point.at for point in points], 4.0, 96.0)
    ys = [scale.y(point.value) for point in points]
    moves = (f"H{x * 10:.1f}V{y}" for x, y in zip(places[1:], ys[1:], strict=True))
    steps = f"M{places[0] * 10:.1f} {ys[0]}{''.join(moves)}"
    area = Markup('<path class="band" d="{}V{}H{:.1f}Z"/>').format(steps, scale.y(Decimal(0)), places[0] * 10)
    drawn = Markup(
        '<svg width="100%" height="{0}" viewBox="0 0 {1} {0}" preserveAspectRatio="none">'
        '{2}<path class="line l1" vector-effect="non-scaling-stroke" d="{3}"/></svg>'
    ).format(HEIGHT, STRETCHED, area, steps)
    said = Markup(
        '<circle class="s1" cx="{0:.3f}%" cy="{1}" r="4.5"/>'
        '<text class="label" x="{0:.3f}%" y="{2:.2f}" text-anchor="end">{3}</text>'
    ).format(places[-1], ys[-1], ys[-1] - 10, last)
    return _figure(telling, scale, unit, tick, drawn + said + _ends(places[0], places[-1], ends))


def _ends(first: float, last: float, ends: tuple[str, str]) -> Markup:
    return Markup(
        '<text class="name" x="{0:.3f}%" y="{2}">{3}</text>'
        '<text class="name" x="{1:.3f}%" y="{2}" text-anchor="end">{4}</text>'
    ).format(first, last, HEIGHT - 8, *ends)


def _across(times: Sequence[float], left: float, right: float) -> list[float]:
    """Where times go between `left` and `right`; a single moment is at the right."""
    first, last = times[0], times[-1]
    if last <= first:
        return [left] * (len(times) - 1) + [right]
    return [round(left + (right - left) * min(max((at - first) / (last - first), 0), 1), 3) for at in times]


def spark(title: str, values: Sequence[Decimal]) -> Markup:
    """A small line without axes, for beside a figure. Raises ValueError without values."""
    scale = scale_of(values)
    places = _across([float(index) for index in range(len(values))], 1.0, 99.0)
    path = "L".join(f"{x * 10:.1f} {scale.y(value)}" for x, value in zip(places, values, strict=True))
    return Markup(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="line l1" vector-effect="non-scaling-stroke" d="M{}"/></svg>'
    ).format(STRETCHED, HEIGHT, title, path)


def share(percent: float) -> Markup:
    """A bar of so many per cent of the width, for beside the words that say how many; from 0 to 100, whatever comes."""
    return Markup(
        '<svg class="meter" aria-hidden="true"><rect class="s1" width="{:.2f}%" height="100%" rx="5"/></svg>'
    ).format(min(100.0, max(0.0, percent)))


def standing(percent: float) -> Markup:
    """A mark on a line from the least to the most, at so many per cent of the way; from 0 to 100, whatever comes."""
    return Markup(
        '<svg class="meter" aria-hidden="true"><circle class="s1" cx="{:.2f}%" cy="50%" r="5"/></svg>'
    ).format(2 + min(100.0, max(0.0, percent)) * 0.96)


def strip(telling: Telling, cells: Sequence[Cell]) -> Markup:
    """Cells in a row, such as the hours of a day: how much by shade and by what is written in them."""
    width = 100 / max(len(cells), 1)
    drawn = Markup().join(_cell(cell, index * width, width) for index, cell in enumerate(cells))
    return _framed(telling, _svg(telling, "strip-cells", drawn))


def _cell(cell: Cell, left: float, width: float) -> Markup:
    middle = left + width / 2
    box = Markup('<rect class="level{}" x="{:.3f}%" y="2" width="{:.3f}%" height="34" rx="3"><title>{}</title></rect>')
    inside = Markup('<text class="rank{}" x="{:.3f}%" y="23.5" text-anchor="middle">{}</text>')
    below = Markup('<text class="name" x="{:.3f}%" y="54" text-anchor="middle">{}</text>')
    return (
        box.format(cell.level, left + width * 0.06, width * 0.88, cell.name)
        + (inside.format(cell.level, middle, cell.text) if cell.text else Markup())
        + (below.format(middle, cell.label) if cell.label else Markup())
    )


def _hatching(id: str) -> Markup:
    """What is hatched has lines across: it is told apart without colour."""
    return Markup(
        '<defs><pattern id="{}-hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect class="s1" width="7" height="7"/><path class="hatch" d="M0 0V7"/></pattern></defs>'
    ).format(id)


def _figure(telling: Telling, scale: Scale, unit: str, tick: Tick, drawn: Markup) -> Markup:
    """An axis at the left, in a drawing that does not stretch, and the plot beside it."""
    lines, texts = Markup(), Markup()
    for value in scale.ticks:
        y, kind = scale.y(value), "axis" if value == 0 else "gridline"
        lines += Markup('<path class="{}" vector-effect="non-scaling-stroke" d="M0 {}H{}"/>').format(kind, y, STRETCHED)
        texts += Markup('<text x="100%" y="{}" text-anchor="end">{}</text>').format(y + 4, tick(value))
    grid = Markup('<svg width="100%" height="{0}" viewBox="0 0 {1} {0}" preserveAspectRatio="none">{2}</svg>').format(
        HEIGHT, STRETCHED, lines
    )
    axis = Markup(
        '<svg class="drawn scale" aria-hidden="true"><text x="100%" y="10" text-anchor="end">{}</text>{}</svg>'
    )
    plot = Markup('<div class="plot">{}{}</div>').format(axis.format(unit, texts), _svg(telling, "drawn", grid + drawn))
    return _framed(telling, plot)


def _svg(telling: Telling, kind: str, drawn: Markup) -> Markup:
    return Markup(
        '<svg class="{kind}" role="img" aria-labelledby="{id}-title" aria-describedby="{id}-desc">'
        '<title id="{id}-title">{title}</title><desc id="{id}-desc">{description}</desc>{drawn}</svg>'
    ).format(kind=kind, id=telling.id, title=telling.title, description=telling.description, drawn=drawn)


def _framed(telling: Telling, drawn: Markup) -> Markup:
    return Markup('<figure class="chart" id="{}"><figcaption>{}</figcaption>{}{}</figure>').format(
        telling.id, telling.title, drawn, _table(telling)
    )


def _table(telling: Telling) -> Markup:
    first, *others = telling.table.heads
    heads = Markup('<th scope="col">{}</th>').format(first)
    heads += Markup().join(Markup('<th scope="col" class="end">{}</th>').format(head) for head in others)
    rows = Markup().join(_row(telling.table.heads, row) for row in telling.table.rows)
    return Markup(
        '<details id="{}-table"><summary>{}</summary>'
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table class="table">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></details>"
    ).format(telling.id, telling.table.summary, telling.title, heads, rows)


def _row(heads: Sequence[str], row: Sequence[str | Markup]) -> Markup:
    first = Markup('<th scope="row">{}</th>').format(row[0])
    rest = (
        Markup('<td class="end number" data-label="{}">{}</td>').format(head, escape(cell))
        for head, cell in zip(heads[1:], row[1:], strict=True)
    )
    return Markup("<tr>{}{}</tr>").format(first, Markup().join(rest))
