"""`mycelium lag`: how far each service is behind the topics that it reads, and for how long."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from rich.console import Console
from rich.live import Live
from rich.table import Table

from mycelium.brokers import DATA_DIR, DataDirOption, KafkaOption, brokers
from shared.contracts.topics import EVENT_TOPICS, SERVICES
from shared.plumbing.consumers import stop
from shared.plumbing.scan import partitions_of

_POLL_MS = 100
_FETCH_BYTES = 65_536  # of each partition only the oldest record is looked at
_ANSWER_SECONDS = 15
_EVERY_SECONDS = 2
_GO_ON = "Look again, or with --watch: a service whose positions stay as they are reads nothing; see its /readyz."
_console = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Lag:
    """Where a service is in a partition: `position` is the next record that it reads, `end` the next one published.

    `oldest` is when the oldest record that waits was published (UTC); None where none waits.
    """

    service: str
    topic: str
    partition: int
    position: int
    end: int
    oldest: datetime | None

    @property
    def records(self) -> int:
        """How many records wait; of a compacted topic, at most so many."""
        return max(0, self.end - self.position) if self.oldest else 0


def lag(
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and show it anew every two seconds.")] = False,
    every: Annotated[
        bool, typer.Option("--all", help="Show every partition, not only those where records wait.")
    ] = False,
    kafka: KafkaOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Show how far each service is behind the topics that it reads, and how old the oldest record is that waits."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, and in plain words
    address = brokers(kafka, data_dir)
    try:
        asyncio.run(_watch(address, every=every) if watch else _once(address, every=every))
    except KeyboardInterrupt:
        raise typer.Exit from None
    except (KafkaError, TimeoutError) as error:
        typer.echo(
            f"Kafka at {address} failed: {type(error).__name__}. Check that it runs and is reached there.", err=True
        )
        raise typer.Exit(1) from None


async def _once(address: str, *, every: bool) -> None:
    _console.print(table(await lags(address), datetime.now(UTC), every=every))


async def _watch(address: str, *, every: bool) -> None:
    with Live(console=_console, auto_refresh=False) as live:
        while True:
            started = time.monotonic()
            live.update(table(await lags(address), datetime.now(UTC), every=every), refresh=True)
            await asyncio.sleep(max(0.0, _EVERY_SECONDS - (time.monotonic() - started)))


async def lags(address: str) -> list[Lag]:
    """The lag of every service on every partition that it reads, in the order of the contract.

    Raises aiokafka.errors.KafkaError, or TimeoutError if the broker does not answer in time.
    """
    async with asyncio.timeout(_ANSWER_SECONDS):
        of_services = await asyncio.gather(*(_of_service(address, service) for service in SERVICES))
    return [each for found in of_services for each in found]


async def _of_service(address: str, service: str) -> list[Lag]:
    """Begins where the group would, without joining it, and looks at the record that it would read next."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address,
        group_id=service,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=_POLL_MS,
    )
    try:
        await consumer.start()
        existing = await consumer.topics()
        read = [topic for topic in EVENT_TOPICS if service in topic.consumers and topic.name in existing]
        partitions = partitions_of(read)
        consumer.assign(partitions)
        start = {partition: await consumer.position(partition) for partition in partitions}
        oldest = await _next_records(consumer, partitions)
        return [
            Lag(service, p.topic, p.partition, start[p], consumer.highwater(p) or 0, oldest.get(p)) for p in partitions
        ]
    finally:
        await stop(consumer)


async def _next_records(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> dict[TopicPartition, datetime]:
    """When the next record of each partition was published, where there is one.

    The end of a partition is known once something, or nothing, was fetched from it: what the broker says of the end
    when it is asked for that is not right on every broker.
    """
    found: dict[TopicPartition, datetime] = {}
    waiting = set(partitions)
    while waiting:
        for partition, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            found.setdefault(partition, datetime.fromtimestamp(max(0, records[0].timestamp) / 1000, UTC))
            consumer.pause(partition)
        ends = {partition: consumer.highwater(partition) for partition in waiting - found.keys()}
        waiting = {p for p, end in ends.items() if end is None or await consumer.position(p) < end}
    return found


def table(found: Sequence[Lag], now: datetime, *, every: bool) -> Table:
    """A line for each partition where records wait, or for `every` one; one for a topic where none waits."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("service", "topic"):
        shown.add_column(name, no_wrap=True)
    for name in ("partition", "position", "end", "lag", "oldest"):
        shown.add_column(name, justify="right", no_wrap=True)
    topics: dict[tuple[str, str], list[Lag]] = defaultdict(list)
    for each in found:
        topics[each.service, each.topic].append(each)
    for (service, topic), partitions in topics.items():
        behind = [each for each in partitions if every or each.records]
        if not behind:
            read = sum(each.position for each in partitions)
            shown.add_row(service, topic, "all", str(read), str(read), "0", "")
        for each in behind:
            age = _age(now - each.oldest) if each.oldest else ""
            style = "yellow" if each.records else ""
            figures = (each.partition, each.position, each.end, each.records)
            shown.add_row(service, topic, *map(str, figures), age, style=style)
    total = sum(each.records for each in found)
    shown.caption = "Everything is read." if not total else f"{total} wait to be read. {_GO_ON}"
    shown.caption_justify = "left"
    return shown


def _age(since: timedelta) -> str:
    seconds = max(0, int(since.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
