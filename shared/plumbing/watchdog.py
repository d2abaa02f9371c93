"""Ends a process that looks alive and does nothing, so that whoever supervises it starts it afresh.

A Kafka client can hold no partition for ever, or stand still while records arrive; a loop can be blocked. Waiting for
a server that is away is none of these.
"""

import asyncio
import os
import threading
import time

from shared.plumbing.consume import Consumer
from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_TICK_SECONDS = 1.0
_BLOCKED_EXIT_CODE = 70  # EX_SOFTWARE
_log = get(__name__)


class StuckError(Exception):
    """The consumer holds nothing, or does not move although there are records to consume."""


class Watchdog:
    """Watches a consumer and the event loop that it runs on; `stuck_after` is in seconds."""

    def __init__(self, consumer: Consumer, stuck_after: float) -> None:
        self._consumer = consumer
        self._stuck_after = stuck_after
        self._stopping = asyncio.Event()
        self._last_tick = time.monotonic()

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Watches until `stop`. Raises StuckError when the consumer has been stuck for too long."""
        threading.Thread(target=self._watch_the_loop, name="watchdog", daemon=True).start()
        fine_at = time.monotonic()
        while not self._stopping.is_set():
            self._last_tick = time.monotonic()
            if not await self._consumer.is_stuck():
                fine_at = time.monotonic()
            elif time.monotonic() - fine_at > self._stuck_after:
                raise StuckError
            await set_within(self._stopping, _TICK_SECONDS)

    def _watch_the_loop(self) -> None:
        while not self._stopping.is_set():
            if time.monotonic() - self._last_tick > self._stuck_after:
                _log.critical("event_loop_blocked", seconds=self._stuck_after)
                os._exit(_BLOCKED_EXIT_CODE)
            time.sleep(_TICK_SECONDS)
