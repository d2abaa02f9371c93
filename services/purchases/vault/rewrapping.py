"""Moves the data keys to the current key-encrypting key (KEK) while they are in use."""

import asyncio

from pymongo.errors import PyMongoError

from services.purchases.vault.data_keys import DataKeys
from shared.plumbing import metrics
from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_EVERY_SECONDS = 60.0  # a process that was started before the current KEK came still makes keys with its own
_COUNT_SECONDS = 2
_log = get(__name__)


class Rewrapper:
    """Rewraps what is wrapped with an older KEK, at the start and about once a minute."""

    def __init__(self, data_keys: DataKeys) -> None:
        self._data_keys = data_keys
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` after the page in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Rewraps until `stop`. Waits for a database that is away."""
        while not self._stopping.is_set():
            try:
                await self._rewrap()
            except PyMongoError as error:
                _log.warning("rewrapping_waits", error=type(error).__name__)
            await set_within(self._stopping, _EVERY_SECONDS)

    async def pending(self) -> int | None:
        """How many data keys still need an older KEK; None while that cannot be known. At 0 it can be taken away."""
        try:
            async with asyncio.timeout(_COUNT_SECONDS):
                count = await self._data_keys.to_rewrap()
        except (TimeoutError, PyMongoError):
            return None
        metrics.KEYS_TO_REWRAP.set(count)
        return count

    async def _rewrap(self) -> None:
        async for count in self._data_keys.rewrap():
            _log.info("data_keys_rewrapped", count=count)
            if self._stopping.is_set():
                return
