"""`python -m bench`: everything in one table. The exit code is 1 if a gate is not met; no gate is a time."""

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import dashboard, history, ingest, purchases
from bench.table import rows, table
from mycelium.stack import broker
from mycelium.stack.services import environment
from tests.servers.embedded import embedded_kafka, embedded_mongo

_WIDTH = 132  # where there is no terminal to ask


async def main() -> int:
    """Runs everything on servers of its own, prints the table, and returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, console.status("") as status:
        folder = Path(name)
        async with embedded_mongo(folder) as mongo_url, embedded_kafka(folder) as kafka:
            status.update("Ingest: the contenders, in turns")
            servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "MONGO_URL": mongo_url, "INTERNAL_KEY": secrets.token_hex(32)}
            results = await ingest.results(environment() | broker.CLIENT_SETTINGS | servers | {"LOG_LEVEL": "WARNING"})
            status.update("What an event costs, by the history behind it")
            costs = await history.costs(mongo_url)
            status.update("Purchases: in, and out again")
            bought = await purchases.costs(mongo_url)
        status.update("The whole stack: pages and memory")
        seen = await dashboard.seen(folder / "stack")
    found = rows(results, costs, bought, seen)
    console.print(table(found))
    return int(any(row.gate and not row.met for row in found))


sys.exit(asyncio.run(main()))
