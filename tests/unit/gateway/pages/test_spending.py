"""Spending in sentences: they are made from the figures and say no more than those do."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from services.gateway.pages.spending import chart, drivers, trend
from tests.unit.gateway.pages.views import view


def months(*spent: str) -> Sequence[dict[str, object]]:
    """The first of 2026 and those after it; the last one is running."""
    return [{"month": f"2026-{number:02}", "total_spent": amount} for number, amount in enumerate(spent, 1)]


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (["7"], "You have spent 7.00\u00a0TFP so far this month"),
        (["0", "0", "0", "0"], "You have spent 0.00\u00a0TFP so far this month"),
        (["7", "1"], "You spent 7.00\u00a0TFP in January 2026"),
        (["9", "8", "1"], "You spent 9.00\u00a0TFP in January 2026"),
        (["1", "2", "3", "0"], "Spending rose in the last three months"),
        (["9", "1", "2", "3", "0"], "Spending rose in the last three months"),
        (["3", "2", "1", "9"], "Spending fell in the last three months"),
        (["3", "5", "4", "9"], "Spending went up and down; the most was 5.00\u00a0TFP in February 2026"),
        (["9", "3", "3", "3", "9"], "Spending was the same in the last three months"),
    ],
)
def test_the_title_says_what_the_closed_months_did(spent: Sequence[str], said: str) -> None:
    assert trend(view(), months(*spent), "TFP") == said


def test_drivers_are_what_changed_the_most_up_or_down() -> None:
    found = drivers(
        {"a": "10", "b": "5", "same": "3", "new": "20"},
        {"a": "40", "b": "4", "same": "3", "gone": "2"},
        {"a": "Ada's"},
    )
    assert [(each.id, each.name, each.difference) for each in found] == [
        ("a", "Ada's", Decimal(-30)),
        ("new", "new", Decimal(20)),
        ("gone", "gone", Decimal(-2)),
    ]


def test_the_chart_has_the_last_year_and_the_forecast_beyond_it() -> None:
    spent = [{"month": f"202{year}-{month:02}", "total_spent": "1"} for year in (4, 5) for month in range(1, 13)]
    coming = [{"month": month, "expected": "2", "low": "1", "high": "3"} for month in ("2025-12", "2026-01", "2026-02")]
    made = chart(view(), spent, coming, "TFP")
    assert made.count('scope="row"') == 12 + 2
    assert "January 2025" in made
    assert "December 2024" not in made
    assert "February 2026" in made
