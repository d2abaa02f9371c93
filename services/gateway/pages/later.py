"""Questions that may take seconds to answer: a page waits for a moment, and says that it is being worked out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from services.gateway.pages.visits import Json, Visit
from shared.contracts.topics import Service
from shared.plumbing.problems import ProblemError

MOMENT_SECONDS: Final = 0.8
_LONGEST_SECONDS: Final = 20.0
_KEPT_SECONDS: Final = 10.0  # an answer that came too late for its page, for the next one
_UNAVAILABLE: Final = 503


@dataclass(frozen=True)
class Found:
    """What came of a question in a moment; `problem` is the service's code where it says no."""

    state: Literal["known", "working", "refused", "unavailable"]
    value: Json = None
    problem: str | None = None


class Later:
    """Asks a question once for all the pages of a user that wait for its answer, and lets it end whoever still waits.

    So a service is not said to be dead for what it takes its time over, nor asked for it twice at once.
    """

    def __init__(self) -> None:
        self._asked: dict[tuple[str, Service, str], asyncio.Task[Json]] = {}

    async def ask(self, visit: Visit, service: Service, paths: Sequence[str]) -> list[Found]:
        """What `service` answers at each of the paths, all within one moment."""
        tasks = [self._task(visit, service, path) for path in paths]
        done, _ = await asyncio.wait(tasks, timeout=MOMENT_SECONDS)
        self._drop(done)
        return [_found(task) for task in tasks]

    def forget(self, user: str) -> None:
        """What was asked for `user` before now is out of date."""
        for key in [key for key in self._asked if key[0] == user]:
            del self._asked[key]

    def _task(self, visit: Visit, service: Service, path: str) -> asyncio.Task[Any]:
        key = (visit.identity.user, service, path)
        if key not in self._asked:
            task = self._asked[key] = asyncio.create_task(visit.ask(service, path, seconds=_LONGEST_SECONDS))
            task.add_done_callback(self._keep_for_a_while)
        return self._asked[key]

    def _keep_for_a_while(self, done: asyncio.Task[Json]) -> None:
        if not done.cancelled():
            done.exception()  # somebody looked, so that nobody complains where no page waits any more
            asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._drop, {done})

    def _drop(self, done: set[asyncio.Task[Json]]) -> None:
        for key in [key for key, task in self._asked.items() if task in done]:
            del self._asked[key]


def _found(task: asyncio.Task[Json]) -> Found:
    if not task.done():
        return Found("working")
    try:
        return Found("known", task.result())
    except ProblemError as problem:
        if problem.status == _UNAVAILABLE:
            return Found("unavailable")
        return Found("refused", problem=problem.code)
