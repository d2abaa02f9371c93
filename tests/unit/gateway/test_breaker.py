"""The breaker: what is let through when."""

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.breaker import FAILURES_TO_OPEN, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.lets_through()
        breaker.failed(clock.now)
    return breaker, clock


def test_it_opens_after_failures_in_a_row_and_not_before() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(3):
        for _ in range(FAILURES_TO_OPEN - 1):
            breaker.failed(clock.now)
        assert breaker.lets_through()
        breaker.succeeded()
    assert not breaker.is_open
    assert not opened()[0].lets_through()


def test_one_is_let_through_after_each_pause_and_pauses_grow_to_a_bound() -> None:
    breaker, clock = opened()
    pauses = []
    for _ in range(8):
        opened_at = clock.now
        while not breaker.lets_through():
            clock.now += 0.25
        pauses.append(clock.now - opened_at)
        assert not breaker.lets_through()
        breaker.failed(clock.now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)


def test_an_answer_closes_it_and_the_next_pause_is_short_again() -> None:
    breaker, clock = opened()
    clock.now += 1
    assert breaker.lets_through()
    breaker.failed(clock.now)
    clock.now += 2
    assert breaker.lets_through()
    breaker.succeeded()
    assert all(breaker.lets_through() for _ in range(20))
    for _ in range(FAILURES_TO_OPEN):
        breaker.failed(clock.now)
    assert not breaker.lets_through()
    clock.now += 1
    assert breaker.lets_through()


def test_what_was_under_way_when_it_opened_makes_no_pause_longer() -> None:
    breaker, clock = opened()
    for _ in range(50):
        breaker.failed(clock.now - 2)
    clock.now += 1
    assert breaker.lets_through()


def test_a_try_that_never_ends_holds_nobody_up() -> None:
    breaker, clock = opened()
    clock.now += 1
    assert breaker.lets_through()
    assert not breaker.lets_through()
    clock.now += 1
    assert breaker.lets_through()


@given(st.lists(st.sampled_from(["ask", "fail", "late", "answer", "wait"]), max_size=200))
def test_whatever_happens_somebody_is_let_through_within_the_longest_pause(steps: list[str]) -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for step in steps:
        match step:
            case "ask":
                breaker.lets_through()
            case "fail":
                breaker.failed(clock.now)
            case "late":
                breaker.failed(clock.now - 2)
            case "answer":
                breaker.succeeded()
            case "wait":
                clock.now += 0.7
    clock.now += LONGEST_PAUSE_SECONDS
    assert breaker.lets_through()
