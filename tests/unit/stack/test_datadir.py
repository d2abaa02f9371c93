"""The data directory: who holds it, who may read it, what is kept in it."""

import stat
from pathlib import Path

import pytest

from mycelium.stack.datadir import hold, read_json, write_json
from mycelium.stack.errors import StackError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_made_and_is_its_owners_alone(tmp_path: Path) -> None:
    with hold(tmp_path / "deep" / "data") as data:
        data.secrets()
        assert mode(data.path) == mode(data.mongo) == mode(data.logs) == 0o700
        assert mode(data.path / "secrets.json") == 0o600


def test_an_empty_directory_that_was_there_becomes_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with hold(tmp_path):
        assert mode(tmp_path) == 0o700


def test_a_directory_that_holds_other_things_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    tmp_path.chmod(0o755)
    with hold(tmp_path) as data:
        data.secrets()
        assert mode(tmp_path) == 0o755
        assert mode(data.mongo) == 0o700


def test_only_one_at_a_time_holds_it(tmp_path: Path) -> None:
    with hold(tmp_path), pytest.raises(StackError, match=r"Another stack \(process \d+\).*--data-dir"), hold(tmp_path):
        pass
    with hold(tmp_path):
        pass


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"file cannot be used.*--data-dir"), hold(tmp_path / "file"):
        pass


def test_what_a_killed_stack_said_of_itself_is_gone(tmp_path: Path) -> None:
    with hold(tmp_path) as data:
        write_json(data.stack_json, {"gateway": "gone"})
    with hold(tmp_path) as data:
        assert not data.stack_json.exists()


def test_secrets_are_made_once(tmp_path: Path) -> None:
    with hold(tmp_path) as data:
        first = data.secrets()
        assert data.secrets() == first
    assert {"INTERNAL_KEY", "TOKEN_KEY", "DEMO_PASSWORD"} <= set(first)
    assert len(set(first.values())) == len(first)
    assert min(map(len, first.values())) >= 16


def test_a_secret_that_is_missing_is_added_to_the_others(tmp_path: Path) -> None:
    with hold(tmp_path) as data:
        first = data.secrets()
        write_json(tmp_path / "secrets.json", {"TOKEN_KEY": first["TOKEN_KEY"]})
        second = data.secrets()
    assert second["TOKEN_KEY"] == first["TOKEN_KEY"]
    assert second["INTERNAL_KEY"] != first["INTERNAL_KEY"]


@pytest.mark.parametrize("content", ["", "[1]", "{"])
def test_a_spoilt_file_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    path = tmp_path / "spoilt.json"
    path.write_text(content)
    with pytest.raises(StackError, match=r"spoilt\.json does not hold"):
        read_json(path)


def test_writing_replaces_in_one_step_and_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    (tmp_path / "file.new").write_text("of a crash")
    write_json(path, {"a": 1})
    write_json(path, {"a": 2})
    assert read_json(path) == {"a": 2}
    assert list(tmp_path.iterdir()) == [path]
    assert mode(path) == 0o600
