"""A job that does something again and again."""

import asyncio
from collections.abc import Awaitable, Callable

from pymongo.errors import PyMongoError

from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_log = get(__name__)


class Every:
    """Awaits `step` every so many `seconds`; while Mongo is away it is tried again the next time."""

    def __init__(self, seconds: float, name: str, step: Callable[[], Awaitable[object]]) -> None:
        self._seconds, self._name, self._step = seconds, name, step
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` after the step in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Repeats until `stop`."""
        while not await set_within(self._stopping, self._seconds):
            try:
                await self._step()
            except PyMongoError as error:
                _log.warning("step_waits", step=self._name, error=type(error).__name__)
