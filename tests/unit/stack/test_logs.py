"""The log files, and what the end of one tells."""

from pathlib import Path

import pytest

from mycelium.stack.logs import fresh_log, why_it_ended


def test_the_log_of_the_start_before_is_kept_and_no_other(tmp_path: Path) -> None:
    for start in ("first", "second", "third"):
        fresh_log(tmp_path, "activity").write_text(start)
    assert (tmp_path / "activity.log").read_text() == "third"
    assert (tmp_path / "activity.log.1").read_text() == "second"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("logged", "told"),
    [
        (
            "mongod: error while loading shared libraries: libcurl.so.4: cannot open shared object file: No such file",
            "needs the library libcurl.so.4, which this system does not have. On Debian or Ubuntu: "
            "sudo apt-get install libcurl4",
        ),
        ("x: error while loading shared libraries: libssl.so.3: cannot open", "sudo apt-get install libssl3"),
        ("x: error while loading shared libraries: libfoo.so.1: cannot open", "Install the package that has it."),
        ("mongod: /lib/libc.so.6: version `GLIBC_2.34' not found (required by mongod)", "needs GLIBC_2.34, which is"),
        ("one\ntwo\n\n", "mongod ended with code 1 before it was ready."),
        ("one\ntwo\n\n", "says: two"),
        ("", "says: nothing was logged"),
    ],
)
def test_why_it_ended(tmp_path: Path, logged: str, told: str) -> None:
    log = tmp_path / "mongod.log"
    log.write_text(logged)
    assert told in why_it_ended("mongod", 1, log)
