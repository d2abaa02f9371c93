"""Erasing a user from the purchases while something of theirs is still being written."""

import asyncio
from datetime import UTC, datetime, timedelta

from services.purchases.erasing import Eraser
from services.purchases.store import INDEXES, KINDS, PurchaseStore
from shared.contracts.build import make_event
from shared.contracts.marketplace import PurchaseStatusChanged
from shared.folds.facts import facts_of
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from tests.integration.test_credentials import ADA, BO, jwe, seal, vault

NOW = datetime.now(UTC)


async def test_a_write_that_comes_late_is_found_by_its_user(database: Database) -> None:
    """A document that is removed between being read and being written is made anew by the write."""
    await mongo.ensure_indexes(database, INDEXES)
    store, eraser = PurchaseStore(database), Eraser(database, vault(database))

    async def write(writer: int) -> None:
        for number in range(100):
            moved = PurchaseStatusChanged(user_email=ADA, purchase_id=f"p{writer % 2}", status="active")
            event = make_event(moved, source=f"/shop/{writer}", time=NOW + timedelta(seconds=number))
            await store.merge(facts_of(event))

    writing = asyncio.gather(*map(write, range(4)))
    removed = 0
    while not writing.done():
        removed += await eraser.erase({ADA})
        assert await database["purchases"].count_documents({"user": {"$ne": ADA}}) == 0
    await writing
    assert removed > 3, "it was never in between"
    await eraser.erase({ADA})
    for name in (*(keeping.collection for keeping in KINDS.values()), "users"):
        assert await database[name].count_documents({}) == 0, name


async def test_nobody_else_loses_anything(database: Database) -> None:
    store, sealing = PurchaseStore(database), vault(database)
    for user in (ADA, BO):
        moved = PurchaseStatusChanged(user_email=user, purchase_id="p", status="active")
        await store.merge(facts_of(make_event(moved, source="/shop")))
        await seal(sealing, user, "d", jwe())
    assert await Eraser(database, sealing).erase({ADA}) == 3, "a purchase, the mark, and the key"
    assert await Eraser(database, sealing).erase({ADA}) == 0
    for name in ("purchases", "users", "data_keys"):
        assert await database[name].count_documents({}) == 1, name
