"""The command line, as far as it can be seen without starting anything."""

import re

import pytest
from typer.testing import CliRunner

from mycelium.cli import app


def run(*arguments: str) -> tuple[int, str]:
    """Exit code, and what was printed without its colours."""
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb"})
    return result.exit_code, re.sub(r"\x1b\[[0-9;]*m", "", result.output)


def test_the_help_names_every_command() -> None:
    code, shown = run("--help")
    assert code == 0
    for command in ("up", "simulate", "check"):
        assert re.search(rf"│ {command} +\S", shown)


def test_no_argument_at_all_shows_the_help() -> None:
    assert "mycelium up --demo" in run()[1]


def test_the_options_of_up_are_the_contracts() -> None:
    code, shown = run("up", "--help")
    assert code == 0
    for option in ("--demo", "--no-demo", "--port", "--data-dir", "--kafka", "--mongo"):
        assert option in shown
    for default in ("no-demo", "8000", ".mycelium"):
        assert f"[default: {default}]" in shown


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_a_wrong_port_is_named(port: str) -> None:
    code, shown = run("up", "--port", port)
    assert code == 2
    assert "'--port'" in shown
