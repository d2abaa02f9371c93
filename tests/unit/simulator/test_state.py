"""The state file: written as a whole, read strictly."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mycelium.simulator import Scenario, Stretch
from mycelium.simulator.state import State, StateError

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)
SCENARIO = Scenario(1, 20, 90, UNTIL, ("demo@example.org",))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = State.new(SCENARIO)
    state.lease(UNTIL, 1.0, UNTIL + timedelta(seconds=10))
    state.published = UNTIL
    state.save(tmp_path / "state.json")
    assert State.load(tmp_path / "state.json") == state
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_nothing_is_published_at_first() -> None:
    assert State.new(SCENARIO).published == UNTIL - timedelta(days=90)


def test_a_lease_is_prolonged_and_other_stretches_are_kept() -> None:
    state = State.new(SCENARIO)
    later = UNTIL + timedelta(hours=1)
    state.lease(UNTIL, 1.0, UNTIL + timedelta(seconds=10))
    state.lease(later, 2.0, later + timedelta(seconds=10))
    state.lease(later, 2.0, later + timedelta(seconds=20))
    assert state.stretches == [
        Stretch(UNTIL, 1.0, UNTIL + timedelta(seconds=10)),
        Stretch(later, 2.0, later + timedelta(seconds=20)),
    ]


def test_no_email_is_in_the_file(tmp_path: Path) -> None:
    State.new(SCENARIO).save(tmp_path / "state.json")
    assert "demo@" not in (tmp_path / "state.json").read_text()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"fingerprint": 1}'])
def test_another_file_is_named_in_the_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"other\.json is not a state file of the simulator"):
        State.load(path)
