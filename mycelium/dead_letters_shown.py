"""Dead letters on a terminal. Nothing of a record can steer it."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shared.contracts.operation_views import Attempt, DeadLetter, Outcome
from shared.plumbing.publish import Record

_console = Console(highlight=False)
_MOST_NAMED = 20
_WHAT: dict[Outcome, str] = {
    "applied": "read, and used",
    "ignored": "read, but of no use to the service",
    "poison": "a dead letter again",
    "handled_before": "retried or discarded before; --again retries it all the same",
    "no_origin": "its headers do not say which topic it came from",
}


def printable(text: str) -> str:
    """The text with everything escaped that would steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_text(raw: bytes | None) -> str:
    """Bytes as far as they are UTF-8 as text, and the others escaped."""
    return "(none)" if raw is None else printable(raw.decode(errors="backslashreplace"))


def show_table(letters: Sequence[DeadLetter], *, are_more: bool) -> None:
    """A line for each; where there is no terminal, as wide as it needs to be."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("when (UTC)", "state", "reason", "error", "id"):
        table.add_column(name, no_wrap=name != "error", overflow="fold")
    for letter in letters:
        when = letter.at.strftime("%Y-%m-%d %H:%M:%S")
        state = f"{letter.state}, again" if letter.retry_of else letter.state
        table.add_row(*(Text(printable(text)) for text in (when, state, letter.reason, letter.error, letter.id)))
    console = _console if _console.is_terminal else Console(highlight=False, width=400)
    console.print(table if letters else "There are none.")
    if are_more:
        console.print("There are more; --limit shows them, the options narrow them.")


def show_letter(letter: DeadLetter, record: Record | None) -> None:
    """Everything about one; with its record, also that."""
    place = f"{letter.topic}, partition {letter.partition}, offset {letter.offset}" if letter.topic else "not known"
    lines = [
        ("id", letter.id),
        ("state", letter.state),
        ("service", letter.service),
        ("reason", letter.reason),
        ("error", letter.error),
        ("came from", place),
        ("at", letter.at.isoformat()),
        ("attempts", str(letter.attempts or "not known")),
        ("bytes", str(letter.size)),
    ]
    lines += [("was before", letter.retry_of)] if letter.retry_of else []
    for done in letter.handled:
        how = f" with another value, {done.outcome}" if done.edited else f", {done.outcome}" if done.outcome else ""
        lines.append((done.action, f"{done.at.isoformat()} by {done.operator}{how}"))
    if record:
        lines += [("key", as_text(record.key)), *((f"header {name}", as_text(value)) for name, value in record.headers)]
        lines.append(("value", as_text(record.value)))
    for name, text in lines:
        _console.print(Text(f"{printable(name)}: ", style="bold"), Text(printable(text)), sep="", soft_wrap=True)


def show_others(letters: Sequence[DeadLetter]) -> None:
    """What is left to do once a record was published with another value: nothing is printed if `letters` is empty."""
    if letters:
        _console.print("All services were sent it. Discard what is still open of the record as it was:")
        ids = " ".join(letter.id for letter in letters)
        _console.print(Text(f"mycelium dead-letters discard {ids}"), soft_wrap=True)


async def show_attempts(attempts: AsyncIterator[Attempt], *, dry_run: bool) -> bool:
    """What became of each of a few, and how many they were of each kind. False if one could not be published."""
    outcomes, published = Counter[Outcome](), 0
    async for attempt in attempts:
        outcomes[attempt.outcome] += 1
        published += attempt.published
        if outcomes.total() <= _MOST_NAMED:
            why = f": {attempt.reason}: {attempt.error}" if attempt.reason else ""
            _console.print(Text(printable(f"{attempt.id}: {_WHAT[attempt.outcome]}{why}")), soft_wrap=True)
    would = sum(outcomes[good] for good in ("applied", "ignored"))
    told = f"{would} would be published" if dry_run else f"{published} published"
    counts = ", ".join(f"{number} {outcome.replace('_', ' ')}" for outcome, number in sorted(outcomes.items()))
    _console.print(f"{told} of {outcomes.total()}" + (f" ({counts})" if counts else ""))
    return bool(outcomes) and not outcomes["poison"] and not outcomes["no_origin"]
