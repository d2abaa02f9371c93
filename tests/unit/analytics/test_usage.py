"""The usage statistics: months in the user's zone, refunds, empty months, scores, patterns."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.months import (
    between,
    bounds,
    following,
    month_of,
    months_around,
    preceding,
    totals,
    zone_of,
)
from services.analytics.domain.patterns import Stretch, patterns, unnamed
from services.analytics.domain.usage import cost_efficiency, hours_run, satisfaction, usage_of
from tests.unit.analytics.things import NOW, days_ago, purchase, running

UTC_ZONE = ZoneInfo("UTC")
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Europe/Stockholm", "America/Santiago"])


@given(TIMES, ZONES)
def test_a_time_is_within_its_month_and_the_month_is_one_of_those_around_it(at: datetime, name: str) -> None:
    zone = zone_of(name)
    month = month_of(at, zone)
    start, end = bounds(month, zone)
    assert start <= at < end
    assert month in months_around(at)
    assert preceding(following(month)) == month


def test_a_month_begins_by_the_users_clock() -> None:
    at = datetime(2026, 1, 31, 20, tzinfo=UTC)
    assert [month_of(at, ZoneInfo(name)) for name in ("Asia/Tokyo", "UTC")] == ["2026-02", "2026-01"]


def test_an_unknown_zone_counts_as_utc() -> None:
    assert zone_of("Mars/Olympus") == zone_of(None) == zone_of("../etc/passwd") == UTC_ZONE


def test_months_follow_each_other_over_a_year() -> None:
    assert list(between("2025-11", "2026-02")) == ["2025-11", "2025-12", "2026-01", "2026-02"]


def test_only_active_and_completed_count_less_what_was_paid_back() -> None:
    bought = [
        purchase("a", amount=Decimal("10.50"), rating=4.0),
        purchase("b", amount=Decimal(5), status="completed", refunded=Decimal(2), product_type="storage"),
        purchase("c", status="refunded"),
        purchase("d", status="cancelled"),
        purchase("e", amount=Decimal(3), refunded=Decimal(7)),
        purchase("f", amount=Decimal(9), currency="EUR"),
    ]
    month = totals("2026-03", bought)
    assert (month.spent, month.count) == (Decimal("13.50"), 3)
    assert {name: share.spent for name, share in month.by_type.items()} == {
        "service": Decimal("10.50"),
        "storage": Decimal(3),
    }
    assert month.others == {"EUR": Decimal(9)}
    assert month.by_provider["prov-1"].rated == 1


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_the_order_of_purchases_does_not_matter(cents: list[int], chance: random.Random) -> None:
    bought = [purchase(str(n), amount=Decimal(c).scaleb(-2), at=days_ago(n / 10)) for n, c in enumerate(cents)]
    shuffled = chance.sample(bought, len(bought))
    assert totals("2026-06", bought) == totals("2026-06", shuffled)
    assert totals("2026-06", bought).spent == Decimal(sum(cents)).scaleb(-2)


def test_empty_months_are_zeros_and_count_in_the_average() -> None:
    months = {
        "2026-03": totals("2026-03", [purchase("a", amount=Decimal(30), rating=5.0)]),
        "2026-05": totals("2026-05", [purchase("b", amount=Decimal(10), product_type="storage", provider_id="prov-2")]),
    }
    usage = usage_of("ada@example.org", "UTC", months, [], patterns([], [], [], NOW, UTC_ZONE), NOW, "2026-06")
    assert [(m["month"], m["total_spent"]) for m in usage["spending_trends"]] == [
        ("2026-03", "30"),
        ("2026-04", "0"),
        ("2026-05", "10"),
        ("2026-06", "0"),
    ]
    assert (usage["total_spent"], usage["average_monthly_spending"]) == ("40", "10.00")
    shares = [(c["category"], c["percentage_of_total"], c["average_rating"]) for c in usage["favorite_categories"]]
    assert shares == [("service", 75.0, 5.0), ("storage", 25.0, None)]
    assert [p["satisfaction_score"] for p in usage["preferred_providers"]] == [66.7, None]


def test_nobody_has_no_numbers_and_no_error() -> None:
    usage = usage_of("new@example.org", "UTC", {}, [], patterns([], [], [], NOW, UTC_ZONE), NOW, "2026-06")
    assert (usage["total_spent"], usage["average_monthly_spending"], usage["spending_trends"]) == ("0", "0", [])
    assert usage["deployment_stats"]["average_uptime"] is None


def test_one_rating_does_not_decide_alone() -> None:
    assert satisfaction(5.0, 1) == 66.7
    assert satisfaction(50.0, 10) == 91.7
    assert satisfaction(1.0, 1) == 33.3
    assert satisfaction(0.0, 0) is None


def test_cost_efficiency_weighs_by_cost() -> None:
    (_, busy), (_, idle) = running("a", 80.0, cost=30), running("b", 0.0, cost=10)
    assert cost_efficiency([busy]) == 79.2
    assert cost_efficiency([busy, idle]) == 59.4
    assert cost_efficiency([]) is None


def test_hours_are_those_of_running_and_scaling() -> None:
    stays = [
        ("deploying", days_ago(4), days_ago(3)),
        ("running", days_ago(3), days_ago(2)),
        ("stopped", days_ago(2), days_ago(1)),
        ("scaling", days_ago(1), None),
    ]
    assert hours_run(stays, NOW) == 48.0


def test_patterns_are_in_the_users_own_time() -> None:
    monday = datetime(2026, 6, 8, 22, 0, tzinfo=UTC)  # Tuesday, 00:00 in Stockholm
    minutes = [monday + timedelta(minutes=m) for m in range(20)]
    found = patterns(minutes, minutes, [], NOW, ZoneInfo("Europe/Stockholm"))
    assert (found.hours, found.days, found.peaks) == ([0], ["Tuesday"], ["Tuesday 00:00-01:00"])
    assert (found.sessions_a_week, found.minutes_a_session) == (1.0, 19)


def test_sessions_name_themselves_or_end_with_a_pause() -> None:
    start = days_ago(14)
    alone = [start + timedelta(minutes=m) for m in (0, 10, 40, 71, 80)]
    assert unnamed(alone) == [Stretch(alone[0], alone[2]), Stretch(alone[3], alone[4])]
    named = [Stretch(days_ago(7), days_ago(7) + timedelta(minutes=60))]
    found = patterns([], alone, named, NOW, UTC_ZONE)
    assert (found.sessions_a_week, found.minutes_a_session) == (1.5, 36)


@given(st.sets(st.integers(0, 5_000), min_size=1, max_size=60))
def test_sessions_cover_every_minute_once_and_lie_apart(minutes: set[int]) -> None:
    times = [NOW + timedelta(minutes=m) for m in minutes]
    sessions = unnamed(times)
    assert all(sum(s.first <= t <= s.last for s in sessions) == 1 for t in times)
    assert all(b.first - a.last > timedelta(minutes=30) for a, b in pairwise(sessions))
