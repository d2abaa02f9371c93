"""`mycelium dead-letters`: sees the records that services could not use, publishes them again, or lets them be."""

import asyncio
import getpass
import logging
import os
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

import typer
from aiokafka.errors import KafkaError

from mycelium.brokers import DATA_DIR, DataDirOption, KafkaOption, brokers
from mycelium.dead_letters_shown import show_attempts, show_letter, show_others, show_table
from shared.contracts.operation_views import DeadLetter, Reason, State
from shared.contracts.topics import Service
from shared.contracts.types import normalise_email
from shared.plumbing.dead_letter_desk import Desk, Wanted
from shared.plumbing.letter_ids import LetterId
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.settings import KafkaSettings
from shared.plumbing.topics import ensure_topics

T = TypeVar("T")
_SPANS = {"m": "minutes", "h": "hours", "d": "days"}

dead_letters = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="See the records that services could not use, publish them again, or let them be.",
)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]
MaybeIdArgument = Annotated[str | None, typer.Argument(metavar="[ID]", help="One dead letter, as `list` shows it.")]
ServiceOption = Annotated[Service | None, typer.Option(help="Those of this service only.")]
ReasonOption = Annotated[Reason | None, typer.Option(help="Those with this reason only.")]
BulkReasonOption = Annotated[Reason | None, typer.Option(help="All open ones with this reason, instead of one.")]


@dead_letters.command("list")
def list_(
    service: ServiceOption = None,
    reason: ReasonOption = None,
    topic: Annotated[str | None, typer.Option(help="Those that came on this topic only.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Those since then: 90m, 24h, 7d, or 2026-01-31T09:30:00Z.")
    ] = None,
    user: Annotated[
        str | None, typer.Option(metavar="EMAIL", help="Those whose record key is this email only. It is not shown.")
    ] = None,
    state: Annotated[Literal[State, "all"], typer.Option(help="What was done about them.")] = "open",
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    kafka: KafkaOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """List the dead letters, newest first. Nothing of the records themselves is shown."""
    wanted = Wanted((), service, reason, topic, None if state == "all" else state, _time(since), _email(user))
    found = _at_the_desk(brokers(kafka, data_dir), lambda desk: desk.newest(wanted, limit + 1), writes=False)
    letters = found[:limit]
    if as_json:
        for letter in letters:
            typer.echo(letter.model_dump_json())
    else:
        show_table(letters, are_more=len(found) > limit)


@dead_letters.command()
def show(
    letter_id: IdArgument,
    value: Annotated[bool, typer.Option("--value", help="Show key, headers and value too: users' data.")] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write the value there, byte for byte, for `retry --edit`."),
    ] = None,
    kafka: KafkaOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Show one dead letter: why, whence, when, and what was done about it."""
    letter, record = _find(letter_id, brokers(kafka, data_dir))
    show_letter(letter, record if value else None)
    if save:
        with os.fdopen(os.open(save, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(record.value or b"")


@dead_letters.command()
def retry(
    letter_id: MaybeIdArgument = None,
    service: ServiceOption = None,
    reason: BulkReasonOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Publish nothing: say what would be done now.")] = False,
    edit: Annotated[
        Path | None,
        typer.Option(metavar="FILE", exists=True, dir_okay=False, help="What it holds takes the value's place."),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Also what was retried or discarded before.")] = False,
    kafka: KafkaOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Publish records again on the topic that they came from, with their key and headers.

    What would be a dead letter again is not published. Ends with 0 if there was none of those, else with 1.
    """
    wanted = _wanted([letter_id] if letter_id else [], service, reason, only_open=not again)
    if edit and not wanted.ids:
        raise typer.BadParameter("one value cannot take the place of many; name one dead letter", param_hint="--edit")
    edited = edit.read_bytes() if edit else None

    async def work(desk: Desk) -> bool:
        attempts = desk.retry(wanted, _operator(), value=edited, again=again, dry_run=dry_run)
        good = await show_attempts(attempts, dry_run=dry_run)
        if good and edit and not dry_run:
            show_others(await desk.others(wanted.ids[0]))
        return good

    if not _at_the_desk(brokers(kafka, data_dir), work, writes=not dry_run):
        raise typer.Exit(1)


@dead_letters.command()
def discard(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Dead letters, as `list` shows them.")
    ] = None,
    service: ServiceOption = None,
    reason: BulkReasonOption = None,
    kafka: KafkaOption = None,
    data_dir: DataDirOption = DATA_DIR,
) -> None:
    """Note that nothing is to be done about dead letters. They stay where they are until they are too old."""
    wanted = _wanted(letter_ids or [], service, reason, only_open=True)

    async def work(desk: Desk) -> list[DeadLetter]:
        return [letter async for letter in desk.discard(wanted, _operator())]

    found = _at_the_desk(brokers(kafka, data_dir), work, writes=True)
    if not wanted.ids:
        typer.echo(f"{len(found)} discarded")
        return
    states = {letter.id: letter.state for letter in found}
    for each in wanted.ids:
        typer.echo(f"{each}: {states.get(str(each), 'not found')}")
    if len(states) < len(set(wanted.ids)):
        _fail(_NONE)


_NONE = "There is no such dead letter, or not any more. `mycelium dead-letters list --state all` shows those that are."


def _find(text: str, address: str) -> tuple[DeadLetter, Record]:
    letter_id = _parsed(text)
    found = _at_the_desk(address, lambda desk: desk.find(letter_id), writes=False)
    return found or _fail(_NONE)


def _wanted(letter_ids: list[str], service: Service | None, reason: Reason | None, *, only_open: bool) -> Wanted:
    """Those with the ids, or all that have a reason."""
    if bool(letter_ids) == (reason is not None):
        raise typer.BadParameter("name one dead letter by its ID, or many by their --reason")
    if reason:
        return Wanted(service=service, reason=reason, state="open" if only_open else None)
    return Wanted([_parsed(each) for each in letter_ids], service)


def _parsed(text: str) -> LetterId:
    return LetterId.parse(text) or _fail(_NONE)


def _email(text: str | None) -> str | None:
    try:
        return normalise_email(text) if text is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--user") from None


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    if ago := re.fullmatch(r"(\d{1,6})([mhd])", text):
        return datetime.now(UTC) - timedelta(**{_SPANS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time such as 24h or 2026-01-31T09:30:00Z", param_hint="--since"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _operator() -> str:
    try:
        return getpass.getuser()[:256]
    except (KeyError, OSError):  # a user without a name, as in a container
        return f"uid {os.getuid()}"


def _at_the_desk(address: str, work: Callable[[Desk], Awaitable[T]], *, writes: bool) -> T:
    """What `work` returns. Without the broker the command ends with 1."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what goes wrong is said once, and in plain words
    try:
        return asyncio.run(_connected(address, work, writes=writes))
    except KafkaError as error:
        _fail(f"Kafka at {address} failed: {type(error).__name__}. Check that it runs and is reached there; try again.")


async def _connected(address: str, work: Callable[[Desk], Awaitable[T]], *, writes: bool) -> T:
    """Without the broker's help against doubles, which not every broker has: a double is the same event here."""
    settings = KafkaSettings(kafka_bootstrap_servers=address, kafka_enable_idempotence=False)
    publisher = Publisher("operators", settings)
    try:
        if writes:
            await ensure_topics(address)
            await publisher.start()
        return await work(Desk(address, publisher))
    finally:
        await publisher.stop()


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(1)
