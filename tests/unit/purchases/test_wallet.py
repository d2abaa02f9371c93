"""The wallet that a ledger comes to."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.folds.wallet import Line, block_of, summary_of, wallet_of


def line(sequence: int, amount: int, balance: int, currency: str = "TFP") -> Line:
    return Line(sequence, sequence, f"e{sequence}", Decimal(amount), Decimal(balance), currency)


def ledger(amounts: dict[int, int]) -> list[Line]:
    """A whole ledger of these amounts by sequence, with the balances that they make."""
    lines, balance = [], 0
    for sequence, amount in sorted(amounts.items()):
        balance += amount
        lines.append(line(sequence, amount, balance))
    return lines


def wallet(lines: list[Line]) -> dict[str, object]:
    numbers = {block_of(each.sequence) for each in lines}
    return wallet_of({str(n): summary_of([each for each in lines if block_of(each.sequence) == n]) for n in numbers})


def test_an_empty_ledger_is_an_empty_wallet() -> None:
    assert wallet_of({})["balance"] == "0"


def test_the_balance_is_that_of_the_highest_sequence() -> None:
    found = wallet([line(2, 5, 15), line(1, 10, 10)])
    assert (found["balance"], found["sequence_gaps"], found["difference"]) == ("15", [], None)
    assert wallet([replace(line(2, 5, 15), at=0), line(1, 10, 10)])["balance"] == "15", "also where it is dated back"


def test_no_digit_of_a_balance_is_lost() -> None:
    smallest = Decimal("0.000000000000000001")
    assert wallet([replace(line(1, 0, 0), amount=smallest, balance_after=smallest)])["balance"] == f"{smallest:f}"


def test_each_currency_adds_up_by_itself() -> None:
    found = wallet([line(1, 10, 10), line(2, 7, 7, "EUR"), line(3, -4, 6)])
    assert (found["balance"], found["currency"], found["difference"]) == ("6", "TFP", None)


def test_a_long_ledger_is_in_the_order_of_its_numbers() -> None:
    found = wallet([line(600, 10, 10), line(2_600, 5, 15)])
    assert (found["balance"], found["sequence_gaps"]) == ("15", [{"first": 601, "last": 2_599}])


def test_gaps_are_told_also_between_blocks() -> None:
    found = wallet([line(1, 10, 10), line(4, 1, 12), line(255, 1, 13), line(258, 2, 15)])
    assert found["sequence_gaps"] == [
        {"first": 2, "last": 3},
        {"first": 5, "last": 254},
        {"first": 256, "last": 257},
    ]
    assert found["difference"] == "1"


def test_a_single_missing_transaction_is_told() -> None:
    assert wallet([line(1, 10, 10), line(3, 1, 12)])["sequence_gaps"] == [{"first": 2, "last": 2}]


@given(st.dictionaries(st.integers(0, 1_000), st.integers(-50, 100), min_size=1), st.data())
def test_what_is_missing_is_told_and_the_rest_agrees(amounts: dict[int, int], data: st.DataObject) -> None:
    lines = data.draw(st.permutations(ledger(amounts)))
    found = wallet(lines)
    assert found["balance"] == str(sum(amounts.values()))
    assert found["difference"] is None
    gaps = found["sequence_gaps"]
    assert isinstance(gaps, list)
    missing = [n for gap in gaps for n in range(gap["first"], gap["last"] + 1)]
    if len(gaps) < 100:
        assert missing == [n for n in range(min(amounts), max(amounts)) if n not in amounts]
