"""Trims in quiet moments what was let grow under load."""

import asyncio

from pymongo.errors import PyMongoError

from services.activity.store import ActivityStore
from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_EVERY_SECONDS = 1.0
_log = get(__name__)


class Tidy:
    """Brings every timeline down to its length, about once a second."""

    def __init__(self, store: ActivityStore) -> None:
        self._store = store
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Trims until `stop`. While Mongo is away there is nothing to trim."""
        while not await set_within(self._stopping, _EVERY_SECONDS):
            try:
                await self._store.settle()
            except PyMongoError as error:
                _log.warning("trimming_waits", error=type(error).__name__)
