"""Credentials at rest: sealed for their user, in the clear nowhere, and rewrapped while they are in use."""

import asyncio
import json
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from pydantic import SecretStr
from pymongo import MongoClient

from services.purchases.credentials import Issued, NotOpenableError, UnusableCredentialsError, Vault
from services.purchases.vault.data_keys import INDEXES, DataKeys
from services.purchases.vault.envelope import DataKey, KekError, Keks
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.rewrapping import Rewrapper
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.plumbing import mongo
from shared.plumbing.mongo import Database, Document
from tests.waiting import eventually

KEYS = make_keys()
UNSEALER = Unsealer.parse(SecretStr(KEYS["CREDENTIALS_PRIVATE_JWK"]))
PUBLIC = json.loads(UNSEALER.public_jwks())["keys"][0]
OLD, NEW = secrets.token_bytes(32), secrets.token_bytes(32)
ADA, BO = "ada@example.org", "bo@example.org"


def vault(database: Database, **keks: bytes) -> Vault:
    return Vault(database, Keks(keks or {"old": OLD}), UNSEALER)


def credentials(number: int = 0) -> AccessCredentials:
    return AccessCredentials(username=SecretStr("ada"), password=SecretStr(f"correct horse {number}"))


def jwe(number: int = 0) -> str:
    return seal_for(PUBLIC, credentials(number))


async def seal(sealing: Vault, user: str, deployment_id: str, compact: str) -> Document:
    [sealed] = await sealing.seal_all([Issued(user, deployment_id, compact)])
    return usable(sealed)


def usable(sealed: Document | UnusableCredentialsError) -> Document:
    assert isinstance(sealed, dict)
    return sealed


@pytest_asyncio.fixture(loop_scope="session")
async def indexed(database: Database) -> Database:
    await mongo.ensure_indexes(database, INDEXES)
    return database


@asynccontextmanager
async def another_process(mongo_url: str, database: Database) -> AsyncIterator[Database]:
    """The same database by a client of its own."""
    client = mongo.connect(mongo_url)
    yield client[database.name]
    client.close()


async def keys_in(database: Database) -> list[Document]:
    found: list[Document] = await database["data_keys"].find().to_list(None)
    return found


async def test_what_is_sealed_is_stored_and_opened_again(database: Database) -> None:
    sealing = vault(database)
    await database["deployments"].insert_one({"_id": "d", "sealed": await seal(sealing, ADA, "d-1", jwe())})
    stored = await database["deployments"].find_one({"_id": "d"})
    assert stored is not None
    assert await sealing.open(ADA, "d-1", stored["sealed"]) == credentials()


async def test_it_opens_for_no_other_user_or_deployment_and_not_when_it_was_changed(database: Database) -> None:
    sealing = vault(database)
    sealed = await seal(sealing, ADA, "d-1", jwe())
    await seal(sealing, BO, "d-1", jwe())
    moved = [(BO, "d-1", sealed), (ADA, "d-2", sealed), ("nobody@example.org", "d-1", sealed)]
    changed = [(ADA, "d-1", {**sealed, "box": sealed["box"][:-1] + bytes([sealed["box"][-1] ^ 1])})]
    for user, deployment, box in moved + changed:
        with pytest.raises(NotOpenableError) as caught:
            await sealing.open(user, deployment, box)
        assert "@" not in f"{caught.value} {caught.value!r}"


async def test_another_users_data_key_does_not_open_where_it_was_put(database: Database) -> None:
    sealing = vault(database)
    await seal(sealing, ADA, "d-1", jwe())
    [ada] = await keys_in(database)
    await database["data_keys"].insert_one({**ada, "_id": BO})
    with pytest.raises(KekError):
        await seal(sealing, BO, "d-1", jwe())


async def test_a_batch_is_sealed_in_its_order_and_what_is_unusable_harms_nothing_else(database: Database) -> None:
    sealing = vault(database)
    issued = [Issued(f"user{n % 7}@example.org", f"d-{n}", jwe(n) if n % 10 else "no JWE") for n in range(50)]
    for issue, sealed in zip(issued, await sealing.seal_all(issued), strict=True):
        number = int(issue.deployment_id.removeprefix("d-"))
        if number % 10:
            assert await sealing.open(issue.user, issue.deployment_id, usable(sealed)) == credentials(number)
        else:
            assert isinstance(sealed, UnusableCredentialsError)
    assert len(await keys_in(database)) == 7
    assert await sealing.seal_all([]) == []


async def test_a_batch_of_many_users_asks_the_database_a_few_times(database: Database) -> None:
    """The server counts; a heartbeat or two of its own may be among them."""
    compact = jwe()
    issued = [Issued(f"user{n}@example.org", "d", compact) for n in range(200)]
    for _ in ("keys are made", "keys are there"):
        before = (await database.command("serverStatus"))["opcounters"]["query"]
        await vault(database).seal_all(issued)
        assert (await database.command("serverStatus"))["opcounters"]["query"] - before < 10


async def test_a_user_has_one_data_key_however_many_make_it_at_once(mongo_url: str, database: Database) -> None:
    async with another_process(mongo_url, database) as same:
        vaults = [vault(database), vault(same)]
        users = [ADA, BO] * 20
        compact = jwe()
        sealed = await asyncio.gather(*(seal(vaults[n // 2 % 2], user, "d", compact) for n, user in enumerate(users)))
        assert len(await keys_in(database)) == 2
        for user, box in zip(users, sealed, strict=True):
            assert await vaults[0].open(user, "d", box) == credentials()


async def test_what_is_forgotten_opens_in_no_process_any_more(mongo_url: str, database: Database) -> None:
    async with another_process(mongo_url, database) as same:
        here, there = vault(database), vault(same)
        sealed, bos = await seal(there, ADA, "d", jwe()), await seal(there, BO, "d", jwe())
        assert await there.open(ADA, "d", sealed) == credentials()
        await here.forget(ADA)
        await here.forget(ADA)
        with pytest.raises(NotOpenableError):
            await there.open(ADA, "d", sealed)
        assert await there.open(BO, "d", bos) == credentials()
        assert await here.open(ADA, "d", await seal(there, ADA, "d", jwe())) == credentials()
        with pytest.raises(NotOpenableError):
            await there.open(ADA, "d", sealed)


async def test_keys_are_rewrapped_by_several_processes_while_they_are_used(mongo_url: str, indexed: Database) -> None:
    """One process still has the old key first, as in the middle of a roll-out."""
    users = [f"user{n}@example.org" for n in range(250)]
    compact = jwe()
    before = await vault(indexed).seal_all([Issued(user, "d", compact) for user in users])
    async with another_process(mongo_url, indexed) as same:
        late = vault(same, old=OLD, new=NEW)
        rotated = Keks({"new": NEW, "old": OLD})
        rewrappers = [Rewrapper(DataKeys(database, rotated)) for database in (indexed, same)]
        assert await rewrappers[0].pending() == 250
        jobs = [asyncio.create_task(rewrapper.run()) for rewrapper in rewrappers]
        rounds = 0
        while await rewrappers[0].pending():
            rounds += 1
            place = secrets.randbelow(250)
            assert await late.open(users[place], "d", usable(before[place])) == credentials()
            sealed = await seal(late, users[place], "e", compact)
            assert await vault(indexed, new=NEW, old=OLD).open(users[place], "e", sealed) == credentials()
        for rewrapper in rewrappers:
            rewrapper.stop()
        await asyncio.wait_for(asyncio.gather(*jobs), 10)
    assert rounds
    assert {key["kek"] for key in await keys_in(indexed)} == {"new"}
    without_the_old = vault(indexed, new=NEW)
    await without_the_old.check()
    for user, sealed_before in zip(users, before, strict=True):
        assert await without_the_old.open(user, "d", usable(sealed_before)) == credentials()


async def test_a_key_that_was_replaced_while_it_was_rewrapped_is_left_alone(mongo_url: str, indexed: Database) -> None:
    """Erased and needed again between the reading and the writing, by a process that has the old key first."""
    fresh = DataKey.generate(ADA)

    class Interrupted(Keks):
        def wrap(self, key: DataKey) -> bytes:
            with MongoClient[Document](mongo_url) as client:
                wrapped = Keks({"old": OLD}).wrap(fresh)
                replaced = {"id": fresh.id, "kek": "old", "wrapped": wrapped}
                client[indexed.name]["data_keys"].update_one({"_id": ADA}, {"$set": replaced})
            return super().wrap(key)

    await seal(vault(indexed), ADA, "d", jwe())
    assert [count async for count in DataKeys(indexed, Interrupted({"new": NEW, "old": OLD})).rewrap()] == [1]
    rotated = DataKeys(indexed, Keks({"new": NEW, "old": OLD}))
    assert await rotated.known(ADA) == fresh
    assert await rotated.to_rewrap() == 1
    assert [count async for count in rotated.rewrap()] == [1]
    assert await rotated.known(ADA) == fresh
    assert await rotated.to_rewrap() == 0


async def test_a_key_that_cannot_be_unwrapped_does_not_hold_up_the_others(indexed: Database) -> None:
    users = [f"user{n:03}@example.org" for n in range(150)]
    await vault(indexed).seal_all([Issued(user, "d", jwe()) for user in users])
    await indexed["data_keys"].update_one({"_id": users[20]}, {"$set": {"wrapped": b"not a key at all"}})
    rewrapper = Rewrapper(DataKeys(indexed, Keks({"new": NEW, "old": OLD})))
    job = asyncio.create_task(rewrapper.run())

    async def one_is_left() -> bool:
        return await rewrapper.pending() == 1

    await eventually(one_is_left, what="all but one to be rewrapped")
    rewrapper.stop()
    await asyncio.wait_for(job, 10)
    assert [key["_id"] for key in await keys_in(indexed) if key["kek"] == "old"] == [users[20]]


async def test_the_start_stops_where_a_key_encrypting_key_is_missing_or_another_one(indexed: Database) -> None:
    await vault(indexed).check()
    await seal(vault(indexed), ADA, "d", jwe())
    await vault(indexed).check()
    await vault(indexed, new=NEW, old=OLD).check()
    for keks in ({"new": NEW}, {"old": NEW}):
        with pytest.raises(KekError, match="old"):
            await vault(indexed, **keks).check()


async def test_nothing_in_the_database_is_in_the_clear(database: Database) -> None:
    secret = {name: f"{name}-{secrets.token_hex(16)}" for name in ("username", "password", "api_key", "ssh_key")}
    compact = seal_for(PUBLIC, AccessCredentials.model_validate(secret))
    sealed = await seal(vault(database), ADA, "d-1", compact)
    fields = {"credentials": [0, 1, "event\nsource", sealed]}
    await database["deployments"].insert_one({"_id": "d", "id": "d-1", "fields": fields})
    data_key = (await DataKeys(database, Keks({"old": OLD})).of({ADA}))[ADA]
    dumped = b"".join([document async for document in _dump(database)])
    for visible in (b"d-1", ADA.encode(), sealed["box"]):
        assert visible in dumped
    hidden = [data_key.secret, OLD, KEYS["CREDENTIALS_PRIVATE_JWK"].encode()]
    for found in _forms([value.encode() for value in secret.values()] + hidden):
        assert found not in dumped


async def _dump(database: Database) -> AsyncIterator[bytes]:
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    for name in await database.list_collection_names():
        async for document in database.get_collection(name, codec_options=options).find():
            yield document.raw


def _forms(hidden: Iterable[bytes]) -> Iterable[bytes]:
    """As it is, in hexadecimal, and in base64 wherever in a text it may begin."""
    for value in hidden:
        yield value
        yield value.hex().encode()
        yield from (b64encode(value[start : start + 3 * ((len(value) - start) // 3)]) for start in range(3))
