"""The wallet: a ledger of transactions, the balance after the last of them, and what is missing in between."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from shared.contracts.times import rfc3339
from shared.folds.purchase import money
from shared.folds.state import State, field, value

Record = dict[str, Any]  # JSON: money and times are strings

BLOCK: Final = 256  # transactions whose sum and gaps are worked out together: an event costs no more than its block
_MOST_GAPS = 100


@dataclass(frozen=True, slots=True)
class Line:
    """What counts of a transaction: its place in the ledger, its signed amount and the balance after it.

    `imported` says that it came from the user's own file and not from the wallet.
    """

    sequence: int
    at: int
    event: str
    amount: Decimal
    balance_after: Decimal
    currency: str
    imported: bool = False


def block_of(sequence: int) -> int:
    """The block of the ledger that a transaction of this sequence is in."""
    return sequence // BLOCK


def summary_of(lines: Iterable[Line]) -> Mapping[str, Any]:
    """What one block of the ledger comes to: the sum per currency, which sequences there are, and the last line.

    Beside that of the wallet's own lines, `imported` is that of the imported ones from before the first of them.
    """
    ordered = sorted(lines, key=lambda line: (line.sequence, line.at, line.event))
    own = [line for line in ordered if not line.imported]
    first = own[0].sequence if own else None
    before = [line for line in ordered if line.imported and (first is None or line.sequence < first)]
    return {**(_summary(own) if own else {}), **({"imported": _summary(before)} if before else {})}


def _summary(lines: Sequence[Line]) -> Mapping[str, Any]:
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.currency] = sums.get(line.currency, Decimal(0)) + line.amount
    last = lines[-1]
    return {
        "sums": sums,
        "runs": _runs([line.sequence for line in lines]),
        "last": {"at": last.at, "balance": last.balance_after, "currency": last.currency},
        "count": len(lines),
    }


def _runs(sequences: Sequence[int]) -> list[list[int]]:
    """The sequences (sorted, repeats allowed) as runs without a gap: [first, last] each."""
    runs: list[list[int]] = []
    for sequence in sequences:
        if runs and sequence <= runs[-1][1] + 1:
            runs[-1][1] = sequence
        else:
            runs.append([sequence, sequence])
    return runs


def wallet_of(blocks: Mapping[str, Mapping[str, Any]]) -> Record:
    """The wallet that the blocks of a ledger come to.

    The balance is the `balance_after` of the highest sequence. `sequence_gaps` are the missing sequences, as
    `{first, last}`, at most 100 of them, oldest first. `difference` is the balance less the sum of the ledger in its
    currency: null when there is none, that is when the ledger is whole. Imported lines count for the time before the
    wallet's own ones: a wallet that began anew has the balance that it says.
    """
    ordered = list(_counted(blocks))
    if not ordered:
        return {
            "balance": "0",
            "currency": "TFP",
            "as_of": None,
            "transactions": 0,
            "sequence_gaps": [],
            "difference": None,
        }
    last = ordered[-1]["last"]
    total = sum((block["sums"].get(last["currency"], Decimal(0)) for block in ordered), Decimal(0))
    difference = last["balance"] - total
    return {
        "balance": money(last["balance"]),
        "currency": last["currency"],
        "as_of": rfc3339(last["at"]),
        "transactions": sum(block["count"] for block in ordered),
        "sequence_gaps": _gaps([run for block in ordered for run in block["runs"]])[:_MOST_GAPS],
        "difference": money(difference) if difference else None,
    }


def _counted(blocks: Mapping[str, Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    own = False
    for name in sorted(blocks, key=int):
        block = blocks[name]
        if "imported" in block and not own:
            yield block["imported"]
        if "last" in block:
            own = True
            yield block


def _gaps(runs: Sequence[Sequence[int]]) -> list[dict[str, int]]:
    return [
        {"first": before[1] + 1, "last": after[0] - 1} for before, after in pairwise(runs) if before[1] + 1 < after[0]
    ]


def transaction_of(id: str, state: State) -> Record:
    """A line of the ledger as the API gives it."""
    said = field(state, "line")
    assert said is not None  # noqa: S101  (every fact about a transaction comes with its line)
    line = said.value
    return {
        "transaction_id": id,
        **line,
        "amount": money(line["amount"]),
        "balance_after": money(line["balance_after"]),
        "timestamp": rfc3339(said.at),
        "related_entity_id": value(state, "related_entity_id"),
        "related_entity_type": value(state, "related_entity_type"),
        "description": value(state, "description"),
    }


def pool_of(id: str, state: State) -> Record:
    """A pool position as the API gives it."""
    said = field(state, "position")
    assert said is not None  # noqa: S101
    position = said.value
    amounts = {name: money(position[name]) for name in ("invested", "current_value")}
    return {"pool_id": id, **position, **amounts, "as_of": rfc3339(said.at)}
