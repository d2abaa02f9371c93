"""Learning is done by one process at a time, and whatever ends it, there is a whole model."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL, SIGTERM

from services.analytics.domain.model import Model, to_documents
from services.analytics.learning import Learning, Lease
from services.analytics.models import Models
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from tests.servers.processes import ServiceProcess, service_process
from tests.waiting import eventually

THEN = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAST = datetime(2020, 1, 1, tzinfo=UTC)
Given = dict[str, object]


async def test_one_process_has_the_lease_until_it_gives_it_back_or_dies(database: Database) -> None:
    one, other = Lease(database, 900), Lease(database, 900)
    assert await one.take()
    assert not await other.take()
    assert not await one.take(), "nor the same process twice"
    await run_out(database, "until")
    assert await other.take(), "it ran out"
    await one.done()
    await one.renew()
    await run_out(database, "until")
    assert await one.take(), "what was given back by one was not the other's"


async def test_it_is_not_learnt_again_before_it_is_time_to(database: Database) -> None:
    lease = Lease(database, 900)
    waits = []
    for ago in (0, 100, 5_000):
        await database["learning"].update_one({}, {"$set": {"began": datetime.now(UTC) - timedelta(seconds=ago)}})
        assert await lease.take()
        await lease.done()
        assert not await lease.take()
        state = await database["learning"].find_one({})
        assert state is not None
        waits.append(round((state["due"] - state["until"]).total_seconds()))
        await run_out(database, "due")
    assert waits == [30, 100, 900], "often to begin with"


async def test_a_model_that_is_not_stored_to_its_end_does_not_count(database: Database) -> None:
    models = Models(database)
    old = Model(THEN, buyers={"anvil": 7})
    new = Model(THEN + timedelta(hours=1), buyers={f"product-{n}": 5 for n in range(1_500)})
    assert await models.newer_than(None) is None
    await models.store(old)
    parts = list(to_documents(new))
    assert len(parts) == 2
    await database["models"].insert_one(parts[0])
    assert await models.newer_than(None) == old
    assert await models.newer_than(old.made) is None
    await database["models"].insert_one(parts[1])
    assert await models.newer_than(old.made) == new
    last = Model(THEN + timedelta(hours=2), buyers={"anvil": 8})
    await models.store(last)
    assert await models.newer_than(THEN) == last
    assert await database["models"].count_documents({}) == 1, "what is older is removed, whole or not"


async def test_learning_that_fails_leaves_what_there_was_and_is_tried_again(database: Database, mongo_url: str) -> None:
    await Models(database).store(old := Model(PAST, buyers={"anvil": 7}))
    async with learning(Learning(database, "nonsense", 0.1)):
        await eventually(lambda: has(database, "learning", {"until": {"$exists": True}}), what="it was tried")
    assert await Models(database).newer_than(None) == old
    assert not await has(database, "learning", {"due": {"$exists": True}})
    await run_out(database, "until")
    async with learning(Learning(database, mongo_url, 0.1)):
        await eventually(lambda: has(database, "learning", {"due": {"$exists": True}}), timeout=60, what="it is learnt")
    new = await Models(database).newer_than(PAST)
    assert new is not None
    assert new.buyers == {}


async def test_to_stop_does_not_wait_until_it_is_learnt(database: Database, mongo_url: str) -> None:
    silent = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=60000"
    async with learning(Learning(database, silent, 0.1)) as stop:
        await eventually(lambda: has(database, "learning", {"until": {"$exists": True}}), what="it is being tried")
        async with asyncio.timeout(30):
            await stop()


async def test_of_two_processes_one_learns_and_both_know_it(
    mongo_url: str, client_settings: Given, tmp_path: Path
) -> None:
    client = mongo.connect(mongo_url)
    models, state = client["analytics"]["models"], client["analytics"]["learning"]
    await models.delete_many({})
    await state.delete_many({})
    settings = {**client_settings, "mongo_url": mongo_url}
    async with (
        service_process("analytics", settings, tmp_path / "one.log") as one,
        service_process("analytics", settings, tmp_path / "other.log") as other,
    ):
        await start(one, other)
        await eventually(lambda: has(client["analytics"], "learning", {"due": {"$exists": True}}), timeout=60)
        assert len(await models.distinct("made")) == 1
        await other.signal(SIGKILL)
        await state.update_one({}, {"$set": {"due": PAST, "until": PAST}})
        (made,) = await models.distinct("made")
        await eventually(lambda: has(client["analytics"], "models", {"made": {"$gt": made}}), timeout=60)
        assert await one.signal(SIGTERM) == 0
    client.close()


@asynccontextmanager
async def learning(job: Learning) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """The job, running; it is stopped by what this gives, or at the end."""
    running = asyncio.create_task(job.run())

    async def stop() -> None:
        job.stop()
        await running

    try:
        yield stop
    finally:
        await stop()


async def start(*processes: ServiceProcess) -> None:
    for process in processes:
        await process.start()
    for process in processes:
        await process.ready()


async def has(database: Database, collection: str, what: dict[str, object]) -> bool:
    return await database[collection].find_one(what) is not None


async def run_out(database: Database, name: str) -> None:
    await database["learning"].update_one({}, {"$set": {name: PAST}})
