"""Learning from what everybody does, again and again, by one process at a time, whichever replica that is.

Who does it holds a lease in Mongo, by Mongo's clock, which runs out if they die. To begin with it is done after as long
as it has been done for, so that a new installation has something to say soon.
"""

import asyncio
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from typing import Final
from uuid import uuid4

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from shared.plumbing.logs import get
from shared.plumbing.mongo import Database, Document
from shared.plumbing.waiting import set_within

_LOOK_SECONDS: Final = 5.0
_LEASE_SECONDS: Final = 60.0
_LEAST_SECONDS: Final = 30.0
_NOW: Final = "$$NOW"
_log = get(__name__)


class Lease:
    """The right to learn now. Every method may raise PyMongoError."""

    def __init__(self, database: Database, every_seconds: float) -> None:
        self._state = database["learning"]
        self._every_seconds = every_seconds
        self._mark = ""

    async def take(self) -> bool:
        """Whether it is time to learn, nobody else does, and we now have the right to."""
        self._mark = uuid4().hex
        is_free = {"$and": [{"$lte": ["$due", _NOW]}, {"$lte": ["$until", _NOW]}]}
        taken = {
            "mark": {"$cond": [is_free, self._mark, "$mark"]},
            "until": {"$cond": [is_free, _in(_LEASE_SECONDS), "$until"]},
            "began": {"$ifNull": ["$began", _NOW]},
        }
        after = ReturnDocument.AFTER
        state = await self._state.find_one_and_update(
            {"_id": "state"}, [{"$set": taken}], upsert=True, return_document=after
        )
        return bool(state["mark"] == self._mark)

    async def renew(self) -> None:
        """Keeps it for longer."""
        await self._change({"until": _in(_LEASE_SECONDS)})

    async def done(self) -> None:
        """Gives it back until it is time to learn again."""
        passed = {"$divide": [{"$subtract": [_NOW, "$began"]}, 1_000]}
        wait = {"$min": [self._every_seconds, {"$max": [_LEAST_SECONDS, passed]}]}
        await self._change({"until": _NOW, "due": _in(wait)})

    async def _change(self, values: Document) -> None:
        await self._state.update_one({"_id": "state", "mark": self._mark}, [{"$set": values}])


class Learning:
    """The job: learns whenever it is time to, in a process that is there only for that."""

    def __init__(self, database: Database, mongo_url: str, every_seconds: float) -> None:
        self._database, self._mongo_url = database.name, mongo_url
        self._lease = Lease(database, every_seconds)
        self._look_seconds = min(_LOOK_SECONDS, every_seconds)
        self._stopping = asyncio.Event()
        self._process: SpawnProcess | None = None

    def stop(self) -> None:
        """Ends `run` soon; what was being learnt is left to another time."""
        self._stopping.set()
        if self._process:
            self._process.terminate()

    async def run(self) -> None:
        """Learns until `stop`."""
        while not await set_within(self._stopping, self._look_seconds):
            try:
                if await self._lease.take():
                    await self._learn()
            except (PyMongoError, OSError) as error:
                _log.warning("learning_waits", error=type(error).__name__)

    async def _learn(self) -> None:
        """If it fails, it is tried again when the lease has run out."""
        arguments = (self._mongo_url, self._database)
        process = get_context("spawn").Process(target=_apart, args=arguments, daemon=True)
        process.start()
        self._process = process
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(process.sentinel, ended.set)
        try:
            while not await set_within(ended, _LEASE_SECONDS / 3):
                await self._lease.renew()
        finally:
            loop.remove_reader(process.sentinel)
            self._process = None
            process.kill()
            await asyncio.to_thread(process.join)
        if process.exitcode == 0:
            await self._lease.done()
        elif not self._stopping.is_set():
            _log.warning("learning_failed", exit_code=process.exitcode)


def _apart(mongo_url: str, database: str) -> None:
    from services.analytics.learn import learn_apart  # only there: what it needs takes much memory

    learn_apart(mongo_url, database)


def _in(seconds: object) -> Document:
    """So many seconds, which may be an expression, from now."""
    return {"$add": [_NOW, {"$multiply": [seconds, 1_000]}]}
