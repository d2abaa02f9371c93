"""Watches a contender from the inside, in the same way for all: what it fetched and committed, and the time."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition


@dataclass(frozen=True)
class Measured:
    """From the first records in hand to the last of them stored and committed. The CPU time is the process's own."""

    records: int
    batches: int
    commits: int
    seconds: float
    cpu_seconds: float


class Probe:
    """Measures until `expected` records are through. It costs a call for each batch, or for each lone record."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._records = self._batches = self._commits = self._handled = 0
        self._offsets: dict[TopicPartition, int] = {}
        self._since = (0.0, 0.0)
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
            self._since = (time.perf_counter(), time.process_time())
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
            self._through.set_result(Measured(self._records, self._batches, self._commits, seconds, cpu_seconds))
