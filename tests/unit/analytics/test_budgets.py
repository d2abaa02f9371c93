"""Budgets: shares, the month's end, thresholds, and alerts that do not repeat."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.analytics.domain.budgets import THRESHOLDS, alert_id, budget, by_the_end, elapsed, used
from services.analytics.domain.things import MonthTotals
from shared.contracts.analytics_forecast import Budget, BudgetBody

UTC_ZONE = ZoneInfo("UTC")
HALF = datetime(2026, 6, 16, tzinfo=UTC)  # of 30 days
USER = "ada@example.org"
AMOUNTS = st.decimals(0, 10**6, places=2)
SHARES = st.decimals(0, 1, places=4)


def at_half(spent: str, limit: str = "100", forecast: str | None = None) -> Budget:
    body = BudgetBody(monthly_limit=Decimal(limit))
    return budget(USER, body, Decimal(spent), HALF, UTC_ZONE, None if forecast is None else Decimal(forecast))


def states(found: Budget) -> dict[int, str]:
    return {threshold.percent: threshold.state for threshold in found.thresholds}


def told(found: Budget) -> list[tuple[str, int]]:
    return [(alert.kind, alert.threshold) for alert in found.alerts]


def test_half_of_the_month_pro_rata() -> None:
    found = at_half("45")
    assert (found.month, found.spent, found.used_percent, found.left) == ("2026-06", "45.00", 45.0, "55.00")
    assert found.expected == "90.00"
    assert states(found) == {50: "expected", 80: "expected", 100: "clear"}
    assert told(found) == [("budget_expected", 80)]


def test_the_forecast_of_the_month_counts_for_the_part_that_is_left() -> None:
    assert at_half("45", forecast="130").expected == "100.00"  # 45 + 0.5 * (0.5 * 90 + 0.5 * 130)
    assert told(at_half("45", forecast="130")) == [("budget_expected", 100)]


def test_what_is_reached_is_said_for_each_threshold_and_a_share_may_exceed_100() -> None:
    found = at_half("120")
    assert (found.used_percent, found.left) == (120.0, "0.00")
    assert told(found) == [("budget_reached", 50), ("budget_reached", 80), ("budget_reached", 100)]
    assert "120.00 TFP" in found.alerts[0].message
    assert states(at_half("50"))[50] == "reached"
    assert states(at_half("49.99"))[50] == "expected"


def test_too_early_in_the_month_its_own_pace_says_nothing() -> None:
    second = datetime(2026, 6, 2, tzinfo=UTC)
    found = budget(USER, BudgetBody(monthly_limit=Decimal(100)), Decimal(40), second, UTC_ZONE)
    assert found.expected is None
    assert found.alerts == []


def test_the_month_is_that_of_the_users_time_zone() -> None:
    now, zone = datetime(2026, 5, 31, 23, tzinfo=UTC), ZoneInfo("Europe/Brussels")
    assert budget(USER, BudgetBody(monthly_limit=Decimal(1)), Decimal(0), now, zone).month == "2026-06"
    assert elapsed(now, zone) == Decimal(1) / (30 * 24)
    assert elapsed(datetime(2026, 3, 31, 21, 59, 59, tzinfo=UTC), zone) < 1  # 31 days less the hour that summer takes
    assert elapsed(datetime(2026, 3, 31, 22, tzinfo=UTC), zone) == 0


@given(st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_months_share_rises_from_0_to_1(now: datetime) -> None:
    for name in ("UTC", "America/Santiago", "Pacific/Kiritimati"):
        share = elapsed(now, ZoneInfo(name))
        assert 0 <= share < 1
        later = elapsed(now + timedelta(minutes=1), ZoneInfo(name))
        assert later > share or later < Decimal("0.001")


@given(AMOUNTS, SHARES, st.none() | AMOUNTS)
def test_the_months_end_is_never_below_what_was_spent(spent: Decimal, share: Decimal, forecast: Decimal | None) -> None:
    expected = by_the_end(spent, share, forecast)
    assert expected is None or expected >= spent
    assert by_the_end(spent, Decimal(1), forecast) == spent
    assert by_the_end(Decimal(0), Decimal(0), forecast) == forecast


@given(AMOUNTS, AMOUNTS, st.decimals("0.01", 10**6, places=2), SHARES)
def test_more_spending_takes_no_alert_back_and_repeats_none(
    spent: Decimal, more: Decimal, limit: Decimal, share: Decimal
) -> None:
    now = datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=29.9) * float(share)
    before, after = (
        budget(USER, BudgetBody(monthly_limit=limit), amount, now, UTC_ZONE) for amount in (spent, spent + more)
    )
    reached = [{alert.id for alert in found.alerts if alert.kind == "budget_reached"} for found in (before, after)]
    assert reached[0] <= reached[1]
    assert len({alert.id for alert in after.alerts}) == len(after.alerts)
    order = ["clear", "expected", "reached"]
    for one, other in zip(before.thresholds, after.thresholds, strict=True):
        assert order.index(one.state) <= order.index(other.state)
        assert (one.state == "reached") == (spent >= limit * one.percent / 100)


def test_an_alerts_id_is_its_own_and_does_not_tell_the_user() -> None:
    users, months, kinds = (USER, "bob@example.org"), ("2026-06", "2026-07"), ("budget_reached", "budget_expected")
    ids = [alert_id(u, m, t, k) for u in users for m in months for t in THRESHOLDS for k in kinds]  # type: ignore[arg-type]
    assert len(set(ids)) == len(ids) == 24
    assert alert_id(USER, "2026-06", 50, "budget_reached") == ids[0]
    assert not any("ada" in found for found in ids)


def test_other_currencies_are_not_added() -> None:
    month = MonthTotals("2026-06", spent=Decimal(10), others={"EUR": Decimal(3)})
    assert [used(month, currency) for currency in ("TFP", "EUR", "USD")] == [10, 3, 0]


@pytest.mark.parametrize("limit", ["0", "-1", "x", 0])
def test_a_budget_is_more_than_nothing(limit: object) -> None:
    with pytest.raises(ValidationError):
        BudgetBody.model_validate({"monthly_limit": limit})
