"""Real processes under faults, and whether anything was lost or doubled: docs/faults.md.

    python -m tests.chaos --seed 7 --faults 200 --events 200000 --kafka apache

ends with 0 if nothing was, and with 1, the seed and what differs if anything was.
"""

import argparse
import asyncio
import logging
import secrets
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from tests.chaos.run import Report, run

_FIRST_WRONG = 30


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="default: a new one")
    parser.add_argument("--faults", type=int, default=17, help="how many; each 17 hold every kind (default: 17)")
    parser.add_argument("--events", type=int, default=3_000, help="of the simulator (default: 3000)")
    parser.add_argument("--kafka", choices=("embedded", "apache"), default="embedded")
    return parser.parse_args()


def _shown(report: Report) -> str:
    lines = [f"{number:4d}  {kind}" for kind, number in sorted(report.faults.items())]
    slowest, middle = max(report.recoveries), sorted(report.recoveries)[len(report.recoveries) // 2]
    return "\n".join(
        [
            f"seed {report.seed}, {report.kafka} broker, {timedelta(seconds=round(report.seconds))}",
            f"{report.faults.total():4d}  faults of the {report.planned} planned, in {len(report.recoveries)} episodes",
            *(f"  {line}" for line in lines),
            f"{report.records:,} records of {report.users} users, {report.hostile:,} of them hostile; "
            f"{report.again:,} published again",
            f"dead letters of the last broker: {dict(report.letters)}",
            f"all ready again after {middle:.1f} s in the middle, {slowest:.1f} s at worst",
            f"ended by themselves: {dict(report.ended) or 'none'}",
        ]
    )


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Runs it and prints the report; the exit code."""
    given = _arguments()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    folder, began = Path(tempfile.mkdtemp(prefix="chaos-")), time.monotonic()

    def say(text: str) -> None:
        _print(f"{time.monotonic() - began:6.1f} s  {text}")

    _print(f"seed {given.seed}")
    again = f"--seed {given.seed} --faults {given.faults} --events {given.events} --kafka {given.kafka}"
    try:
        report = asyncio.run(run(given.seed, given.faults, given.events, given.kafka, folder, say))
    except BaseException:
        _print(f"FAILED. The logs are in {folder}. Again: python -m tests.chaos {again}")
        raise
    _print(_shown(report))
    if report.wrong:
        _print("\n".join(report.wrong[:_FIRST_WRONG]))
        _print(f"FAILED: {len(report.wrong)} differences. Logs: {folder}. Again: python -m tests.chaos {again}")
        return 1
    shutil.rmtree(folder)
    _print("Nothing lost, nothing doubled.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
