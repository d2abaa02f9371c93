"""`mycelium rebuild`: makes what a service keeps anew from the topics, beside it, and puts right what differs."""

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer
from aiokafka.errors import KafkaError
from pydantic import ValidationError
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mycelium.brokers import DATA_DIR, DataDirOption, KafkaOption, brokers
from mycelium.stack.datadir import DataDir, read_json
from mycelium.stack.errors import StackError
from shared.contracts.topics import Service
from shared.plumbing import mongo
from shared.plumbing.mongo import Client
from shared.plumbing.publish import Publisher
from shared.plumbing.rebuild import BusyError, Counts, NotRebuildableError, Phase, Plan, Rebuild, Report, Tell
from shared.plumbing.rebuild_shadow import database_of
from shared.plumbing.settings import KafkaSettings, ServiceSettings

S = TypeVar("S", bound=ServiceSettings)
_LINE_SECONDS = 10
_console = Console(highlight=False, soft_wrap=True)


def rebuild(
    service: Annotated[Service, typer.Argument(help="Whose projection is made anew.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only compare: change nothing.")] = False,
    rate: Annotated[
        float, typer.Option(min=1, help="How many records, or documents, it may work on in a second.")
    ] = 1_000,
    kafka: KafkaOption = None,
    mongo_url: Annotated[
        str | None,
        typer.Option(
            "--mongo", metavar="URL", help="The database; default: that of the running stack, else MONGO_URL."
        ),
    ] = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Make what a service keeps anew from the topics, compare, and put right what differs, while the service goes on.

    Broken off, it goes on where it was when it is called again. Ends with 0 if, in the end, all is as the topics say.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, and in plain words
    given = _settings(brokers(kafka, data_dir), mongo_url, data_dir)
    try:
        report = asyncio.run(_run(service, given, rate, dry_run=dry_run))
    except NotRebuildableError as error:
        _fail(
            f"{service} cannot be rebuilt. The topics hold nothing from before {error.oldest:%Y-%m-%d %H:%M:%S} UTC, "
            f"and of what {service} has, {error.untold} documents are older and told by no event in them; "
            f"{error.told} are told. The topics are not those that it was made from: a broker that keeps them in "
            "memory, as that of `mycelium up` does, was started again. Nothing was changed."
        )
    except BusyError:
        _fail(f"Another run rebuilds {service}. Wait until it has ended.")
    except (KafkaError, PyMongoError, ConnectionError) as error:
        _fail(
            f"A server does not answer ({type(error).__name__}). No harm is done: the same command goes on from here."
        )
    except KeyboardInterrupt:
        _fail(
            f"Broken off; the same command goes on from here. Until then the database {service}-rebuild holds users' "
            "data: if you do not want to go on, drop it."
        )
    _show(service, report)
    counts = (report.left or report.found).values()
    if any(each.changing or (dry_run and each.differ) for each in counts):
        raise typer.Exit(1)


def _settings(address: str, mongo_url: str | None, data_dir: Path) -> dict[str, str]:
    """What the service is given: by the stack that runs here, if that is the one that is meant, else by our shell."""
    try:
        stack = read_json(DataDir(data_dir).stack_json)
    except StackError as error:
        raise typer.BadParameter(str(error)) from None
    url = mongo_url or stack.get("mongo") or os.environ.get("MONGO_URL")
    if not url:
        raise typer.BadParameter(
            f"no stack runs on {data_dir}. Start one with `mycelium up`, or name the directory of one that runs with "
            "--data-dir DIR, or a database with --mongo URL."
        )
    own = read_json(data_dir / "secrets.json") if stack.get("mongo") == url else {}
    return {name.lower(): value for name, value in own.items()} | {
        "kafka_bootstrap_servers": address,
        "mongo_url": str(url),
    }


async def _run(service: Service, given: Mapping[str, str], rate: float, *, dry_run: bool) -> Report:
    """Without the broker's help against doubles, which not every broker has: a double tells nothing else."""
    client, address = mongo.connect(given["mongo_url"]), given["kafka_bootstrap_servers"]
    publisher = Publisher(service, KafkaSettings(kafka_bootstrap_servers=address, kafka_enable_idempotence=False))
    try:
        with _progress() as tell:
            plan = _plan(service, given, client)
            await publisher.start()
            return await Rebuild(plan, address, client, publisher, rate, tell).run(dry_run=dry_run)
    finally:
        await publisher.stop()
        await mongo.close(client)


def _plan(service: Service, given: Mapping[str, str], client: Client) -> Plan:
    """Imported when it is needed: each service brings libraries of its own."""
    databases = client[service], database_of(client, service)
    match service:
        case "activity":
            from services.activity import rebuild as activity
            from services.activity.settings import Settings as ActivitySettings

            return activity.plan(_load(ActivitySettings, given), *databases)
        case "purchases":
            from services.purchases import rebuild as purchases
            from services.purchases.settings import Settings as PurchasesSettings

            return purchases.plan(_load(PurchasesSettings, given), *databases)
        case "profile":
            from services.profile import rebuild as profile
            from services.profile.settings import Settings as ProfileSettings

            return profile.plan(_load(ProfileSettings, given), *databases)
        case "analytics":
            from services.analytics import rebuild as analytics
            from services.analytics.settings import Settings as AnalyticsSettings

            return analytics.plan(_load(AnalyticsSettings, given), *databases)


def _load(settings: type[S], given: Mapping[str, str]) -> S:
    try:
        return settings.model_validate({k: value for k, value in given.items() if k in settings.model_fields})
    except ValidationError as error:
        names = sorted({str(problem["loc"][0]).upper() for problem in error.errors(include_input=False)})
        _fail(
            f"The service's own settings are needed: set {', '.join(names)} in the environment, as the service has it."
        )


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar for each phase on a terminal; elsewhere a line at the beginning of each, and every ten seconds."""
    if _console.is_terminal:
        bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=_console,
        )
        tasks = {}

        def draw(phase: Phase, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bars.add_task(phase)
            bars.update(tasks[phase], completed=done, total=total)

        with bars:
            yield draw
        return
    said: tuple[Phase | None, float] = (None, 0.0)

    def say(phase: Phase, done: int, total: int) -> None:
        nonlocal said
        if phase != said[0] or time.monotonic() - said[1] > _LINE_SECONDS:
            said = (phase, time.monotonic())
            _console.print(f"{phase}: {done} of {total}")

    yield say


def _show(service: Service, report: Report) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("collection")
    for name in ("equal", "different", "missing", "extra", "kept", "changing"):
        table.add_column(name, justify="right")
    for collection, counts in report.found.items():
        figures = (counts.equal, counts.different, counts.missing, counts.extra, counts.kept, counts.changing)
        table.add_row(collection, *map(str, figures))
    _console.print(table)
    for collection, counts in report.found.items():
        for what, ids in counts.ids.items():
            _console.print(f"{collection}, {what}: {', '.join(ids)}{_more(counts, what, ids)}")
    if report.reach.cut:
        since = datetime.fromtimestamp(report.reach.oldest / 1_000_000, UTC)
        _console.print(
            f"The retention of {', '.join(report.reach.cut)} has passed: what is from before {since:%Y-%m-%d %H:%M} "
            "UTC and told by no event any more was left as it is (kept)."
        )
    if report.left is None:
        _console.print("Nothing was changed.")
        return
    right = sum(counts.differ for counts in report.left.values())
    changing = sum(counts.changing for counts in report.left.values())
    put_right = f"1 document of {service} was" if right == 1 else f"{right} documents of {service} were"
    if not changing:
        _console.print(f"{put_right} put right; all the others were right.")
        return
    _console.print(f"{put_right} put right.")
    _console.print(f"{changing} changed all the while: run it again.", style="yellow")


def _more(counts: Counts, what: str, ids: list[str]) -> str:
    left = int(getattr(counts, what)) - len(ids)
    return f" and {left} more" if left else ""


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
