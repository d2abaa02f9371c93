"""What the command refuses, and what it says then."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mycelium.simulator import Scenario
from mycelium.simulator.command import simulate
from mycelium.simulator.state import State

app = typer.Typer()
app.command()(simulate)

NOBODY_LISTENS = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """The command sets it for its process, which is the tests' here."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    yield
    logger.setLevel(before)


def run(*arguments: str) -> tuple[int, str]:
    """The exit code, and what was said with blanks and frames taken out."""
    environment = {"KAFKA_BOOTSTRAP_SERVERS": None, "COLUMNS": "200", "TERM": "dumb"}
    result = CliRunner().invoke(app, arguments, env=environment)
    return result.exit_code, " ".join(result.output.replace("│", " ").split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Set KAFKA_BOOTSTRAP_SERVERS or give --kafka HOST:PORT"),
        (("--kafka", "k", "--until", "2026-03-01"), "should be an RFC 3339 time with an offset"),
        (("--kafka", "k", "--until", "2026-03-01T00:00:00"), "should be an RFC 3339 time with an offset"),
        (("--kafka", "k", "--until", "2999-01-01T00:00:00Z"), "should lie between the year 2000 and now"),
        (("--kafka", "k", "--user", "ada"), "should be an email address"),
        (("--kafka", "k", "--users", "0"), "give --users or --user"),
        (("--kafka", "k", "--days", "-1"), "--days"),
        (("--kafka", "k", "--rate", "-1"), "--rate"),
    ],
)
def test_what_cannot_be_done_is_said_and_ends_with_2(arguments: tuple[str, ...], message: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert message in output


def test_without_a_broker_it_says_where_it_looked() -> None:
    code, output = run("--kafka", NOBODY_LISTENS, "--days", "1")
    assert code == 1
    assert output.startswith(f"Kafka at {NOBODY_LISTENS} failed: KafkaConnectionError")
    assert output.endswith("Check that it runs and is reached under that address, and try again.")


@pytest.mark.parametrize("other", [("--seed", "2"), ("--until", "2026-02-01T00:00:00Z"), ("--user", "b@example.org")])
def test_the_state_of_another_scenario_is_refused_before_anything_is_touched(
    tmp_path: Path, other: tuple[str, str]
) -> None:
    state, ledger = tmp_path / "state.json", tmp_path / "ledger.jsonl"
    ledger.write_text("kept")
    State.new(Scenario(1, 20, 90, datetime(2026, 3, 1, tzinfo=UTC))).save(state)
    before = state.read_bytes()
    code, output = run("--kafka", NOBODY_LISTENS, "--state", str(state), "--ledger", str(ledger), *other)
    assert code == 1
    assert "was made with another --seed, --users, --days, --until or --user" in output
    assert (state.read_bytes(), ledger.read_text()) == (before, "kept")
