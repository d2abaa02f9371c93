"""What the overview says of the months, out of the usage statistics."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.overview import figures

NOW = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
AMOUNTS = st.decimals(0, 1_000, places=2)


def usage(zone: str = "UTC", **months: dict[str, str]) -> dict[str, Any]:  # JSON
    """Months by their names, such as m2026_01, with what was spent on each category."""
    trends = [
        {
            "month": name[1:].replace("_", "-"),
            "total_spent": str(sum(map(Decimal, categories.values()), Decimal(0))),
            "categories": categories,
        }
        for name, categories in months.items()
    ]
    return {
        "currency": "TFP",
        "timezone": zone,
        "average_monthly_spending": "10",
        "favorite_categories": [],
        "spending_trends": trends,
    }


def test_of_nothing_there_is_nothing_to_say() -> None:
    assert figures(usage(), NOW) == {
        "currency": "TFP",
        "month": "2026-01",
        "spent_this_month": "0",
        "spent_last_month": "0",
        "average_monthly_spending": "10",
        "top_category": None,
        "biggest_change": None,
    }


def test_the_months_are_those_of_the_users_clock() -> None:
    months = usage("Europe/Stockholm", m2026_01={"service": "5"}, m2026_02={"service": "7"})
    found = figures(months, NOW)
    assert (found["month"], found["spent_this_month"], found["spent_last_month"]) == ("2026-02", "7", "5")


def test_the_biggest_change_may_be_less_and_of_what_is_not_bought_any_more() -> None:
    found = figures(usage(m2025_12={"storage": "30", "service": "10"}, m2026_01={"service": "25"}), NOW)
    assert found["biggest_change"] == {"category": "storage", "this_month": "0", "last_month": "30"}


@given(
    st.dictionaries(st.sampled_from("abc"), AMOUNTS.map(str)), st.dictionaries(st.sampled_from("abc"), AMOUNTS.map(str))
)
def test_no_category_differs_more_than_the_biggest_change(this: dict[str, str], last: dict[str, str]) -> None:
    found = figures(usage(m2025_12=last, m2026_01=this), NOW)["biggest_change"]
    differences = [abs(Decimal(this.get(name, "0")) - Decimal(last.get(name, "0"))) for name in "abc"]
    biggest = abs(Decimal(found["this_month"]) - Decimal(found["last_month"])) if found else Decimal(0)
    assert biggest == max(differences)
