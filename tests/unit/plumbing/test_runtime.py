"""What ends a process."""

import asyncio

from aiokafka.errors import KafkaConnectionError
from fastapi import FastAPI
from structlog.testing import capture_logs

from shared.plumbing.runtime import Runtime
from tests.waiting import eventually


class CancelledByItsClient:
    """A job in which something that it waits for is cancelled, as a Kafka client does with its own tasks."""

    async def run(self) -> None:
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    def stop(self) -> None:
        pass


class Patient:
    """A job that runs until it is told to stop."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        await self._stopping.wait()

    def stop(self) -> None:
        self._stopping.set()


async def test_a_job_that_is_cancelled_by_what_it_waits_for_ends_the_process() -> None:
    runtime = Runtime(prepare=[], jobs=[CancelledByItsClient(), Patient()], close=[])
    async with runtime.lifespan(FastAPI()), asyncio.timeout(10):
        await runtime.ended.wait()
        assert await runtime.trouble() == "a job failed"


async def is_fine(runtime: Runtime) -> bool:
    return await runtime.trouble() is None


async def test_jobs_that_end_when_they_are_told_to_are_no_failure() -> None:
    runtime = Runtime(prepare=[], jobs=[Patient(), Patient()], close=[])
    async with runtime.lifespan(FastAPI()):
        await eventually(lambda: is_fine(runtime))
    assert runtime.ended.is_set()
    assert runtime.failure is None


async def test_it_says_once_that_it_is_ready_and_not_before() -> None:
    there = False

    async def connect() -> None:
        if not there:
            raise KafkaConnectionError

    runtime = Runtime(prepare=[connect], jobs=[Patient()], close=[])
    with capture_logs() as logs:
        async with runtime.lifespan(FastAPI()):
            await eventually(lambda: logs)
            assert [log["event"] for log in logs] == ["waiting_to_connect"]
            there = True
            await eventually(lambda: is_fine(runtime))
    assert [log["event"] for log in logs if log["event"] != "waiting_to_connect"] == ["ready"]
