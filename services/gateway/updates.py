"""Follows `dashboard.updates`: every gateway reads all of it, as each may have anybody's parts and streams.

It reads without a group, from the earliest record there is (the topic keeps one hour), so that all gateways know the
same places. Until it has come to the end, and whenever the broker does not answer, changes may be missed: then no part
counts as fresh. When it goes on it begins anew, and every stream goes on from the last place that it was told.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from services.gateway.changes import Change, Changes, Place
from services.gateway.parts import Parts
from services.gateway.stream import Streams
from shared.contracts.dashboard import SectionChanged
from shared.contracts.envelope import Event
from shared.contracts.reading import Reader
from shared.contracts.times import microseconds, rfc3339
from shared.contracts.topics import UPDATES
from shared.plumbing import consumers, metrics, tracing
from shared.plumbing.logs import get
from shared.plumbing.publish import Record
from shared.plumbing.settings import ProcessSettings
from shared.plumbing.tracing import trace_of
from shared.plumbing.waiting import set_within

_POLL_MS, _MOST_RECORDS = 250, 500
_CHECK_SECONDS: Final = 2.0  # how often, and for how long, the broker is asked whether it is there
_RETRY_SECONDS: Final = 0.5
_log = get(__name__)


class Updates:
    """A job that tells the cache and the streams what changes."""

    def __init__(self, settings: ProcessSettings, parts: Parts, streams: Streams) -> None:
        self._settings, self._parts, self._streams = settings, parts, streams
        self._reader = Reader(UPDATES.payloads)
        self._stopping = asyncio.Event()
        self._is_following = False

    async def trouble(self) -> str | None:
        """Why changes are not told right now; None if they are."""
        return None if self._is_following else "changes are not followed: nothing is kept, and streams are silent"

    def stop(self) -> None:
        """Ends `run`."""
        self._stopping.set()

    async def run(self) -> None:
        """Follows until `stop`, and waits out a broker that is away."""
        while not self._stopping.is_set():
            try:
                await self._follow()
            except (KafkaError, OSError) as error:  # a TimeoutError is an OSError
                _log.warning("updates_away", error=type(error).__name__)
                await set_within(self._stopping, _RETRY_SECONDS)
            finally:
                self._say(following=False)

    async def _follow(self) -> None:
        kafka = AIOKafkaConsumer(
            UPDATES.name,
            bootstrap_servers=self._settings.kafka_bootstrap_servers,
            client_id="gateway",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await kafka.start()
            changes, checked_at = Changes(), time.monotonic()
            while not self._stopping.is_set():
                for records in (await kafka.getmany(timeout_ms=_POLL_MS, max_records=_MOST_RECORDS)).values():
                    for record in records:
                        self._take(record, changes)
                if not self._is_following and await self._is_at_the_end(kafka, changes):
                    self._streams.follow(changes, partition_of(len(kafka.assignment())))
                    self._say(following=True)
                if time.monotonic() - checked_at >= _CHECK_SECONDS:
                    await asyncio.wait_for(kafka.topics(), _CHECK_SECONDS)
                    checked_at = time.monotonic()
        finally:
            await consumers.stop(kafka)

    async def _is_at_the_end(self, kafka: AIOKafkaConsumer, changes: Changes) -> bool:
        """Whether all that there was has been read; then every partition is known, the empty ones too."""
        for partition in kafka.assignment():
            async with asyncio.timeout(_CHECK_SECONDS):
                position = await kafka.position(partition)
            end = kafka.highwater(partition)
            if end is None or position < end:
                return False
            changes.begin(partition.partition, position, microseconds(datetime.now(UTC)) // 1_000)
        return bool(kafka.assignment())

    def _take(self, record: Record, changes: Changes) -> None:
        """The parts come first: who is told by a stream may ask for them at once."""
        place = Place(record.partition, record.offset, max(0, record.timestamp))
        event = self._reader.read(record.topic, record.key, record.value, record.headers)
        if not isinstance(event, Event) or not isinstance(event.data, SectionChanged):
            _log.warning("update_not_readable", partition=record.partition, offset=record.offset)
            changes.passed(place)
            return
        said = event.data
        change = Change(place, said.section, rfc3339(microseconds(said.as_of)), trace_of(event))
        if self._is_following:
            with tracing.current().taking(record.topic, change.trace) as trace:
                change = replace(change, trace=trace)
                self._parts.section_changed(said.user_email, said.section)
                self._streams.tell(said.user_email, change)
            metrics.UPDATE_SECONDS.observe(max(0.0, (datetime.now(UTC) - said.as_of).total_seconds()))
        changes.add(said.user_email, change)

    def _say(self, *, following: bool) -> None:
        if following:
            self._parts.cache.trust()
        else:
            self._parts.cache.distrust()
            self._streams.lose_track()
        self._is_following = following
        metrics.FOLLOWING.set(following)


def partition_of(partitions: int) -> Callable[[str], int]:
    """On which of so many partitions the records of a user are, as all our publishers choose it."""
    every, choose = [*range(partitions)], DefaultPartitioner()

    def chosen(user: str) -> int:
        number: int = choose(user.encode(), every, every)
        return number

    return chosen
