"""Erasure in the plumbing: whatever breaks off is finished later, and nobody loses what came after."""

from collections.abc import AsyncIterator, Set
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from services.activity.settings import Settings
from shared.contracts.build import make_event
from shared.contracts.identity import UserErased, UserRegistered
from shared.contracts.reading import AnyEvent
from shared.contracts.times import microseconds
from shared.contracts.topics import MARKETPLACE, RECEIPTS, dead_letters
from shared.plumbing.erasure import Erasure, StillBeingErasedError
from shared.plumbing.mongo import Database
from shared.plumbing.problems import ProblemError
from shared.plumbing.publish import Publisher
from shared.plumbing.scan import records_at
from tests.servers.running import publishing
from tests.servers.traces import records_of, traces_in_records

ADA, BO = "ada@example.org", "bo@example.org"
T = datetime.now(UTC) - timedelta(hours=1)


class KilledError(Exception):
    """Stands for the end of the process."""


class Shelf:
    """Something of each user, in a collection of its own."""

    def __init__(self, database: Database) -> None:
        self._things = database["things"]
        self.dies = False

    async def put(self, *users: str) -> None:
        await self._things.insert_many([{"user": user} for user in users])

    async def erase(self, users: Set[str]) -> int:
        if self.dies:
            raise KilledError
        return int((await self._things.delete_many({"user": {"$in": list(users)}})).deleted_count)

    async def of(self, user: str) -> int:
        return await self._things.count_documents({"user": user})


class Dead(Publisher):
    """Publishes nothing."""

    async def event(self, *_: object) -> None:
        raise KilledError


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest_asyncio.fixture(loop_scope="session")
async def settings(client_settings: dict[str, object], mongo_url: str) -> Settings:
    return Settings.model_validate({**client_settings, "mongo_url": mongo_url})


@pytest_asyncio.fixture(loop_scope="session")
async def erasure(database: Database, settings: Settings, shelf: Shelf) -> AsyncIterator[Erasure]:
    async with publishing(settings) as publisher:
        erasure = Erasure("activity", settings, database, publisher, shelf.erase)
        await erasure.prepare()
        yield erasure


def at(minutes: int) -> datetime:
    return T + timedelta(minutes=minutes)


def erased(user: str, minutes: int) -> AnyEvent:
    return make_event(UserErased(user_email=user), source="/idp", time=at(minutes))


def registered(user: str, minutes: int) -> AnyEvent:
    return make_event(UserRegistered(user_email=user), source="/idp", time=at(minutes))


async def receipts(settings: Settings, event: AnyEvent) -> list[int]:
    """How many documents were removed, as each receipt for it says."""
    found = await records_of(settings.kafka_bootstrap_servers, [RECEIPTS])
    said = [orjson.loads(record.value)["data"] for record in found if record.value]
    return [data["documents"] for data in said if data["erasure_id"] == event.id]


async def test_a_record_that_is_no_longer_there_is_not_waited_for(erasure: Erasure, settings: Settings) -> None:
    await erasure.take_note([erased(ADA, 0)])
    broker = settings.kafka_bootstrap_servers
    known = (await records_of(broker, [RECEIPTS]))[-1]
    there, never = (known.topic, known.partition, known.offset), (known.topic, known.partition, 10**9)
    elsewhere = [(MARKETPLACE.name, 0, 10**9), (MARKETPLACE.name, 99, 0), ("no.such.topic", 0, 0)]
    found = await records_at(broker, [never, *elsewhere, there])
    assert [(each.partition, each.offset, each.value) for each in found] == [(*there[1:], known.value)]


async def test_the_receipt_comes_last_and_says_how_much_it_was(
    erasure: Erasure, settings: Settings, shelf: Shelf
) -> None:
    await shelf.put(ADA, ADA, BO)
    gone = erased(ADA, 0)
    await erasure.take_note([gone])
    assert (await shelf.of(ADA), await shelf.of(BO)) == (0, 1)
    assert await receipts(settings, gone) == [2]


async def test_killed_between_the_tombstone_and_the_removal(erasure: Erasure, settings: Settings, shelf: Shelf) -> None:
    await shelf.put(ADA)
    gone = erased(ADA, 0)
    shelf.dies = True
    with pytest.raises(KilledError):
        await erasure.take_note([gone])
    assert await erasure.is_gone(ADA), "what comes meanwhile is dropped already"
    assert await receipts(settings, gone) == []
    shelf.dies = False
    await erasure.take_note([gone])
    assert await shelf.of(ADA) == 0
    assert await receipts(settings, gone) == [1]


async def test_killed_between_the_removal_and_the_receipt(
    erasure: Erasure, settings: Settings, shelf: Shelf, database: Database
) -> None:
    await shelf.put(ADA, ADA)
    gone = erased(ADA, 0)
    killed = Erasure("activity", settings, database, Dead("activity", settings), shelf.erase)
    await killed.prepare()
    with pytest.raises(KilledError):
        await killed.take_note([gone])
    await shelf.put(ADA)
    await erasure.take_note([gone])
    assert await receipts(settings, gone) == [3], "the two of the first try are counted"


async def test_what_comes_twice_takes_nothing_of_who_registered_anew(
    erasure: Erasure, settings: Settings, shelf: Shelf
) -> None:
    gone = erased(ADA, 0)
    await erasure.take_note([gone, registered(ADA, 1)])
    await shelf.put(ADA)
    await erasure.take_note([registered(ADA, -9), gone, registered(ADA, 1)])
    assert await shelf.of(ADA) == 1
    assert await receipts(settings, gone) == [0, 0]


async def test_of_several_registrations_the_first_by_time_counts_whichever_comes_first(erasure: Erasure) -> None:
    ids = erasure.ids([ADA])
    for minutes in (3, 1, 2):
        await erasure.take_note([erased(ADA, 0), registered(ADA, minutes)])
    assert (await erasure.tombstones.of(ids))[ADA].registered_at == microseconds(at(1))


async def test_an_erasure_after_that_takes_all_again(erasure: Erasure, shelf: Shelf) -> None:
    await erasure.take_note([erased(ADA, 0), registered(ADA, 1)])
    await shelf.put(ADA)
    await erasure.take_note([erased(ADA, 2)])
    assert await shelf.of(ADA) == 0
    assert await erasure.is_gone(ADA)


async def test_those_who_register_cost_one_question_together(erasure: Erasure, database: Database) -> None:
    async def asked() -> int:
        return int((await database.client.admin.command("serverStatus"))["opcounters"]["query"])

    before = await asked()
    await erasure.take_note([registered(f"{number}@example.org", 0) for number in range(500)])
    assert await asked() - before < 100, "whatever else asks meanwhile"


async def test_what_another_process_stored_meanwhile_is_removed(erasure: Erasure, shelf: Shelf) -> None:
    ids = erasure.ids([ADA, BO])
    assert await erasure.tombstones.of(ids) == {}
    await erasure.take_note([erased(ADA, 0)])
    await shelf.put(ADA, BO)
    assert (await erasure.erase_what_slipped_in(ids)).keys() == {ADA}
    assert (await shelf.of(ADA), await shelf.of(BO)) == (0, 1)


async def test_what_a_request_stores_of_who_is_gone_does_not_stay(erasure: Erasure, shelf: Shelf) -> None:
    async def request() -> None:
        async with erasure.writing(ADA):
            await erasure.take_note([erased(ADA, 0)])
            await shelf.put(ADA)

    with pytest.raises(ProblemError, match="no-account"):
        await request()
    assert await shelf.of(ADA) == 0
    with pytest.raises(ProblemError, match="no-account"):
        async with erasure.writing(ADA):
            pytest.fail("nothing is stored")


async def test_who_left_here_is_gone_at_once_and_let_in_when_it_is_carried_out(erasure: Erasure, shelf: Shelf) -> None:
    await shelf.put(ADA)
    gone = erased(ADA, 0)
    await erasure.bury(ADA, gone.time)
    assert await shelf.of(ADA) == 0
    with pytest.raises(StillBeingErasedError):
        await erasure.reopen(ADA, at(1))
    await erasure.take_note([gone])
    assert await erasure.reopen(ADA, at(-5)) == gone.time + timedelta(microseconds=1), "after it, whatever a clock says"
    assert not await erasure.is_gone(ADA)
    await shelf.put(ADA)
    await erasure.take_note([gone])
    assert await shelf.of(ADA) == 1
    assert await erasure.time_to_leave(ADA, at(-5)) > gone.time


async def test_a_tombstone_names_nobody_and_each_service_salts_its_own(erasure: Erasure, database: Database) -> None:
    await erasure.take_note([erased(ADA, 0)])
    (tombstone,) = [d async for d in database["tombstones"].find({"erased_at": {"$exists": True}})]
    assert set(tombstone) == {"_id", "erased_at", "registered_at", "done", "removed", "again", "missed"}
    assert len(tombstone["_id"]) == 32
    salt = await database["tombstones"].find_one({"_id": "salt"})
    assert salt is not None
    assert len(salt["salt"]) == 32
    await erasure.prepare()
    assert await erasure.is_gone(ADA), "the salt stays"


async def test_dead_letters_that_are_put_back_are_taken_out_at_the_start(
    erasure: Erasure, settings: Settings, database: Database
) -> None:
    gone, other = f"gone.{uuid4().hex}@example.org", f"other.{uuid4().hex}@example.org"
    topic = dead_letters("activity")
    await erasure.take_note([erased(gone, 0)])
    async with publishing(settings) as publisher:
        await publisher.records((topic.name, user.upper().encode(), b"no JSON", ()) for user in (gone, other, other))
        await Erasure("activity", settings, database, publisher, Shelf(database).erase).prepare()
    left = await records_of(settings.kafka_bootstrap_servers, [topic])
    assert traces_in_records(left, [gone]) == []
    assert len(traces_in_records(left, [other])) == 2


async def test_the_event_of_who_left_here_is_carried_out_whatever_came_before_it(
    erasure: Erasure, settings: Settings, shelf: Shelf
) -> None:
    """Older events of theirs have them erased again, which is not the whole of it: there are the dead letters."""
    user = f"{uuid4().hex}@example.org"
    letters = dead_letters("activity")
    async with publishing(settings) as publisher:
        await publisher.records([(letters.name, user.encode(), b"no JSON", ())])
    gone = erased(user, 0)
    await erasure.bury(user, gone.time)
    await erasure.erase_what_slipped_in(erasure.ids([user]))
    with pytest.raises(StillBeingErasedError):
        await erasure.reopen(user, at(1))
    await erasure.take_note([gone])
    assert traces_in_records(await records_of(settings.kafka_bootstrap_servers, [letters]), [user]) == []
    await erasure.reopen(user, at(1))
