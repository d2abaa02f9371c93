"""Uptime: worked out from the statuses and the checks, as its docstring says."""

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.types import DeploymentStatus
from shared.folds.deployment import Check, Interval, decisive, uptime

STATUSES: tuple[DeploymentStatus, ...] = ("deploying", "running", "stopped", "error", "maintenance", "scaling")


def interval(status: DeploymentStatus, start: int, end: int | None) -> Interval:
    return Interval(status, start, end, None)


def test_running_without_a_check_is_up() -> None:
    assert uptime([interval("running", 0, None)], [], 0, 100).percentage == 100.0


def test_what_was_never_to_be_up_has_no_uptime() -> None:
    assert uptime([interval("deploying", 0, 50), interval("stopped", 50, None)], [], 0, 100).percentage is None
    assert uptime([], [], 0, 100).percentage is None


def test_error_is_down_and_maintenance_does_not_count() -> None:
    passed = [interval("running", 0, 60), interval("error", 60, 80), interval("maintenance", 80, None)]
    assert uptime(passed, [], 0, 200).percentage == 75.0


def test_a_failed_check_is_down_until_the_next_check() -> None:
    checks = [Check(10, True), Check(20, False), Check(40, True), Check(90, False)]
    up = uptime([interval("running", 0, None)], checks, 0, 100)
    assert (up.expected, up.up) == (100, 100 - 20 - 10)


def test_a_failed_check_ends_with_its_status() -> None:
    passed = [interval("running", 0, 50), interval("stopped", 50, 70), interval("running", 70, None)]
    up = uptime(passed, [Check(40, False), Check(90, True)], 0, 100)
    assert (up.expected, up.up) == (80, 70)


def test_only_the_window_counts() -> None:
    up = uptime([interval("error", 0, 50), interval("running", 50, None)], [Check(120, False)], 50, 100)
    assert (up.expected, up.up) == (50, 50)


def test_a_status_that_ended_at_once_counts_for_nothing() -> None:
    up = uptime([interval("running", 0, 0), interval("running", 0, None)], [], 0, 1)
    assert (up.expected, up.up) == (1, 1)


def chain(draw: st.DrawFn) -> list[Interval]:
    moves = sorted(draw(st.lists(st.tuples(st.integers(0, 100), st.sampled_from(STATUSES)), min_size=1, max_size=8)))
    ends = [at for at, _ in moves[1:]] + [None]
    return [interval(status, at, end) for (at, status), end in zip(moves, ends, strict=True)]


chains = st.composite(chain)()
checks_made = st.lists(st.builds(Check, st.integers(0, 120), st.booleans()), max_size=12, unique_by=lambda c: c.at)


@given(chains, checks_made, st.integers(0, 60), st.integers(0, 60))
def test_up_is_never_more_than_expected_and_never_less_than_nothing(
    passed: list[Interval], checks: list[Check], start: int, length: int
) -> None:
    up = uptime(passed, checks, start, start + length)
    assert 0 <= up.up <= up.expected <= length


@given(chains, checks_made)
def test_the_decisive_checks_are_enough(passed: list[Interval], checks: list[Check]) -> None:
    assert uptime(passed, decisive(checks), 0, 120) == uptime(passed, checks, 0, 120)


@given(chains, st.integers(1, 119))
def test_a_window_is_the_sum_of_its_halves_where_no_check_is_in_between(passed: list[Interval], cut: int) -> None:
    whole, first, second = (uptime(passed, [], a, b) for a, b in ((0, 120), (0, cut), (cut, 120)))
    assert (whole.expected, whole.up) == (first.expected + second.expected, first.up + second.up)
