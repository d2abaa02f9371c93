"""Works off the marks that ingesting leaves, a few times a second, however much was marked meanwhile."""

import asyncio

from pymongo.errors import PyMongoError

from services.purchases.overview import Overviews
from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_EVERY_SECONDS = 0.5
_AT_ONCE = 200
_log = get(__name__)


class Worker:
    """Keeps what is worked out from the facts no further behind them than about a second, where it can."""

    def __init__(self, overviews: Overviews) -> None:
        self._overviews = overviews
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends `run`. What is still marked is worked off after the next start, or when it is looked at."""
        self._stopping.set()

    async def run(self) -> None:
        """Works until `stop`; waits while Mongo is away."""
        while not await set_within(self._stopping, _EVERY_SECONDS):
            try:
                while await self._overviews.work_off(_AT_ONCE) == _AT_ONCE and not self._stopping.is_set():
                    continue
            except PyMongoError as error:
                _log.warning("overviews_wait", error=type(error).__name__)
