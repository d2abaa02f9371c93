"""Waiting for a condition with a deadline: the tests' only way to wait."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]],
    *,
    timeout: float = ...,  # noqa: ASYNC109
    interval: float = ...,
    what: str = ...,
) -> T: ...


@overload
async def eventually(
    condition: Callable[[], T],
    *,
    timeout: float = ...,  # noqa: ASYNC109
    interval: float = ...,
    what: str = ...,
) -> T: ...


async def eventually(
    condition: Callable[[], object],
    *,
    timeout: float = 30,  # noqa: ASYNC109  (the last answer is told, which asyncio.timeout cannot do)
    interval: float = 0.02,
    what: str = "",
) -> object:
    """The first truthy answer of `condition`, which may be sync or async; it is asked again every `interval` seconds.

    Raises AssertionError with `what` (or the condition's name) and the last answer after `timeout` seconds. An
    AssertionError of the condition itself counts as "not yet"; anything else that it raises is raised at once.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer: object
        try:
            value = condition()
            result = await value if inspect.isawaitable(value) else value
            if result:
                return result
            answer = result
        except AssertionError as error:
            answer = error
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}; the last answer was {answer!r}")
        await asyncio.sleep(interval)
