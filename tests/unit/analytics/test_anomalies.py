"""Anomalies: what is far out of a user's own pattern, what drove it, and what is not worth a word."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.anomalies import anomalies
from services.analytics.domain.months import following, totals
from services.analytics.domain.things import MonthTotals, Purchase
from shared.contracts.analytics_forecast import Anomaly
from tests.unit.analytics.things import purchase

UTC_ZONE = ZoneInfo("UTC")
Spending = Mapping[str, float]  # by provider


def made(month: str, number: int, provider: str, amount: float) -> Purchase:
    name = f"pur-{month}-{number}"
    return purchase(
        name,
        provider_id=provider,
        provider_name=provider.title(),
        amount=Decimal(str(amount)),
        at=datetime(int(month[:4]), int(month[5:]), 5, tzinfo=UTC),
        events=(f"event-{name}",),
    )


def of(*months: Spending, running: bool = False) -> list[Anomaly]:
    """What is found in months from 2025-01 on, in each one purchase of each provider; the last may be `running`."""
    purchases: dict[str, Sequence[Purchase]] = {}
    month = "2025-01"
    for spending in months:
        purchases[month] = [made(month, n, name, amount) for n, (name, amount) in enumerate(spending.items())]
        month = following(month)
    found = [totals(month, bought) for month, bought in purchases.items()]
    return anomalies(found[:-1], purchases, found[-1]) if running else anomalies(found, purchases)


CALM: tuple[Spending, ...] = ({"hypha": 50, "spore": 50}, {"hypha": 48, "spore": 52}, {"hypha": 52, "spore": 49}) * 2


def test_a_calm_user_hears_nothing() -> None:
    assert of(*CALM * 4) == []


def test_a_month_far_above_and_what_drove_it() -> None:
    (found,) = of(*CALM, {"hypha": 400, "spore": 55, "cap": 30})
    assert (found.id, found.month, found.direction, found.running) == ("2025-07::above", "2025-07", "above", False)
    assert (found.spent, found.usual, found.difference) == ("485.00", "100.00", "385.00")
    assert found.score == round(0.6745 * 385 / 10, 2)  # the floor: a tenth of the median
    drivers = [(driver.kind, driver.id, driver.name, driver.amount, driver.event_ids) for driver in found.drivers]
    everything = [f"event-pur-2025-07-{n}" for n in range(3)]
    assert drivers == [
        ("provider", "hypha", "Hypha", "350.00", ["event-pur-2025-07-0"]),
        ("type", "service", "service", "385.00", everything),
        ("purchase", "pur-2025-07-0", "Product pur-2025-07-0", "400.00", ["event-pur-2025-07-0"]),
    ]
    assert found.summary == "485.00 TFP in 2025-07, 385.00 TFP more than usual."


def test_a_month_far_below_and_what_was_missing() -> None:
    (found,) = of(*CALM, {"hypha": 2})
    assert (found.direction, found.spent, found.difference) == ("below", "2.00", "-98.00")
    assert [(d.id, d.amount) for d in found.drivers if d.kind == "provider"] == [
        ("spore", "-50.00"),
        ("hypha", "-48.00"),
    ]
    assert not [d for d in found.drivers if d.kind == "purchase"]
    assert found.summary == "2.00 TFP in 2025-07, 98.00 TFP less than usual."


def test_a_provider_out_of_its_pattern_in_a_month_that_is_not() -> None:
    before: tuple[Spending, ...] = ({"hypha": 80, "spore": 20},) * 6
    above, below = of(*before, {"cap": 82, "spore": 20})
    assert (above.id, above.provider_name, above.difference) == ("2025-07:cap:above", "Cap", "82.00")
    assert [(driver.kind, driver.id) for driver in above.drivers] == [("purchase", "pur-2025-07-0")]
    assert above.summary == "Cap: 82.00 TFP in 2025-07, 82.00 TFP more than usual."
    assert (below.id, below.provider_name, below.difference) == ("2025-07:hypha:below", "Hypha", "-80.00")
    assert below.drivers == []


def test_a_provider_is_out_of_its_pattern_only_when_it_moves_more_than_a_month_does() -> None:
    steady: tuple[Spending, ...] = ({"hypha": 80, "spore": 20},) * 6
    lively: tuple[Spending, ...] = ({"hypha": 60, "spore": 20}, {"hypha": 100, "spore": 20}) * 3
    assert [a.provider_id for a in of(*steady, {"cap": 82, "spore": 20})] == ["cap", "hypha"]
    assert of(*lively, {"cap": 82, "spore": 20}) == []


def test_the_running_month_only_when_it_is_already_above() -> None:
    assert of(*CALM, {"hypha": 2}, running=True) == []
    (found,) = of(*CALM, {"hypha": 400, "spore": 50}, running=True)
    assert found.running
    assert found.summary == "450.00 TFP in 2025-07 so far, 350.00 TFP more than usual."


def test_four_months_are_needed() -> None:
    assert of({"a": 10}, {"a": 10}, {"a": 10}, {"a": 900}) == []
    assert len(of({"a": 10}, {"a": 10}, {"a": 10}, {"a": 10}, {"a": 900})) == 1


def test_it_is_more_than_the_limit_not_the_limit() -> None:
    """With a median of 100 and its floor of 10, a score of 3.5 is 51.89 above."""
    steady: tuple[Spending, ...] = ({"a": 100},) * 5
    assert of(*steady, {"a": 151.89}) == []
    assert [a.score for a in of(*steady, {"a": 151.90})] == [3.5]


def test_a_month_is_compared_with_those_before_it_only() -> None:
    """So the same is said of it for as long as it is among the last twelve."""
    first = of(*CALM, {"hypha": 400, "spore": 50})
    later = of(*CALM, {"hypha": 400, "spore": 50}, *CALM)
    assert [a for a in later if a.month == "2025-07"] == first
    assert of(*CALM, {"hypha": 400, "spore": 50}, *CALM * 2) == []


def test_other_currencies_are_no_drivers() -> None:
    own = made("2025-07", 0, "hypha", 400)
    dollars = replace(own, id="pur-usd", currency="USD", amount=Decimal(5_000))
    before = [totals(f"2025-0{n}", [made(f"2025-0{n}", 0, "hypha", 50)]) for n in range(1, 7)]
    (found,) = anomalies([*before, totals("2025-07", [own, dollars])], {"2025-07": [dollars, own]})
    assert found.spent == "400.00"
    assert [driver.id for driver in found.drivers if driver.kind == "purchase"] == [own.id]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(1, 1_000)), max_size=30), st.booleans())
def test_whatever_is_found_is_far_out_and_worked_out(months: list[Spending], running: bool) -> None:
    found = of(*months, running=running and bool(months))
    assert len({anomaly.id for anomaly in found}) == len(found)
    assert [a.month for a in found] == sorted((a.month for a in found), reverse=True)
    for anomaly in found:
        spent, usual, difference = Decimal(anomaly.spent), Decimal(anomaly.usual), Decimal(anomaly.difference)
        assert spent - usual == difference
        assert abs(anomaly.score) >= 3.5
        assert (difference > 0) == (anomaly.direction == "above") == (anomaly.score > 0)
        assert not (anomaly.running and anomaly.direction == "below")
        for driver in anomaly.drivers:
            assert driver.kind == "purchase" or (Decimal(driver.amount) > 0) == (difference > 0)


def test_no_months_nothing() -> None:
    assert anomalies([], {}) == []
    assert anomalies([], {}, MonthTotals("2025-01", Decimal(1_000))) == []
