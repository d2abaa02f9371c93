"""The embedded database, started for real."""

import os
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from mycelium.stack import mongod
from mycelium.stack.errors import StackError
from mycelium.stack.ports import free_ports
from shared.plumbing import mongo
from tests.servers.embedded import kept


async def test_the_same_files_are_served_on_another_port(tmp_path: Path) -> None:
    data = tmp_path / "mongo"
    data.mkdir()
    for start, port in enumerate(free_ports(2)):
        async with kept(mongod.program(mongod.find(), data, port), tmp_path):
            client = mongo.connect(mongod.url(port))
            await client["test"]["starts"].insert_one({"start": start})
            found = [document["start"] async for document in client["test"]["starts"].find()]
            client.close()
    assert found == [0, 1]


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(StackError, match="No MongoDB answers") as caught:
        mongod.check("mongodb://ada:secret@127.0.0.1:1/")
    assert "secret" not in str(caught.value)


def test_a_mongod_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "mongod"
    own.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mongod.find() == own


def test_the_run_bit_that_installers_drop_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = tmp_path / "mongod"
    bundled.touch(mode=0o644)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(mongod, "_bundled", lambda _package: bundled)
    assert mongod.find() == bundled
    assert os.access(bundled, os.X_OK)


def test_none_at_all_is_said_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(package: str) -> None:
        raise PackageNotFoundError(package)

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(mongod, "files", none)
    with pytest.raises(StackError, match=r"no mongod for this system.*--mongo"):
        mongod.find()
