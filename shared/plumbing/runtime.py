"""What runs beside HTTP in a process: connections that are made with patience, jobs that run until the end.

HTTP is answered from the first moment on, so that `/readyz` can say what is still waited for.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from aiokafka.errors import KafkaError
from fastapi import FastAPI

from shared.plumbing.logs import get
from shared.plumbing.waiting import set_within

_RETRY_SECONDS = 0.5
_GRACE_SECONDS = 8
_log = get(__name__)

Step = Callable[[], Awaitable[None]]


class Job(Protocol):
    """Something that runs until it is told to stop. An exception out of `run` ends the process."""

    async def run(self) -> None:
        """Works until `stop`."""

    def stop(self) -> None:
        """Makes `run` return soon, with what is in hand finished."""


class Runtime:
    """Connects (`prepare`, in order, again and again until it works), runs the jobs, and closes (`close`, in order).

    `leave` ends what goes on for as long as its client likes, and is called before the server waits for its answers.
    """

    def __init__(
        self,
        prepare: Sequence[Step],
        jobs: Sequence[Job],
        close: Sequence[Step],
        leave: Callable[[], None] = lambda: None,
    ) -> None:
        self._prepare = prepare
        self._jobs = jobs
        self._close = close
        self.leave = leave
        self._stopping = asyncio.Event()
        self._prepared = False
        self.ended = asyncio.Event()
        self.failure: BaseException | None = None

    async def trouble(self) -> str | None:
        """Why the process has not come to work yet, or no longer does; None if it does."""
        if self.failure is not None:
            return "a job failed"
        return None if self._prepared else "still connecting"

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Runs everything for as long as the app is served."""
        main = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopping.set()
            for job in self._jobs:
                job.stop()
            if not self._prepared:
                main.cancel()  # there is nothing in hand to finish
            await asyncio.wait([main], timeout=_GRACE_SECONDS)
            main.cancel()
            for step in self._close:
                await step()

    async def _run(self) -> None:
        try:
            for step in self._prepare:
                await self._patiently(step)
            self._prepared = True
            _log.info("ready")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stopping.wait())
                for job in self._jobs:
                    group.create_task(_until_told(job))
        except Exception as error:  # noqa: BLE001  (kept: it decides how the process ends)
            self.failure = error
            _log.error("process_ends", exc_info=error)
        finally:
            self.ended.set()

    async def _patiently(self, step: Step) -> None:
        while not self._stopping.is_set():
            try:
                await step()
            except (KafkaError, OSError) as error:
                _log.warning("waiting_to_connect", error=type(error).__name__)
                await set_within(self._stopping, _RETRY_SECONDS)
            else:
                return


async def _until_told(job: Job) -> None:
    """A job that ends as if it had been cancelled, though nobody did that, would end without anybody's noticing."""
    try:
        await job.run()
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        _log.error("job_cancelled", job=type(job).__name__, exc_info=error)
        raise RuntimeError("a job was cancelled by something that it waited for") from error
    except Exception as error:
        _log.error("job_failed", job=type(job).__name__, exc_info=error)
        raise
