"""`mycelium import-legacy DIR`: publishes what the marketplace's old files hold, and reports what it cannot read."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from os import fstat
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mycelium.brokers import DATA_DIR, DataDirOption, brokers
from mycelium.legacy.reading import UnreadableError, open_file
from mycelium.legacy.report import Report, printable, summary
from mycelium.legacy.telling import Entry, tell, user_in
from mycelium.simulator.publishing import Publisher, publisher
from shared.folds.facts import digest

_BREATHE_EVERY = 500  # events: then the loop may see a signal, and the progress is shown
_console = Console(stderr=True)


def import_legacy(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="The marketplace's user_data, with its *.json files.")
    ],
    kafka: Annotated[
        str | None,
        typer.Option(
            envvar="KAFKA_BOOTSTRAP_SERVERS", metavar="ADDR", help="The brokers; default: those of the running stack."
        ),
    ] = None,
    data_dir: DataDirOption = DATA_DIR,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Publish nothing: say for each file what would be done, and what cannot be."),
    ] = False,
) -> None:
    """Publish what the marketplace's old user files hold. A second run, also of files that have grown, changes nothing
    that is there.

    Ends with 0 if every file was read whole, else with 1 and a report of what could not be read.
    """
    if not directory.is_dir():
        raise typer.BadParameter(f"{directory} is no directory. Name the folder that holds the old *.json files.")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, and in plain words
    reports: list[Report] = []
    address = None if dry_run else brokers(kafka, data_dir)
    try:
        asyncio.run(_import(sorted(directory.resolve().glob("*.json")), address, reports))
    except KafkaError:
        typer.echo("The broker did not take everything. Run the same again: nothing is doubled.", err=True)
        raise typer.Exit(1) from None
    finally:
        for report in reports:
            for line in report.lines():
                typer.echo(line)
        typer.echo(summary(reports, dry_run=dry_run))
    if not all(report.is_whole for report in reports):
        raise typer.Exit(1)


async def _import(paths: Sequence[Path], kafka: str | None, reports: list[Report]) -> None:
    names_of_users: dict[str, str] = {}
    async with _publishing(kafka) as publishing:
        with _progress(len(paths)) as advance:
            for path in paths:
                reports.append(Report(path.name))
                try:
                    await _file(path, publishing, names_of_users, reports[-1])
                except UnreadableError as error:
                    reports[-1].refused = str(error)
                advance()


@asynccontextmanager
async def _publishing(kafka: str | None) -> AsyncIterator[Publisher | None]:
    """Without the broker's help against doubles, which not every broker has: here a double is the same event."""
    if kafka is None:
        yield None
        return
    async with publisher(kafka, client_id="import-legacy", idempotence=False) as publishing:
        yield publishing


async def _file(path: Path, publishing: Publisher | None, names_of_users: dict[str, str], report: Report) -> None:
    """`names_of_users` are the files by whose they are, as digests. Raises UnreadableError."""
    with open_file(path, path.parent) as file:
        user, members = user_in(file)
        first = names_of_users.setdefault(digest(user), path.name)
        if first != path.name:
            raise UnreadableError(f"user_email: is the one of {printable(first)} too; make one file of the two")
        await _publish(tell(file, user, members, _changed(file), report), publishing)


async def _publish(entries: Iterator[Entry], publishing: Publisher | None) -> None:
    """Publishes all of them, and waits until the broker has them."""
    for number, (topic, event) in enumerate(entries):
        if number % _BREATHE_EVERY == 0:
            await asyncio.sleep(0)
        if publishing:
            await publishing.send(topic, event)
    if publishing:
        await publishing.settle()


def _changed(file: BinaryIO) -> datetime:
    return datetime.fromtimestamp(int(fstat(file.fileno()).st_mtime), UTC)


@contextmanager
def _progress(files: int) -> Iterator[Callable[[], None]]:
    """A bar of the files that are done; nothing where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, disable=not _console.is_terminal) as bar:
        task = bar.add_task("Reading the old files", total=files)
        yield lambda: bar.advance(task)
