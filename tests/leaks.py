"""The whole run is one test more: no line that anything under test logs holds an email, a password, a token or a key.

What runs in this process is logged to a file as a service would log it; what runs in its own logs to files below the
run's folder. All of them are searched at the end.
"""

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.plumbing import logs

_EMAIL = re.compile(rb"[\w.+%-]+@[\w-]+(\.[\w-]+)+")
_TOKEN = re.compile(rb"eyJ[\w-]{8,}\.[\w-]+")
_LEAST, _LEAST_DIFFERENT = 12, 6  # shorter texts, and those of few letters, are in many a line by chance
_SHOWN = 200


def find_leaks(folder: Path, secrets: Iterable[str]) -> list[str]:
    """Where a log below `folder` holds an email, a token or one of `secrets`: the file, the line and what it is."""
    known = [secret.encode() for secret in {*secrets, *_kept_by_stacks(folder)} if _is_telling(secret)]
    paths = (path for path in folder.rglob("*.log*") if path.is_file())
    return [leak for path in sorted(paths) for leak in _in(path, known)]


def _in(path: Path, secrets: list[bytes]) -> Iterator[str]:
    content = path.read_bytes()
    in_it = [secret for secret in secrets if secret in content]
    for number, line in enumerate(content.splitlines(), start=1):
        kinds = {"an email": _EMAIL.search(line), "a token": _TOKEN.search(line)}
        kinds["a secret"] = next((match for secret in in_it if (match := re.search(re.escape(secret), line))), None)
        yield from (f"{path}:{number} holds {kind}: {line[:_SHOWN]!r}" for kind, match in kinds.items() if match)


def _kept_by_stacks(folder: Path) -> Iterator[str]:
    for path in folder.rglob("secrets.json"):
        yield from json.loads(path.read_text()).values()


def _is_telling(secret: str) -> bool:
    return len(secret) >= _LEAST and len({*secret}) >= _LEAST_DIFFERENT


@contextmanager
def noting_secrets() -> Iterator[set[str]]:
    """Every text that is made a secret meanwhile: passwords in requests, and the settings of what runs in here."""
    noted, make = set[str](), SecretStr.__init__

    def noting(secret: SecretStr, value: str) -> None:
        noted.add(value)
        make(secret, value)

    SecretStr.__init__ = noting  # type: ignore[method-assign, assignment]
    try:
        yield noted
    finally:
        SecretStr.__init__ = make  # type: ignore[method-assign]


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Logs what runs in this process to `path`, formatted as a service formats it."""
    before = logging.root.handlers
    logs.configure("tests", "INFO")
    to_file = logging.FileHandler(path)
    to_file.setFormatter(logging.root.handlers[0].formatter)
    logging.root.handlers = [*before, to_file]
    try:
        yield
    finally:
        logging.root.removeHandler(to_file)
        to_file.close()


@pytest.fixture(scope="session", autouse=True)
def no_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fails the run if anything that was logged in it holds what no log may hold."""
    path = tmp_path_factory.mktemp("logged") / "tests.log"
    with noting_secrets() as secrets, logging_to(path):
        yield
    leaks = find_leaks(tmp_path_factory.getbasetemp(), secrets)
    assert not leaks, "\n".join([f"{len(leaks)} lines that were logged hold what no log may hold:", *leaks[:50]])
