"""`python -m bench`: everything in one table. The exit code is 1 if a gate is not met; no gate is a time."""

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench import (
    analytics,
    analytics_forecast,
    analytics_recommend,
    analytics_refresh,
    analytics_truth,
    dashboard,
    history,
    ingest,
    overview,
    pages,
    purchases,
)
from bench.table import Row, of_activity, of_analytics, of_purchases, of_the_stack, table
from mycelium.stack import broker
from mycelium.stack.services import environment
from tests.servers.embedded import embedded_kafka, embedded_mongo

_WIDTH = 132  # where there is no terminal to ask


async def main() -> int:
    """Runs everything on servers of its own, prints the table, and returns the exit code."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, console.status("") as status:
        folder = Path(name)
        async with embedded_mongo(folder) as mongo_url, embedded_kafka(folder) as kafka:
            status.update("Ingest: the contenders, in turns")
            servers = {"KAFKA_BOOTSTRAP_SERVERS": kafka, "MONGO_URL": mongo_url, "INTERNAL_KEY": secrets.token_hex(32)}
            results = await ingest.results(environment() | broker.CLIENT_SETTINGS | servers | {"LOG_LEVEL": "WARNING"})
            status.update("What an event costs, by the history behind it")
            found += of_activity(results, await history.costs(mongo_url))
            status.update("Purchases: in, and out again")
            found += of_purchases(await purchases.costs(mongo_url))
            status.update("Analytics: in, worked out, and out again")
            found += of_analytics(await analytics.costs(mongo_url))
            status.update("Analytics: the figures against the ledger")
            found += await analytics_truth.rows(mongo_url)
            status.update("Analytics: learning from 10,000 users")
            found += await analytics_refresh.rows(mongo_url)
        status.update("Analytics: the recommendations")
        found += await asyncio.to_thread(analytics_recommend.rows)
        status.update("Analytics: the forecasts")
        found += analytics_forecast.rows(await asyncio.to_thread(analytics_forecast.outcomes))
        status.update("The whole stack: answers and memory")
        found += of_the_stack(await dashboard.seen(folder / "stack"))
        status.update("The overview and the streams")
        found += await overview.rows(folder / "overview")
        status.update("The pages of a user with 10,000 purchases")
        found += await pages.rows(folder / "pages")
    console.print(table(found))
    return int(any(row.gate and not row.met for row in found))


if __name__ == "__main__":  # the processes that the forecasts are made in import this too
    sys.exit(asyncio.run(main()))
