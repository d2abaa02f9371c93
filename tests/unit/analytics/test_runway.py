"""The runway: what goes out a day, and when the wallet is empty."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.runway import outgoings, runway
from services.analytics.domain.things import Deployment, Purchase
from shared.contracts.analytics_forecast import Runway
from tests.unit.analytics.things import NOW, days_ago, period, purchase, running

UTC_ZONE = ZoneInfo("UTC")


def of(balance: object, purchases: list[Purchase], *deployments: Deployment) -> Runway:
    return runway(Decimal(str(balance)), outgoings("TFP", purchases, deployments, NOW), NOW, UTC_ZONE)


def bought(id: str, days: float, amount: object = 10, **given: Any) -> Purchase:
    return purchase(id, at=days_ago(days), amount=Decimal(str(amount)), **given)


def deployed(purchase_id: str, cost: int = 20) -> Deployment:
    return running(purchase_id, 50.0, cost=cost)[0]


def test_ninety_days_where_there_are_as_many() -> None:
    found = of(100, [bought("old", 200), bought("a", 80, 60), bought("b", 5, 30)])
    assert (found.window_days, found.burn_per_day) == (90, "1.00")
    assert (found.days_left, found.runs_out_on) == (100, NOW.date() + timedelta(days=100))
    assert "90 days" in found.basis


@pytest.mark.parametrize(("first", "window"), [(91, 90), (90, 90), (89, 30), (30, 30), (29, 29), (3, 7)])
def test_the_window_is_as_long_as_what_is_known(first: int, window: int) -> None:
    found = of(100, [bought("a", first), bought("b", 0, window)])
    assert found.window_days == window
    assert f"{window} days" in found.basis
    assert Decimal(found.burn_per_day) >= 1


@pytest.mark.parametrize(("purchases", "window"), [([], 90), ([bought("a", 800)], 90), ([bought("b", 5)], 7)])
def test_what_was_bought_more_than_a_year_ago_is_as_if_it_was_not(purchases: list[Purchase], window: int) -> None:
    assert of(100, purchases).window_days == window


def test_refunds_and_what_does_not_count_go_off() -> None:
    purchases = [
        bought("old", 100),
        bought("refunded", 10, 50, refunded=Decimal(20)),
        bought("cancelled", 10, 500, status="cancelled"),
        bought("dollars", 10, 500, currency="USD"),
        bought("future", -2, 500),
    ]
    assert of(100, purchases).burn_per_day == "0.33"


def test_a_running_subscription_counts_once_by_its_monthly_cost() -> None:
    """It and its renewals are of one product; the renewals are purchases of their own."""
    first = bought("sub", 80, 20, period=period())
    renewals = [
        bought(f"renewal-{n}", 80 - 30 * n, 20, product_id=first.product_id, status="completed") for n in (1, 2)
    ]
    other = bought("other", 95, 1)
    found = of(100, [other, first, *renewals], deployed("sub"))
    assert found.burn_per_day == "0.66"  # 20 / 30.44
    assert [(d.deployment_id, d.product_name, d.per_day) for d in found.deployments] == [
        ("dep-sub", "Product sub", "0.66")
    ]
    assert of(100, [other, first, *renewals]).burn_per_day == "0.67"  # 60 / 90


def test_hours_that_do_not_renew_count_as_bought_and_are_shown() -> None:
    hours = bought("hours", 95, 1), bought("gpu", 1, 9, billing_cycle="hourly", period=period(renews=False))
    found = of(100, [*hours], deployed("gpu", 900))
    assert found.burn_per_day == "0.10"
    assert found.deployments[0].per_day == "29.57"


def test_a_stopped_deployment_takes_nothing() -> None:
    first = bought("sub", 200, 20, period=period())
    found = of(100, [first], replace(deployed("sub"), status="stopped"))
    assert (found.burn_per_day, found.deployments) == ("0.00", [])


def test_an_annual_price_is_spread_over_its_year() -> None:
    for days in (10, 80, 300):
        assert of(100, [bought("old", 500), bought("y", days, "365.25", billing_cycle="annual")]).burn_per_day == "1.00"


def test_what_is_paid_in_another_currency_is_not_shown_as_the_wallets() -> None:
    dollars = bought("sub", 200, 20, currency="USD", period=period())
    found = of(100, [dollars], deployed("sub"))
    assert (found.burn_per_day, found.deployments) == ("0.00", [])


def test_five_years_are_as_good_as_for_ever() -> None:
    daily = [bought("old", 200), bought("a", 10, 90)]
    assert of("1826.24", daily).days_left == 1826
    assert of("1826.25", daily).runs_out_on is None
    assert of(5, []).runs_out_on is None


@pytest.mark.parametrize("balance", ["0", "-3"])
def test_an_empty_wallet_has_run_out_today(balance: str) -> None:
    found = of(balance, [])
    assert (found.days_left, found.runs_out_on) == (0, NOW.date())


def test_the_date_is_that_of_the_users_time_zone() -> None:
    zone = ZoneInfo("Pacific/Kiritimati")  # 14 hours ahead
    out = outgoings("TFP", [bought("old", 200), bought("a", 10, 90)], [], NOW)
    found = runway(Decimal("1.50"), out, NOW, zone)
    assert found.runs_out_on == date(2026, 6, 17)


@given(
    st.decimals("0.01", 10**6, places=2),
    st.decimals("0.01", 10**6, places=2),
    st.lists(st.tuples(st.floats(0, 400), st.decimals(0, 10**4, places=2)), max_size=8),
)
def test_more_money_lasts_longer(balance: Decimal, more: Decimal, spending: list[tuple[float, Decimal]]) -> None:
    purchases = [bought(f"p{n}", days, amount) for n, (days, amount) in enumerate(spending)]
    one, other = of(balance, purchases), of(balance + more, purchases)
    assert one.burn_per_day == other.burn_per_day
    if one.days_left is None:
        assert other.days_left is None
    else:
        assert one.runs_out_on == NOW.date() + timedelta(days=one.days_left)
        assert other.days_left is None or other.days_left >= one.days_left
