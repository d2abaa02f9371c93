"""The search of the run's logs finds what it is there for."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.leaks import find_leaks

ROOT = Path(__file__).parents[2]
CONFTEST = "from tests.leaks import no_leaks\n"
TEST = """
from pydantic import SecretStr
from shared.plumbing.logs import get

def test_that_logs():
    password = SecretStr("correct horse battery")
    get(__name__).warning("happened", what={what})
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that this run's own search does not reach."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def at(folder: Path, name: str, content: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"event":"x","user":"ada@example.test"}', "an email"),
        ("GET /profiles/ada.b+c@mail.example.org", "an email"),
        ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2ln", "a token"),
        ("password=correct horse battery", "a secret"),
        ("key kept-by-a-stack-0123456789", "a secret"),
    ],
)
@pytest.mark.parametrize("name", ["gateway.log", "data/logs/gateway.log.1"])
def test_a_leak_is_found_in_any_log(folder: Path, name: str, line: str, kind: str) -> None:
    at(folder, "data/secrets.json", '{"TOKEN_KEY": "kept-by-a-stack-0123456789"}')
    at(folder, name, f"good\n{line}\ngood\n")
    (leak,) = find_leaks(folder, ["correct horse battery", "short"])
    assert leak.startswith(f"{folder / name}:2 holds {kind}")


def test_what_is_no_leak_is_left_alone(folder: Path) -> None:
    at(folder, "gateway.log", '{"event":"starting","at":["a.py:7 f"],"path":"x@y","short":"eyJ"}\n' * 3)
    at(folder, "ledger.jsonl", "ada@example.test")
    assert find_leaks(folder, ["short", "aaaaaaaaaaaaaaaaaa", "12345678"]) == []


@pytest.mark.parametrize(
    ("what", "code"),
    [("'nothing'", 0), ("'ada@example.test'", 1), ("password.get_secret_value()", 1)],
)
async def test_a_run_that_logs_one_fails(folder: Path, what: str, code: int) -> None:
    at(folder, "conftest.py", CONFTEST)
    at(folder, "test_logs.py", TEST.format(what=what))
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(folder), str(folder))
    pipe = asyncio.subprocess.PIPE
    options = ("--basetemp", str(folder / "run"))
    process = await asyncio.create_subprocess_exec(*argv, *options, cwd=ROOT, stdout=pipe, stderr=pipe)
    said, _ = await process.communicate()
    assert process.returncode == code, said.decode()
    assert (b"hold what no log may hold" in said) == bool(code)
