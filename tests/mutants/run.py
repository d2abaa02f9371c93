"""`python -m tests.mutants.run [NAME…]`: plants one bug after the other, and says which ones the tests let pass.

The bugs are planted in a copy. The exit code is 1 if one survives, or if its tests fail without it or do not run.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from typer import echo

from tests.mutants import doors, events, money
from tests.mutants.mutation import Mutation, StaleMutationError

ROOT: Final = Path(__file__).parents[2]
MUTATIONS: Final = sorted((*events.MUTATIONS, *money.MUTATIONS, *doors.MUTATIONS), key=lambda each: each.needs_servers)
_NEEDED: Final = ("services", "shared", "mycelium", "tests", "pyproject.toml")
_PYTEST: Final = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider")
_PASSED, _FAILED = 0, 1  # any other exit code of pytest means that the tests did not run


def main(names: Collection[str]) -> int:
    """Plants the mutations of these names, or all of them; the exit code."""
    chosen = [mutation for mutation in MUTATIONS if not names or mutation.name in names]
    if unknown := {*names} - {mutation.name for mutation in chosen}:
        echo(f"There is no mutation {', '.join(sorted(unknown))}; their names are in tests/mutants.")
        return 1
    with TemporaryDirectory(prefix="mutants-") as folder:
        tree = _copied(Path(folder))
        if _outcome(tree, sorted({test for mutation in chosen for test in mutation.tests})) != _PASSED:
            echo("These tests do not pass as it is; nothing can be said of the mutations.")
            return 1
        survivors = [mutation.name for mutation in chosen if not _is_caught(tree, mutation)]
    echo(f"{len(chosen) - len(survivors)} of {len(chosen)} caught." + "".join(f"\nNot caught: {n}" for n in survivors))
    return 1 if survivors else 0


def _copied(tree: Path) -> Path:
    for name in _NEEDED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tree / name)
    return tree


def _is_caught(tree: Path, mutation: Mutation) -> bool:
    """Whether the mutation's tests fail with it. The file is as it was afterwards."""
    file, started = tree / mutation.file, time.monotonic()
    original = file.read_text(encoding="utf-8")
    try:
        file.write_text(mutation.applied(tree), encoding="utf-8")
        outcome = _outcome(tree, mutation.tests, expected=(_PASSED, _FAILED))
    except StaleMutationError as error:
        echo(str(error))
        return False
    finally:
        file.write_text(original, encoding="utf-8")
    said = {_PASSED: "survived", _FAILED: "caught"}.get(outcome, "does not run")
    echo(f"{said:12} {time.monotonic() - started:5.1f} s  {mutation.name}")
    return outcome == _FAILED


def _outcome(tree: Path, tests: Sequence[str], *, expected: Collection[int] = (_PASSED,)) -> int:
    """pytest's exit code; its output is shown where that is not one of `expected`.

    No bytecode is written: it could be taken for that of another mutation of the same second. With CI set, Hypothesis
    tries the same examples every time.
    """
    given = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
    command = [sys.executable, *_PYTEST, *tests]
    ran = subprocess.run(command, cwd=tree, env=given, capture_output=True, text=True, check=False)
    if ran.returncode not in expected:
        echo(ran.stdout + ran.stderr)
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
