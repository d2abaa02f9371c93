"""The forecast: what it declines, what it says of the past, and that nothing throws it off."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analytics.domain.forecast import (
    LEAST_MONTHS,
    TooLittleHistory,
    _half_width,
    _student,
    _Try,
    at_least,
    forecast,
    mean,
    seasonal_naive,
    tamed,
)
from services.analytics.methods import METHODS
from shared.contracts.analytics_forecast import Forecast, ForecastMonth

AMOUNTS = st.one_of(
    st.just(Decimal(0)),
    st.decimals(0, 1_000, places=2),
    st.decimals(0, 10**9, places=2),
)
HISTORIES = st.lists(AMOUNTS, min_size=LEAST_MONTHS, max_size=60)


def of(*totals: float, ahead: int = 3) -> Forecast:
    found = forecast([Decimal(str(total)) for total in totals], "2025-11", ahead, METHODS)
    assert isinstance(found, Forecast)
    return found


@pytest.mark.parametrize("months", [0, 1, 2])
def test_it_declines_in_plain_words_before_three_months_are_over(months: int) -> None:
    found = forecast([Decimal(10)] * months, "2025-11", 3, METHODS)
    assert found == TooLittleHistory(months)
    assert "3 whole months" in found.detail


def test_months_follow_each_other_over_the_end_of_the_year() -> None:
    assert [item.month for item in of(1, 2, 3, ahead=3).items] == ["2025-12", "2026-01", "2026-02"]


@given(HISTORIES, st.integers(1, 12))
@settings(deadline=timedelta(seconds=20), max_examples=15)
def test_any_history_gets_a_forecast_that_is_in_order(history: list[Decimal], ahead: int) -> None:
    found = forecast(history, "2025-11", ahead, METHODS)
    assert isinstance(found, Forecast)
    assert len(found.items) == ahead
    assert found.history_months == len(history)
    for item in found.items:
        low, expected, high = Decimal(item.low), Decimal(item.expected), Decimal(item.high)
        assert 0 <= low <= expected <= high
        assert {low.as_tuple().exponent, expected.as_tuple().exponent, high.as_tuple().exponent} == {-2}
    assert found == forecast(history, "2025-11", ahead, METHODS)
    further = forecast(history, "2025-11", 12, METHODS)
    assert isinstance(further, Forecast)
    assert further.items[:ahead] == found.items
    assert further.error == found.error


@pytest.mark.parametrize("months", [3, 5, 13, 24, 60])
def test_what_never_changes_goes_on(months: int) -> None:
    found = of(*[12.5] * months)
    assert {(item.low, item.expected, item.high) for item in found.items} == {("12.50", "12.50", "12.50")}
    assert (found.error.mae, found.error.mase) == ("0.00", None)


def test_nothing_but_zeros_gives_zeros() -> None:
    assert {item.high for item in of(*[0] * 8).items} == {"0.00"}


def test_one_outlier_does_not_carry_the_forecast_away() -> None:
    calm = [50, 52, 49, 51, 50, 48, 53, 50, 51, 49]
    without, outlier = of(*calm), of(*calm[:5], 5_000, *calm[5:])
    methods = [
        name for name in METHODS for value in METHODS[name](tamed([*map(float, calm), 5_000.0]), 1) if value > 80
    ]
    assert methods == []
    assert Decimal(without.items[0].expected) == pytest.approx(Decimal(50), abs=2)
    assert Decimal(outlier.items[0].expected) < 200  # the mean of all would be 500


def test_a_year_that_repeats_itself_is_found() -> None:
    year = [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 200, 400]
    found = of(*year * 3, ahead=12)
    assert found.method == found.baseline.method == "seasonal_naive"
    assert [float(item.expected) for item in found.items] == year
    assert found.error.mase is None  # last year's months are this year's: nothing to measure errors by


def test_a_trend_is_found_and_beats_the_baselines() -> None:
    found = of(*range(10, 500, 20), ahead=1)
    assert found.method not in ("mean", "seasonal_naive", "combination")
    assert float(found.error.mae) < float(found.baseline.error.mae)
    assert float(found.items[0].expected) > 470


def test_the_errors_are_those_of_the_rolling_origin() -> None:
    """Origins 2 and 3 of four months, up to three ahead: by hand, for the mean."""
    history = [10.0, 20.0, 60.0, 30.0]
    expected = (abs(15 - 60) + abs(15 - 30) + abs(30 - 30)) / 3
    found = of(*history)
    assert found.baseline.method == "mean"
    assert found.baseline.error.mae == f"{expected:.2f}"
    assert found.baseline.error.mase == pytest.approx(expected / ((10 + 40 + 30) / 3), abs=0.001)


def test_what_is_noisier_has_a_wider_interval_and_what_is_further_off_too() -> None:
    calm, noisy = of(*[95, 105] * 8), of(*[50, 150] * 8)
    widths = [Decimal(item.high) - Decimal(item.low) for item in (calm.items[0], noisy.items[0])]
    assert widths[0] * 4 < widths[1]
    first, last = noisy.items[0], noisy.items[-1]
    spans = [float(item.high) ** 0.5 - float(item.expected) ** 0.5 for item in (first, last)]
    assert spans[1] / spans[0] == pytest.approx((1 + 2 * 0.2**2) ** 0.5, abs=0.001)


def test_the_width_is_the_backtests_quantile_by_its_small_sample_rank_and_the_historys_spread() -> None:
    """Nine errors of 1 to 9 have their 80 % quantile at rank 8; a history without a spread counts for four origins."""
    tries = [_Try(ahead=1, forecast=100.0, came=(10.0 + error) ** 2) for error in range(1, 10)]
    assert _half_width([25.0] * 11, tries) == pytest.approx((9 * 8 + 4 * 0) / 13)
    exact = [_Try(1, 100.0, 100.0)]
    spread = _student(0.9, 2) * 1 * (1 + 1 / 3) ** 0.5  # of roots 4, 5, 6
    assert _half_width([16.0, 25.0, 36.0], exact) == pytest.approx((1 * 0 + 4 * spread) / 5)


def test_the_simple_methods() -> None:
    assert mean([1, 2, 6], 2) == [3, 3]
    assert seasonal_naive(range(1, 15), 13) == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 3]
    assert seasonal_naive([4, 5, 6], 2) == [6, 6]


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60))
def test_taming_moves_outliers_only_and_never_past_the_others(history: list[float]) -> None:
    calm = tamed(history)
    assert min(history) <= min(calm)
    assert max(calm) <= max(history)
    assert tamed([*[50.0] * 9, 1_000.0])[-1] == pytest.approx(50 + 3.5 * 5)


@pytest.mark.parametrize(("freedom", "expected"), [(2, 1.8856), (3, 1.6377), (5, 1.4759), (11, 1.3634), (59, 1.2961)])
def test_the_quantiles_of_student_are_those_of_the_tables(freedom: int, expected: float) -> None:
    assert _student(0.9, freedom) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("name", sorted(METHODS))
@pytest.mark.parametrize("history", [[0.0, 0.0], [5.0] * 3, [0.0, 0.0, 0.0, 9.0, 0.0, 0.0], [1.0, 2.0, 3.0, 4.0, 5.0]])
def test_the_librarys_methods_take_any_history(name: str, history: Sequence[float]) -> None:
    found = METHODS[name](history, 12)  # type: ignore[index]
    assert len(found) == 12
    assert all(-20 < value < 20 for value in found)


def test_the_running_month_is_never_forecast_below_what_was_spent() -> None:
    running = ForecastMonth(month="2026-06", expected="88.00", low="40.00", high="150.00")
    assert at_least(running, Decimal("0.000")) == running
    assert at_least(running, Decimal("100.5")).model_dump() == {
        "month": "2026-06",
        "expected": "100.50",
        "low": "100.50",
        "high": "150.00",
    }
