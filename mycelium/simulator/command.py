"""`mycelium simulate`: publishes a believable marketplace and wallet."""

import asyncio
import dataclasses
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import typer
from aiokafka.errors import KafkaError
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mycelium.simulator.answers import Member, answering
from mycelium.simulator.publishing import publisher
from mycelium.simulator.run import Run
from mycelium.simulator.scenario import Scenario
from mycelium.simulator.state import State, StateError
from shared.contracts.types import UtcTime, normalise_email
from shared.plumbing import tracing

_AWARE: TypeAdapter[datetime] = TypeAdapter(UtcTime)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_console = Console(stderr=True)


@dataclass(frozen=True)
class Options:
    """How a scenario is published: where, how fast, for how many seconds live, and who is sent the traces of that."""

    member: Member
    idempotence: bool
    rate: float
    live: float
    state_file: Path | None
    collector: str


def _time(text: str) -> datetime:
    try:
        value = _AWARE.validate_python(text)
    except ValidationError:
        raise typer.BadParameter("should be an RFC 3339 time with an offset, such as 2026-01-31T00:00:00Z") from None
    if not _EARLIEST <= value <= datetime.now(UTC):
        raise typer.BadParameter("should lie between the year 2000 and now: the history ends there")
    return value


def _email(text: str) -> str:
    try:
        return normalise_email(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def simulate(
    *,
    users: Annotated[int, typer.Option(min=0, help="Users, besides those of --user.")] = 20,
    days: Annotated[int, typer.Option(min=0, max=3650, help="Days of history.")] = 90,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as the broker takes them.")] = 0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    live: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Go on live for so long after the history; inf: for ever.")
    ] = 0,
    ledger: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write what the broker acknowledged there, as JSON lines.")
    ] = None,
    kafka: Annotated[
        str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", metavar="ADDR", help="The brokers.", show_default=False)
    ] = "",
    until: Annotated[
        datetime | None,
        typer.Option(parser=_time, metavar="TIME", help="Where the history ends; default: the start of today in UTC."),
    ] = None,
    user: Annotated[
        list[str] | None,
        typer.Option(parser=_email, metavar="EMAIL", help="One more user, with that email. Repeatable."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="Keep there how far it has come, and go on from there the next time."),
    ] = None,
    jwks: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Public keys: what is bought by command then comes with credentials, encrypted for them.",
        ),
    ] = None,
    idempotence: Annotated[bool, typer.Option(envvar="KAFKA_ENABLE_IDEMPOTENCE", hidden=True)] = True,
    session_timeout: Annotated[int, typer.Option(envvar="KAFKA_SESSION_TIMEOUT_MS", hidden=True)] = 10_000,
    heartbeat: Annotated[int, typer.Option(envvar="KAFKA_HEARTBEAT_INTERVAL_MS", hidden=True)] = 3_000,
    collector: Annotated[str, typer.Option(envvar="OTEL_EXPORTER_OTLP_ENDPOINT", hidden=True)] = "",
) -> None:
    """Publish a marketplace with its users: months of history, then live events. While live, it answers commands.

    The same command gives the same events, on the same day or with the same --until.
    """
    if not kafka:
        raise typer.BadParameter(
            "no broker is named. Set KAFKA_BOOTSTRAP_SERVERS or give --kafka HOST:PORT; `mycelium up` starts a broker "
            "and writes its address into stack.json in its data directory.",
            param_hint="--kafka",
        )
    emails = tuple(dict.fromkeys(user or ()))
    if not users and not emails:
        raise typer.BadParameter("there is nobody to simulate: give --users or --user", param_hint="--users")
    scenario = Scenario(seed, users, days, until or datetime.combine(datetime.now(UTC), time(), UTC), emails)
    _say_once()
    try:
        kept, resumed = _state(state, scenario, is_until_given=until is not None)
        with ledger.open("ab" if resumed else "wb", buffering=0) if ledger else nullcontext() as lines:
            member = Member(kafka, session_timeout, heartbeat, jwks)
            options = Options(member, idempotence, rate, live, state, collector)
            asyncio.run(_run(dataclasses.replace(scenario, until=kept.until), kept, options, lines))
    except (StateError, OSError) as error:
        _fail(str(error))
    except KafkaError as error:
        _fail(f"Kafka at {kafka} failed: {error}\nCheck that it runs and is reached under that address, and try again.")


def _state(path: Path | None, scenario: Scenario, *, is_until_given: bool) -> tuple[State, bool]:
    """What was kept in the file, and whether anything was. Raises StateError if it is of another scenario."""
    if path is None or not path.exists():
        return State.new(scenario), False
    kept = State.load(path)
    if kept.fingerprint != scenario.fingerprint or (is_until_given and kept.until != scenario.until):
        raise StateError(
            f"{path} was made with another --seed, --users, --days, --until or --user: give the same, name another "
            "--state, or remove the file"
        )
    return kept, True


def _say_once() -> None:
    """What aiokafka says of an absent broker ten times a second, the command says once, when it gives up."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


async def _run(scenario: Scenario, kept: State, options: Options, ledger: BinaryIO | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with publisher(options.member.kafka, idempotence=options.idempotence, ledger=ledger) as publishing:
        run = Run(scenario, kept, publishing, stop, rate=options.rate, state_file=options.state_file)
        with _progress(scenario) as show:
            finished = await run.history(show)
        if finished and options.live:
            tracing.start("simulator", options.collector)
            await run.live(options.live, answering(options.member, run.desk, publishing, run.save, stop))
    tracing.stop()
    if _console.is_terminal:
        _console.print(f"{publishing.count:,} events published")


@contextmanager
def _progress(scenario: Scenario) -> Iterator[Callable[[datetime], None]]:
    """A bar of how far the history has come; nothing where there is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=_console, disable=not _console.is_terminal) as bar:
        task = bar.add_task("Publishing the history", total=scenario.days * 86_400)
        yield lambda reached: bar.update(task, completed=(reached - scenario.start).total_seconds())


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
