"""`python -m bench [PART...]`: everything, or these parts, in one table. The exit code is 1 if a gate is not met.

No gate is a time.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import (
    analytics,
    analytics_forecast,
    analytics_recommend,
    analytics_refresh,
    analytics_truth,
    dashboard,
    first_page,
    history,
    ingest,
    overview,
    pages,
    purchases,
    streams,
)
from bench.table import Row, table
from tests.servers.embedded import embedded_mongo

_WIDTH = 132  # where there is no terminal to ask

Part = Callable[[Path], Awaitable[list[Row]]]


def _on_mongo(part: Callable[[str], Awaitable[list[Row]]]) -> Part:
    async def on_a_mongo_of_its_own(folder: Path) -> list[Row]:
        async with embedded_mongo(folder) as url:
            return await part(url)

    return on_a_mongo_of_its_own


async def _ingest(folder: Path) -> list[Row]:
    async with embedded_mongo(folder) as url:
        return await ingest.rows(folder, url)


async def _recommendations(_: Path) -> list[Row]:
    return await asyncio.to_thread(analytics_recommend.rows)


async def _forecasts(_: Path) -> list[Row]:
    return list(analytics_forecast.rows(await asyncio.to_thread(analytics_forecast.outcomes)))


PARTS: Final[Mapping[str, Part]] = {
    "ingest": _ingest,
    "history": _on_mongo(history.rows),
    "purchases": _on_mongo(purchases.rows),
    "analytics": _on_mongo(analytics.rows),
    "truth": _on_mongo(analytics_truth.rows),
    "refresh": _on_mongo(analytics_refresh.rows),
    "recommendations": _recommendations,
    "forecasts": _forecasts,
    "answers": dashboard.rows,
    "overview": overview.rows,
    "streams": streams.rows,
    "first-page": first_page.rows,
    "pages": pages.rows,
}


async def main(names: Sequence[str]) -> int:
    """Runs the parts on servers of their own, prints the table, and returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    found: list[Row] = []
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, console.status("") as status:
        for part in names:
            status.update(f"{part}, after {time.monotonic() - started:.0f} s")
            folder = Path(name) / part
            folder.mkdir()
            found += await PARTS[part](folder)
    console.print(table(found))
    console.print(f"{len(found)} lines in {time.monotonic() - started:.0f} s")
    return int(any(row.gate and not row.met for row in found))


if __name__ == "__main__":  # the processes that the forecasts are made in import this too
    if unknown := sys.argv[1:] and set(sys.argv[1:]) - PARTS.keys():
        sys.exit(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    sys.exit(asyncio.run(main(sys.argv[1:] or list(PARTS))))
