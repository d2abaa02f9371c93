"""The log files of the stack: one for each process, and the one of the start before."""

import re
from pathlib import Path

_TAIL_BYTES = 4_000
_MISSING_LIBRARY = re.compile(r"error while loading shared libraries: (\S+?):")
_OLD_LIBC = re.compile(r"version `?'?(GLIBC(?:XX)?_[0-9.]+)'? not found")
_DEBIAN_PACKAGES = {"libcurl.so.4": "libcurl4", "libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3"}


def fresh_log(folder: Path, name: str) -> Path:
    """The path of an empty log for `name`; what the start before has written is kept beside it as `<name>.log.1`."""
    path = folder / f"{name}.log"
    if path.exists():
        path.replace(folder / f"{name}.log.1")
    path.touch(mode=0o600)
    return path


def why_it_ended(name: str, code: int, log: Path) -> str:
    """In plain words why a program could not be started, and what to do, as far as the end of its log tells."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        tail = file.read().decode(errors="replace")
    if missing := _MISSING_LIBRARY.search(tail):
        library = missing[1]
        package = _DEBIAN_PACKAGES.get(library)
        how = f"On Debian or Ubuntu: sudo apt-get install {package}" if package else "Install the package that has it."
        return f"{name} needs the library {library}, which this system does not have. {how}"
    if old := _OLD_LIBC.search(tail):
        return (
            f"{name} needs {old[1]}, which is newer than this system's. Use Debian 12, Ubuntu 22.04 or newer, "
            "or name servers that run elsewhere with --kafka and --mongo."
        )
    lines = [line.strip() for line in tail.splitlines() if line.strip()] or ["nothing was logged"]
    telling = next((line for line in reversed(lines) if '"level": "error"' in line), lines[-1])
    return f"{name} ended with code {code} before it was ready. Its log {log} says: {telling[:300]}"
