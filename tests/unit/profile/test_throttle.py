"""How long who gives wrong passwords has to wait."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profile.domain.throttle import LONGEST, REMEMBERED, wait

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0), (5, 0), (6, 1), (7, 2), (8, 4), (9, 8), (15, 512), (16, 900), (17, 900), (10_000, 900)],
)
def test_five_are_free_and_then_each_costs_twice_as_much(failures: int, seconds: int) -> None:
    assert wait(failures, NOW, NOW, 5) == timedelta(seconds=seconds)


def test_the_wait_runs_out() -> None:
    assert wait(8, NOW, NOW + timedelta(seconds=1.5), 5) == timedelta(seconds=2.5)
    assert wait(8, NOW, NOW + timedelta(seconds=4), 5) == timedelta(0)


def test_a_clock_that_was_put_back_makes_nobody_wait_longer() -> None:
    assert wait(10_000, NOW + timedelta(days=3), NOW, 5) == LONGEST


@given(st.integers(0, 2**31), st.timedeltas(-REMEMBERED, 2 * REMEMBERED), st.integers(1, 100))
def test_a_wait_is_never_negative_and_bounded(failures: int, passed: timedelta, free: int) -> None:
    assert timedelta(0) <= wait(failures, NOW, NOW + passed, free) <= LONGEST
    assert wait(failures, NOW, NOW + passed, free) <= wait(failures + 1, NOW, NOW + passed, free)
