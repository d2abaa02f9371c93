"""The tests' own way of waiting."""

import pytest

from tests.waiting import eventually


async def test_the_first_truthy_answer_is_returned() -> None:
    answers = iter([0, None, "", 7])
    assert await eventually(lambda: next(answers)) == 7


async def test_async_conditions_are_awaited() -> None:
    answers = iter([False, True])

    async def condition() -> bool:
        return next(answers)

    assert await eventually(condition) is True


async def test_a_failed_assertion_is_not_yet() -> None:
    answers = iter([1, 2])

    def condition() -> bool:
        assert next(answers) == 2
        return True

    assert await eventually(condition)


async def test_it_says_what_it_waited_for_and_the_last_answer() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.05 s: a flood; the last answer was \[\]"):
        await eventually(list, timeout=0.05, what="a flood")


async def test_other_errors_come_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        await eventually(lambda: 1 / 0)
