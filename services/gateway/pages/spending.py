"""What was spent month by month, as a chart and in sentences made from the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from markupsafe import Markup

from services.gateway.pages import charts
from services.gateway.pages.view import View

Json = Any  # what the analytics service answers
MOST_MONTHS: Final = 12
_MOST_DRIVERS: Final = 3
_CLOSED_FOR_A_TREND: Final = 3


@dataclass(frozen=True)
class Driver:
    """A provider or a product type, and by how much more (or, negative, less) it took this month than the last."""

    id: str
    name: str
    now: Decimal
    before: Decimal

    @property
    def difference(self) -> Decimal:
        """How much more."""
        return self.now - self.before


def drivers(this: Mapping[str, str], last: Mapping[str, str], names: Mapping[str, str]) -> list[Driver]:
    """What makes most of the difference between two months, by id; the greatest first."""
    ids = {**this, **last}
    found = [Driver(i, names.get(i, i), Decimal(this.get(i, 0)), Decimal(last.get(i, 0))) for i in ids]
    changed = sorted((d for d in found if d.difference), key=lambda d: (-abs(d.difference), d.name))
    return changed[:_MOST_DRIVERS]


def trend(view: View, months: Sequence[Json], currency: str) -> str:
    """What `MonthlySpending`s, the running month last, say in a sentence."""
    _, closed = view.translations.gettext, months[:-1]
    spent = [Decimal(month["total_spent"]) for month in closed]
    if not any(spent):
        values = {"amount": view.show.money_text(months[-1]["total_spent"], currency)}
        return _("You have spent %(amount)s so far this month") % values
    if len(spent) >= _CLOSED_FOR_A_TREND:
        steps = [after - before for before, after in pairwise(spent[-_CLOSED_FOR_A_TREND:])]
        if all(step > 0 for step in steps):
            return _("Spending rose in the last three months")
        if all(step < 0 for step in steps):
            return _("Spending fell in the last three months")
        if not any(steps):
            return _("Spending was the same in the last three months")
    most = max(closed, key=lambda month: Decimal(month["total_spent"]))
    values = {
        "month": view.show.month(most["month"]),
        "amount": view.show.money_text(most["total_spent"], currency),
    }
    if len(spent) < _CLOSED_FOR_A_TREND:
        return _("You spent %(amount)s in %(month)s") % values
    return _("Spending went up and down; the most was %(amount)s in %(month)s") % values


def chart(view: View, months: Sequence[Json], forecast: Sequence[Json], currency: str) -> Markup:
    """`MonthlySpending`s, the running month last, and the `ForecastMonth`s from that month on, if there are any."""
    _, show = view.translations.gettext, view.show
    expected = {item["month"]: charts.Span(*(Decimal(item[name]) for name in _SPAN)) for item in forecast}
    running = months[-1]["month"]
    spent = {month["month"]: Decimal(month["total_spent"]) for month in months[-MOST_MONTHS:]}
    drawn = [
        charts.Bar(
            label=show.month(month, short=True),
            value=spent.get(month, Decimal(0)),
            short=show.compact(spent[month]) if month in spent else f"~{show.compact(expected[month].value)}",
            running=month == running,
            expected=expected.get(month),
        )
        for month in dict.fromkeys([*spent, *expected])
    ]
    telling = charts.Telling(
        id="spending-chart",
        title=trend(view, months, currency),
        description=_description(view, bool(expected), currency),
        table=_table(view, spent, expected, currency),
    )
    return charts.bars(telling, drawn, currency, show.compact)


_SPAN: Final = ("expected", "low", "high")


def _description(view: View, forecast: bool, currency: str) -> str:
    _ = view.translations.gettext
    values = {"currency": currency}
    if forecast:
        return (
            _(
                "Spending in %(currency)s, one bar a month. The running month is hatched because it is not over. What "
                "is expected is dashed; the shaded part is where it will be four times out of five."
            )
            % values
        )
    return _("Spending in %(currency)s, one bar a month. The running month is hatched because it is not over.") % values


def _table(
    view: View, spent: Mapping[str, Decimal], expected: Mapping[str, charts.Span], currency: str
) -> charts.Table:
    _, show = view.translations.gettext, view.show

    def amount(value: Decimal | None) -> str | Markup:
        return "\N{EN DASH}" if value is None else show.money(value, currency)

    rows = []
    for month in dict.fromkeys([*spent, *expected]):
        span = expected.get(month)
        beyond = [amount(span.value if span else None), amount(span.low if span else None)]
        tail = [*beyond, amount(span.high if span else None)] if expected else []
        rows.append([show.month(month), amount(spent.get(month)), *tail])
    heads = [_("Month"), _("Spent"), *([_("Expected"), _("From"), _("To")] if expected else [])]
    return charts.Table(_("As a table"), heads, rows)
