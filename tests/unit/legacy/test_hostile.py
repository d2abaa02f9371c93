"""Files that are not what they should be: each is named with what is wrong, and none stops the others."""

import os
import tracemalloc
from collections import deque
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from mycelium.cli import app
from mycelium.legacy.reading import open_file
from mycelium.legacy.report import Report
from mycelium.legacy.telling import tell, user_in
from tests.unit.legacy.files import CHANGED, EMAIL, example, problems, told, transaction

NOT_JSON = "should be one JSON object in UTF-8, without NaN, Infinity or a byte order mark"


def dry_run(directory: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["import-legacy", str(directory), "--dry-run"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no",
        b"[]",
        b'"text"',
        b"\xff\xfe{}",
        b'\xef\xbb\xbf{"user_email": "a@b.c"}',
        b'{"user_email": "a@b.c"',
        b'{"user_email": "a@b.c"} {}',
        b'{"user_email": "a@b.c", "wallet_balance": NaN}',
        b'{"user_email": "a@b.c", "name": "\xff"}',
        b'{"user_email": "a@b.c", "wallet_balance": 1e99999999999999999999}',
    ],
)
def test_what_is_no_json_object_is_refused_whole(content: bytes) -> None:
    assert problems(content) == [NOT_JSON]


def test_what_breaks_off_publishes_nothing() -> None:
    whole = orjson.dumps(example())
    assert told(whole[:-1]) == []
    assert told(whole)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({}, "user_email: is missing"),
        ({"user_email": 1}, "user_email: is missing"),
        (
            {"user_email": "ada"},
            "user_email: should be an email address such as ada@example.org, at most 254 characters",
        ),
        ({"user_email": EMAIL, "name": 5}, "name: Input should be a valid string"),
        ({"user_email": EMAIL, "timezone": "Nowhere/At_all"}, "timezone: should be the IANA name"),
        ({"user_email": EMAIL, "country": "Atlantis"}, "country: "),
        ({"user_email": EMAIL, "transactions": 5}, "transactions: should be a list"),
        ({"user_email": EMAIL, "transactions": [5]}, "transactions[0]: should be a JSON object"),
        ({"user_email": EMAIL, "transactions": [{}]}, "transactions[0]: timestamp: is missing"),
        ({"user_email": EMAIL, "user_activities": [[]]}, "user_activities[0]: should be a JSON object"),
        ({"user_email": EMAIL, "user_activities": [{}]}, "user_activities[0]: timestamp: is missing"),
        ({"user_email": EMAIL, "user_preferences": []}, "user_preferences: should be a JSON object"),
        ({"user_email": EMAIL, "user_preferences": {"theme": "Pink"}}, "user_preferences: theme: Input should be"),
        ({"user_email": EMAIL, "pool_positions": [{}]}, "pool_positions[0]: "),
        ({"user_email": EMAIL, "pool_positions": {"p": {"amount": "-1"}}}, "pool_positions[0]: invested: should be 0"),
        ({"user_email": EMAIL, "wallet_balance": "lots"}, "wallet_balance: should be a decimal"),
        (
            {"user_email": EMAIL, "transactions": [transaction(user_email="bob@example.org")]},
            "transactions[0]: user_email: should be the file's own user",
        ),
        (
            {"user_email": EMAIL, "transactions": [transaction("a", currency="EUR"), transaction("b", currency="TFP")]},
            "transactions[0]: currency: should be the wallet's, TFP",
        ),
        (
            {"user_email": EMAIL, "transactions": [transaction(transaction_type="Gamble")]},
            "transactions[0]: transaction_type: should be one of",
        ),
        (
            {"user_email": EMAIL, "transactions": [transaction(transaction_type=[])]},
            "transactions[0]: transaction_type",
        ),
        (
            {"user_email": EMAIL, "transactions": [transaction("a"), transaction("a")]},
            "transactions[1]: is there twice",
        ),
        (
            {"user_email": EMAIL, "transactions": [transaction(timestamp="noon")]},
            "transactions[0]: timestamp: should be",
        ),
    ],
)
def test_what_cannot_be_read_is_named(content: dict[str, object], why: str) -> None:
    found = (
        problems(content)
        if not isinstance(content.get("wallet_balance"), str)
        else problems(content | {"transactions": [transaction()]})
    )
    assert len(found) == 1
    assert found[0].startswith(why)
    assert "bob@" not in found[0]


def test_one_bad_entry_does_not_take_the_others_along() -> None:
    content = example()
    content["user_activities"].insert(0, {"activity_type": "Dance", "timestamp": "2024-03-01T00:00:00Z"})
    content["transactions"].append(transaction(timestamp="2024-04-01T00:00:00Z", amount=[]))
    assert len(told(content)) == len(told(example()))
    assert len(problems(content)) == 2


@pytest.mark.parametrize("before", [0, 64 * 1024 - 600])  # the second lies across two reads
def test_an_endless_number_is_refused_wherever_it_is(before: int) -> None:
    content = b'{"user_email": "a@b.c", "x": [%b %b]}' % (b" " * before, b"9" * 1_100)
    assert problems(content) == ["has a number of more than 1,000 digits"]


def test_deep_nesting_and_endless_entries_are_refused() -> None:
    deep = b'{"user_email": "a@b.c", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert problems(deep) == ["is nested more than 32 levels deep"]
    endless = {"user_email": EMAIL, "transactions": [[0] * 20_000]}
    assert problems(endless) == ["transactions[0] has more than 10,000 values"]


def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    def peak(number: int) -> int:
        path, report = tmp_path / f"{number}.json", Report("f")
        lines = [transaction(f"t{n}", timestamp=f"2024-03-01T09:{n // 60 % 60:02}:{n % 60:02}Z") for n in range(number)]
        path.write_bytes(orjson.dumps({"user_email": EMAIL, "transactions": lines}))
        del lines
        with open_file(path, tmp_path) as file:
            user, members = user_in(file)
            tracemalloc.start()
            deque(tell(file, user, members, CHANGED, report), maxlen=0)
            reached = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert report.counts["transactions"] == number
        return reached

    peak(100)  # what is made once
    assert peak(5_000) < 1.5 * peak(1_000)


def test_each_file_of_a_directory_is_reported(tmp_path: Path) -> None:
    directory = tmp_path / "user_data"
    directory.mkdir()
    outside = tmp_path / "outside.json"
    outside.write_bytes(orjson.dumps({"user_email": "secret@example.org"}))
    (directory / "a.json").write_bytes(orjson.dumps(example()))
    (directory / "b.json").write_bytes(orjson.dumps({"user_email": " ADA@example.org "}))
    (directory / "broken.json").write_bytes(b"{")
    (directory / "dir.json").mkdir()
    (directory / "gone.json").symlink_to(tmp_path / "nothing")
    (directory / "link.json").symlink_to(outside)
    (directory / "loop.json").symlink_to(directory / "loop.json")
    os.mkfifo(directory / "pipe.json")
    with (directory / "huge.json").open("wb") as file:
        file.truncate(500 * 1024 * 1024)
    (directory / "notes.txt").write_text("not looked at")

    code, said = dry_run(directory)
    assert code == 1
    for line in (
        "a.json: registration, preferences, 3 transactions, 1 purchase, 1 pool position, 1 activity\n",
        "b.json: nothing\n  not read: user_email: is the one of a.json too; make one file of the two\n",
        f"broken.json: nothing\n  not read: {NOT_JSON}\n",
        "dir.json: nothing\n  not read: ",
        "gone.json: nothing\n  not read: cannot be read: No such file or directory\n",
        "link.json: nothing\n  not read: is a link that leads out of the directory: copy the file here\n",
        "loop.json: nothing\n  not read: cannot be read: ",
        "pipe.json: nothing\n  not read: is no regular file\n",
        "huge.json: nothing\n  not read: has 524,288,000 bytes; at most 67,108,864 are read",
        "\n9 files: 1 whole, 0 in part, 8 not at all; 7 events would be published\n",
    ):
        assert line in said
    assert "@" not in said
    assert "notes.txt" not in said


def test_files_that_are_whole_end_with_0(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(example()))
    code, said = dry_run(tmp_path)
    assert (code, said.splitlines()[-1]) == (
        0,
        "1 files: 1 whole, 0 in part, 0 not at all; 7 events would be published",
    )


def test_without_a_stack_it_says_how_to_name_a_broker(tmp_path: Path) -> None:
    arguments = ["import-legacy", str(tmp_path), "--data-dir", str(tmp_path / "none")]
    result = CliRunner().invoke(app, arguments, env={"KAFKA_BOOTSTRAP_SERVERS": None, "COLUMNS": "200", "TERM": "dumb"})
    said = " ".join(result.output.replace("│", " ").split())
    assert (result.exit_code, "or a broker with --kafka HOST:PORT" in said) == (2, True)
