"""Forecasts, worked out in a process of their own: the library that makes them takes more memory than the service."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from decimal import Decimal
from multiprocessing import get_context

from services.analytics.domain.forecast import LEAST_MONTHS, TooLittleHistory, forecast
from services.analytics.worker import begin
from shared.contracts.analytics_forecast import Forecast

_IDLE_SECONDS = 60.0


class ForecasterStoppedError(RuntimeError):
    """The worker ended while it was at work; asking again starts another one."""


class Forecaster:
    """Has one worker process, from the first question until it has not been asked anything for `idle_seconds`."""

    def __init__(self, idle_seconds: float = _IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds
        self._pool: ProcessPoolExecutor | None = None
        self._waiting = 0
        self._end: asyncio.TimerHandle | None = None

    async def forecast(self, history: Sequence[Decimal], after: str, ahead: int) -> Forecast | TooLittleHistory:
        """What `services.analytics.domain.forecast.forecast` says. Raises ForecasterStoppedError."""
        if len(history) < LEAST_MONTHS:
            return TooLittleHistory(len(history))  # no reason to start a worker, which takes seconds
        pool = self._working_pool()
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, _forecast, tuple(history), after, ahead)
        except BrokenProcessPool as error:
            self._drop(pool)
            raise ForecasterStoppedError("the forecast was interrupted: ask for it again") from error
        finally:
            self._waiting -= 1
            if self._pool and not self._waiting:
                self._end = asyncio.get_running_loop().call_later(self._idle_seconds, self._drop, self._pool)

    async def close(self) -> None:
        """Ends the worker, after what it is at; what has not begun is cancelled."""
        pool, self._pool = self._pool, None
        self._keep()
        if pool:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    @property
    def has_worker(self) -> bool:
        """Whether there is a process at the moment."""
        return self._pool is not None

    def _working_pool(self) -> ProcessPoolExecutor:
        self._keep()
        if not self._pool:
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=begin)
        return self._pool

    def _keep(self) -> None:
        if self._end:
            self._end.cancel()
            self._end = None

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        """Ends that worker; another one may be there by now."""
        if self._pool is pool:
            self._pool = None
        pool.shutdown(wait=False)


def _forecast(history: Sequence[Decimal], after: str, ahead: int) -> Forecast | TooLittleHistory:
    from services.analytics.methods import METHODS

    return forecast(history, after, ahead, METHODS)
