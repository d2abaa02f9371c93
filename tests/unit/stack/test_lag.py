"""The table of what services have still to read."""

from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from mycelium.lag import Lag, table

NOW = datetime(2026, 2, 11, 12, tzinfo=UTC)


def lag(partition: int, position: int, end: int, seconds: float | None = None) -> Lag:
    oldest = None if seconds is None else NOW - timedelta(seconds=seconds)
    return Lag("activity", "wallet.events", partition, position, end, oldest)


def shown(*lags: Lag, every: bool = False) -> list[list[str]]:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table(lags, NOW, every=every))
    return [line.split() for line in capture.get().splitlines()[1:]]


def test_a_topic_of_which_all_is_read_is_one_line() -> None:
    assert shown(lag(0, 5, 5), lag(1, 7, 7)) == [
        ["activity", "wallet.events", "all", "12", "12", "0"],
        ["Everything", "is", "read."],
    ]


def test_partitions_where_records_wait_have_a_line_each() -> None:
    first, second, *caption = shown(lag(0, 5, 5), lag(1, 7, 10, 14), lag(2, 0, 1, 0))
    assert first == ["activity", "wallet.events", "1", "7", "10", "3", "14", "s"]
    assert second == ["activity", "wallet.events", "2", "0", "1", "1", "0", "s"]
    said = " ".join(word for line in caption for word in line)
    assert said.startswith("4 wait to be read. Look again, or with --watch:")


def test_all_shows_the_others_too() -> None:
    assert [line[2] for line in shown(lag(0, 5, 5), lag(1, 7, 10, 14), every=True)[:2]] == ["0", "1"]


def test_what_compaction_has_left_nothing_of_does_not_wait() -> None:
    assert lag(0, 5, 9).records == 0


@pytest.mark.parametrize(
    ("seconds", "age"), [(-3, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")]
)
def test_an_age_is_told_in_one_unit(seconds: float, age: str) -> None:
    assert " ".join(shown(lag(0, 0, 1, seconds))[0][6:]) == age
