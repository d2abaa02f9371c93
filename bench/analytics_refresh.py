"""What it takes to learn from 10,000 users: from the service's documents in Mongo to the model and the cohorts there.

The documents are those of fifty simulated users, who live for half a year, each copied two hundred times; the copies
take turns with nine copies of the catalogue.
"""

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from pymongo import MongoClient

from bench.analytics import Service
from bench.contestants import ANALYTICS_INDEXES
from bench.table import Row
from mycelium.simulator import Scenario, history
from services.analytics.learn import learn
from shared.contracts.catalog import ProductListed
from shared.contracts.identity import UserRegistered
from shared.contracts.marketplace import ProductViewed, PurchaseCreated, PurchaseRated, PurchaseStatusChanged
from shared.contracts.reading import AnyEvent
from shared.plumbing import mongo
from shared.plumbing.mongo import Document

_USERS, _COPIES, _CATALOGUES = 50, 200, 9
_SCENARIO: Final = Scenario(seed=21, users=_USERS, days=180, until=datetime.now(UTC))
_TOLD: Final = (ProductListed, ProductViewed, PurchaseCreated, PurchaseRated, PurchaseStatusChanged, UserRegistered)
_BATCH: Final = 1_000
_SMALL, _LARGE = "bench_refresh_of", "bench_refresh"
_SECONDS, _MEGABYTES = 60, 500
_BY_USER: Final = ("views", "purchases")


async def rows(mongo_url: str) -> list[Row]:
    """The lines of the table."""
    client = mongo.connect(mongo_url)
    await _simulate(mongo_url)
    await asyncio.to_thread(_copy, mongo_url)
    looks, purchases = [await client[_LARGE][name].estimated_document_count() for name in _BY_USER]
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_refresh, args=(theirs, mongo_url))
    process.start()
    theirs.close()  # so that we hear of its end
    seconds, peak = await asyncio.to_thread(ours.recv)
    await asyncio.to_thread(process.join)
    tables = await client[_LARGE]["cohorts"].count_documents({"cuts": {"$ne": None}})
    model = (await client[_LARGE].command("collStats", "models"))["size"] / 1e6
    for name in (_SMALL, _LARGE):
        await client.drop_database(name)
    client.close()
    assert tables, "nothing was compared"
    size = f"{_USERS * _COPIES:,} users, {looks:,} looks and {purchases:,} purchases"
    return list(_rows(size, seconds, peak, model))


def _rows(size: str, seconds: float, peak: float, model: float) -> Iterator[Row]:
    yield Row(
        f"Refresh of model and cohorts: {size}", f"{seconds:.1f} s", "", "", f"< {_SECONDS} s", seconds < _SECONDS
    )
    yield Row("Memory of the process that does it", f"{peak:.0f} MB", "", "", f"< {_MEGABYTES} MB", peak < _MEGABYTES)
    yield Row("The model, stored", f"{model:.1f} MB", "", "")


async def _simulate(mongo_url: str) -> None:
    client = mongo.connect(mongo_url)
    await mongo.ensure_indexes(client[_SMALL], ANALYTICS_INDEXES)
    service = Service(client[_SMALL])
    events: list[AnyEvent] = [event for _, event in history(_SCENARIO) if isinstance(event.data, _TOLD)]
    for start in range(0, len(events), _BATCH):
        await service.apply(events[start : start + _BATCH])
    await service.reckoning.work_off()
    client.close()


def _copy(mongo_url: str) -> None:
    """In Mongo itself, which is far quicker than we are, but not as quick as the service's client wants an answer."""
    client: MongoClient[Document] = MongoClient(mongo_url)
    number: Document = {"$toString": "$copy"}
    catalogue: Document = {"$toString": {"$mod": ["$copy", _CATALOGUES]}}
    id_, user = {"$concat": ["$_id", "-", number]}, {"$concat": [number, "-", "$user"]}
    product = {"$concat": ["$product_id", "-", catalogue]}
    copied = {
        "products": (_CATALOGUES, {"_id": id_}),
        "users": (_COPIES, {"_id": {"$concat": [number, "-", "$_id"]}}),
        **dict.fromkeys(_BY_USER, (_COPIES, {"_id": id_, "user": user, "product_id": product})),
    }
    for name, (copies, anew) in copied.items():
        stages: list[Document] = [
            {"$set": {"copy": {"$range": [0, copies]}}},
            {"$unwind": "$copy"},
            {"$set": anew},
            {"$unset": "copy"},
            {"$out": {"db": _LARGE, "coll": name}},
        ]
        client[_SMALL][name].aggregate(stages)
    client.close()


def _refresh(answer: Connection, mongo_url: str) -> None:
    asyncio.run(_measured(answer, mongo_url))


async def _measured(answer: Connection, mongo_url: str) -> None:
    client = mongo.connect(mongo_url)
    started = time.perf_counter()
    await learn(client[_LARGE])
    answer.send((time.perf_counter() - started, _peak_megabytes()))
    client.close()


def _peak_megabytes() -> float:
    """The most megabytes that this process has held; `getrusage` would tell of its parent as well."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) * 1024 / 1e6
