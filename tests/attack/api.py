"""The whole OpenAPI document, as schemathesis makes requests of it."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import orjson

from tests.attack.target import SEED, TIMES, Target
from tests.servers.dashboard import User

_HERE: Final = Path(__file__).parent
ENDING: Final = ("log_out", "end", "erase", "change_password")  # what may end the session that it is asked by


async def schemathesis(target: Target, user: User, phases: str, examples: int, *chosen: str) -> None:
    """Raises AssertionError with schemathesis' report if it finds a fault; `chosen` are options that choose operations.

    Each operation gets `examples` requests in a phase that has no number of its own.
    """
    document = target.up.data / "openapi.json"
    document.write_bytes(orjson.dumps(target.site.description))
    argv = (
        *("--config-file", str(_HERE / "schemathesis.toml"), "run", str(document), "--url", target.site.url),
        *("--header", f"Authorization: Bearer {user.token}", "--phases", phases, "--max-examples", str(examples)),
        *("--seed", str(SEED), "--workers", "2", "--request-timeout", "60", "--continue-on-failure", "--no-color"),
        *("--warnings", "off", "--suppress-health-check", "all", *(() if TIMES > 1 else ("--no-shrink",)), *chosen),
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", *argv),
        cwd=target.up.data,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.attack.hooks", "PYTHONPATH": str(_HERE.parents[1])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    report, _ = await process.communicate()
    assert process.returncode == 0, report.decode()


def only(*operations: str) -> tuple[str, ...]:
    """The options that choose operations by their ids."""
    return tuple(option for name in operations for option in ("--include-operation-id", name))


def without(*operations: str) -> tuple[str, ...]:
    """The options that leave operations out by their ids."""
    return tuple(option for name in operations for option in ("--exclude-operation-id", name))
