"""The data directory: one stack at a time holds it, and what it keeps is its owner's alone."""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mycelium.stack.errors import StackError
from services.purchases.vault.make_keys import make_keys

# How many random bytes each is made of. They are made at the first start and kept, so that tokens stay valid.
_SECRETS = {"INTERNAL_KEY": 48, "TOKEN_KEY": 48, "EXPORT_KEY": 48, "DEMO_PASSWORD": 12}


@dataclass(frozen=True)
class DataDir:
    """The paths of what a stack keeps."""

    path: Path

    @property
    def mongo(self) -> Path:
        """Where the embedded database keeps its files."""
        return self.path / "mongo"

    @property
    def logs(self) -> Path:
        """Where every process has its log, and the one of the start before."""
        return self.path / "logs"

    @property
    def stack_json(self) -> Path:
        """What runs where. It exists while the stack is up."""
        return self.path / "stack.json"

    @property
    def carried(self) -> Path:
        """The records that the embedded broker still held when it was ended."""
        return self.path / "carried.jsonl"

    @property
    def demo_json(self) -> Path:
        """How far the simulator has come."""
        return self.path / "demo.json"

    def secrets(self) -> dict[str, str]:
        """The keys of the processes and DEMO_PASSWORD; those that are missing are made. Raises StackError."""
        path = self.path / "secrets.json"
        known = read_json(path)
        wanted = {name: known.get(name) or secrets.token_urlsafe(size) for name, size in _SECRETS.items()}
        wanted |= {name: known.get(name) or made for name, made in make_keys().items()}
        if wanted != known:
            write_json(path, wanted)
        return wanted


@contextmanager
def hold(path: Path) -> Iterator[DataDir]:
    """The data directory at `path`, made if it is missing, for this process alone until the end of the block.

    Raises StackError if another process holds it or it cannot be used.
    """
    try:
        _make_private(path)
        lock = (path / "lock").open("a+")
    except OSError as error:
        raise StackError(
            f"The data directory {path} cannot be used: {error.strerror}. Name another with --data-dir."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"Another stack (process {lock.read().strip()}) runs on the data directory {path}. "
                "End it, or name another directory with --data-dir."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        data = DataDir(path.resolve())
        for folder in (data.mongo, data.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        data.stack_json.unlink(missing_ok=True)  # of a stack that was killed
        yield data


def _make_private(path: Path) -> None:
    """A directory that already has something of somebody else's in it is left as it is."""
    path.mkdir(parents=True, exist_ok=True)
    if (path / "lock").exists() or not any(path.iterdir()):
        path.chmod(0o700)


def read_json(path: Path) -> dict[str, Any]:  # Any: what a file of ours holds is known where it is read
    """The JSON object in `path`; an empty one if there is no such file. Raises StackError if it holds anything else."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StackError(f"{path} does not hold what was written to it. Move it away and start again.")
    return found


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Replaces `path` in one step, so that nobody reads half of it; only its owner may read it at all."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
