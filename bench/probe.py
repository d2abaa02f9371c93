"""Watches a contender from the inside, the same way for all: what it fetched, asked of Mongo and committed; time."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition
from pymongo import monitoring


@dataclass(frozen=True)
class Measured:
    """From the first records in hand to the last of them stored and committed. The CPU time is the process's own."""

    records: int
    batches: int
    commits: int
    commands: int
    seconds: float
    cpu_seconds: float


class Commands(monitoring.CommandListener):
    """Counts what is asked of Mongo by the clients that listen to it."""

    count = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:  # noqa: ARG002
        """One more."""
        self.count += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Was counted when it started."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Was counted when it started."""


class Probe:
    """Measures until `expected` records are through. It costs a call for each batch, or for each lone record."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._records = self._batches = self._commits = self._handled = 0
        self._offsets: dict[TopicPartition, int] = {}
        self._since = (0.0, 0.0, 0)
        self._asked = Commands()
        monitoring.register(self._asked)
        self._through: asyncio.Future[Measured] = asyncio.get_running_loop().create_future()

    def install(self) -> None:
        """Puts the probe into every consumer of this process."""
        kafka: Any = AIOKafkaConsumer  # Any: methods of it are replaced, and take what they took
        getmany, getone, commit = kafka.getmany, kafka.getone, kafka.commit

        async def probed_getmany(*args: Any, **options: Any) -> Any:
            fetched = await getmany(*args, **options)
            self._fetched(sum(map(len, fetched.values())))
            return fetched

        async def probed_getone(*args: Any) -> Any:
            record = await getone(*args)
            self._fetched(1)
            return record

        async def probed_commit(consumer: Any, offsets: Mapping[TopicPartition, int] | None = None) -> None:
            await commit(consumer, offsets)
            self._committed(offsets or {})

        kafka.getmany, kafka.getone, kafka.commit = probed_getmany, probed_getone, probed_commit

    def is_through(self) -> bool:
        """Whether all is measured."""
        return self._through.done()

    async def through(self) -> Measured:
        """Waits until all is measured."""
        return await asyncio.shield(self._through)

    def handled_one(self) -> None:
        """Says that one record is stored, where no commit says so."""
        self._handled += 1
        if self._handled == self._expected:
            self._end()

    def _fetched(self, records: int) -> None:
        if not records:
            return
        if not self._records:
            self._since = (time.perf_counter(), time.process_time(), self._asked.count)
        self._records += records
        self._batches += 1

    def _committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """All topics are read from their start, so that the offsets say how many records are through."""
        self._commits += 1
        self._offsets.update(offsets)
        if sum(self._offsets.values()) == self._expected:
            self._end()

    def _end(self) -> None:
        if not self._through.done():
            seconds, cpu_seconds = time.perf_counter() - self._since[0], time.process_time() - self._since[1]
            commands = self._asked.count - self._since[2]
            self._through.set_result(
                Measured(self._records, self._batches, self._commits, commands, seconds, cpu_seconds)
            )
