"""`mycelium check`: every line gets its answer, whatever is in the file, and the exit code tells good from bad."""

import json
import tracemalloc
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from mycelium.check import check, check_file, check_line
from shared.contracts.envelope import MAX_EVENT_BYTES
from shared.contracts.reading import Poison
from shared.contracts.samples import Sample, bad_samples, good_event, good_samples

APP = typer.Typer()
APP.command()(check)
VIEWED = good_event("product.viewed.v1")
GOOD_LINE = json.dumps(VIEWED).encode()
SEEN_ONLY_ON_A_TOPIC = ("wrong_topic", "key_mismatch")


def test_a_file_of_good_events_is_good(tmp_path: Path) -> None:
    result = _check(tmp_path, b"\n".join(sample.value for sample in good_samples()))
    assert (result.exit_code, result.output) == (
        0,
        f"{len(good_samples())} events, {len(good_samples())} good, 0 bad\n",
    )


@pytest.mark.parametrize("sample", bad_samples(), ids=lambda sample: sample.name)
def test_a_bad_event_gets_the_contracts_answer_and_a_next_step(sample: Sample) -> None:
    assert sample.wrong
    finding = check_line(sample.value)
    if sample.wrong.reason in SEEN_ONLY_ON_A_TOPIC:
        assert finding is None
    else:
        assert finding
        assert finding.why == sample.wrong
        assert finding.next_step


def test_each_bad_line_is_named_with_its_number(tmp_path: Path) -> None:
    bad = json.dumps({**VIEWED, "data": {**VIEWED["data"], "product_type": "s3cret"}}).encode()
    result = _check(tmp_path, b"\n".join([GOOD_LINE, b"", b"  \t", bad, GOOD_LINE + b"\r", b"{"]))
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert lines[0].startswith("line 4: invalid: /data/product_type: Input should be 'service'")
    assert lines[1] == "  next: mend what is named, as shared/contracts/schemas/product.viewed.v1.json describes it"
    assert lines[2] == "line 6: not_json: the line should be one JSON text in UTF-8"
    assert lines[3].startswith("  next: write one whole JSON object on each line")
    assert lines[4:] == ["4 events, 2 good, 2 bad"]
    assert "s3cret" not in result.output


def test_standard_input_is_read_for_a_dash() -> None:
    result = CliRunner().invoke(APP, ["-"], input=GOOD_LINE + b"\n[]\n")
    assert result.exit_code == 1
    assert "line 2: not_a_cloudevent" in result.output
    assert result.output.endswith("2 events, 1 good, 1 bad\n")


def test_an_empty_file_has_no_bad_event(tmp_path: Path) -> None:
    result = _check(tmp_path, b"")
    assert (result.exit_code, result.output) == (0, "0 events, 0 good, 0 bad\n")


@pytest.mark.parametrize("name", ["nowhere.jsonl", "."])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    result = CliRunner().invoke(APP, [str(tmp_path / name)])
    assert result.exit_code == 2
    assert "cannot be read" in result.output


@pytest.mark.parametrize(
    ("topic", "reason"),
    [("marketplace.events", None), ("wallet.events", "wrong_topic"), ("nowhere", "wrong_topic"), (7, "wrong_topic")],
)
def test_a_topic_in_the_line_should_carry_the_type(topic: object, reason: str | None) -> None:
    finding = check_line(json.dumps(VIEWED | {"topic": topic}).encode())
    assert (finding.why.reason if finding else None) == reason
    if finding:
        assert finding.why.error.startswith("/topic: ")
        assert finding.next_step == "publish events of this type on marketplace.events"


def test_a_type_of_two_topics_may_be_on_either() -> None:
    rated = good_event("purchase.rated.v1")
    for topic in ("marketplace.events", "purchases.events"):
        assert check_line(json.dumps(rated | {"topic": topic}).encode()) is None


@pytest.mark.parametrize("event_type", [None, 7, [], "product.viewed.v9"])
def test_a_type_that_the_contract_does_not_have(event_type: object) -> None:
    finding = check_line(json.dumps(VIEWED | {"type": event_type}).encode())
    assert finding
    assert finding.why.reason == "unknown_type"


@pytest.mark.parametrize(
    "line", [b"\xff", b"[" * 100_000, b'{"type":' * 5_000, b"\xef\xbb\xbf{}", b'{"id": NaN}', b"\0"]
)
def test_what_is_not_json(line: bytes) -> None:
    finding = check_line(line)
    assert finding
    assert finding.why == Poison("not_json", "the line should be one JSON text in UTF-8")


@given(line=st.binary())
def test_any_bytes_have_an_answer(line: bytes) -> None:
    assert check_line(line)


def test_the_longest_event_is_checked_and_a_longer_one_is_not(tmp_path: Path) -> None:
    padded = json.dumps(VIEWED | {"padding": ""}).encode()
    longest = padded.replace(b'"padding": "', b'"padding": "' + b"x" * (MAX_EVENT_BYTES - len(padded)))
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"".join(line + b"\r\n" for line in (longest, longest.replace(b"xx", b"xxx", 1), GOOD_LINE)))
    reasons = [finding and finding.why.reason for _, finding in check_file(file)]
    assert reasons == [None, "too_large", None]


def test_memory_does_not_grow_with_the_file_or_the_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with file.open("wb") as out:
        for _ in range(40):
            out.write(b"x" * MAX_EVENT_BYTES)
        out.write(b"\n")
        for _ in range(40):
            out.write(b'"' + b"y" * (MAX_EVENT_BYTES - 2) + b'"\n')
    check_line(GOOD_LINE)  # the reader itself is made once, and is not what is measured
    tracemalloc.start()
    assert [number for number, finding in check_file(file) if finding] == [*range(1, 42)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * MAX_EVENT_BYTES


def _check(folder: Path, content: bytes) -> Result:
    file = folder / "events.jsonl"
    file.write_bytes(content)
    return CliRunner().invoke(APP, [str(file)])
