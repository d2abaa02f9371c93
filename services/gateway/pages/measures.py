"""What health checks measured, as small charts: latency, processor, memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from markupsafe import Markup

from services.gateway.pages.charts import scale_of

_FULL: Final = 100.0  # per cent
_MOST_POINTS: Final = 160
_WIDTH, _TOP, _BOTTOM = 1000, 6.0, 94.0
_UNITS: Final = {"latency_ms": "ms", "cpu_percent": "%", "memory_percent": "%"}


@dataclass(frozen=True)
class Measure:
    """One thing measured: the last value, the least, the greatest, and the times and values that are drawn."""

    name: str
    unit: str
    last: float
    least: float
    greatest: float
    ceiling: float  # what the top of the chart stands for
    points: Sequence[tuple[datetime, float]]

    def draw(self, start: datetime, end: datetime, title: str) -> Markup:
        """A line from `start` to `end`, zero at the bottom, a dot at the last value."""
        span = (end - start).total_seconds()
        places = [
            (round((at - start).total_seconds() / span * _WIDTH, 1), round(_BOTTOM - value * self._unit_height, 1))
            for at, value in self.points
        ]
        path = "L".join(f"{x} {y}" for x, y in places)
        x, y = places[-1]
        return Markup(
            '<svg class="measure" viewBox="0 0 {w} 100" preserveAspectRatio="none" role="img" aria-label="{title}">'
            '<path class="gridline" vector-effect="non-scaling-stroke" d="M0 {top}H{w}M0 {bottom}H{w}"/>'
            '<path class="line l1" vector-effect="non-scaling-stroke" d="M{path}"/>'
            '<path class="line l1 end" vector-effect="non-scaling-stroke" d="M{x} {y}h0"/></svg>'
        ).format(w=_WIDTH, title=title, top=_TOP, bottom=_BOTTOM, path=path, x=x, y=y)

    @property
    def _unit_height(self) -> float:
        return (_BOTTOM - _TOP) / self.ceiling


def measures_of(health: Mapping[str, Any]) -> list[Measure]:  # Any: JSON, see `DeploymentHealth`
    """What the checks of `health` measured, without what none of them did."""
    return [measure for name in _UNITS if (measure := _measure(name, health["checks"]))]


def _measure(name: str, checks: Sequence[Mapping[str, Any]]) -> Measure | None:
    points = [(datetime.fromisoformat(check["at"]), float(check[name])) for check in checks if check[name] is not None]
    if not points:
        return None
    values = [value for _, value in points]
    greatest, unit = max(values), _UNITS[name]
    ceiling = _FULL if unit == "%" else float(scale_of([Decimal(greatest)]).ticks[-1])
    return Measure(name, unit, values[-1], min(values), greatest, ceiling, _thinned(points))


def _thinned(points: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """The greatest of each run of points that would fall together, and the last one."""
    size = -(-len(points) // _MOST_POINTS)
    runs = [points[first : first + size] for first in range(0, len(points), size)]
    greatest = [max(run, key=lambda point: point[1]) for run in runs]
    return greatest if greatest[-1] == points[-1] else [*greatest, points[-1]]
