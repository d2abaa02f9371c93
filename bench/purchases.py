"""What a user asks of the purchases service with 10 and with 10,000 purchases behind them: it should take the same."""

import time
from collections.abc import Awaitable
from itertools import islice
from statistics import median
from typing import Final

from pydantic import SecretStr

from bench.load import moves_of, purchases_of
from bench.table import Row, cost
from services.purchases import consumer
from services.purchases.credentials import Vault
from services.purchases.reading import Reading
from services.purchases.store import INDEXES, PurchaseStore
from services.purchases.vault.envelope import Keks
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.purchase_views import PurchaseQuery
from shared.plumbing import mongo
from shared.plumbing.mongo import Database

FEW, MANY = 10, 10_000
_FILL = 1_000
_TIMES = 40
_ASKED: Final = {
    "A page of 10 purchases": PurchaseQuery(limit=10),
    "A page of 10 purchases, filtered": PurchaseQuery(limit=10, status="active", type="storage", q="vault"),
}


async def rows(mongo_url: str) -> list[Row]:
    """The lines of the table."""
    client = mongo.connect(mongo_url)
    database = client["bench_purchases"]
    await mongo.ensure_indexes(database, INDEXES)
    seconds = await _seconds(database)
    await client.drop_database(database.name)
    client.close()
    behind = f"with {MANY:,} purchases behind it, against {FEW:,}"
    return [cost(f"{what}, {behind}", taken[MANY], taken[FEW]) for what, taken in seconds.items()]


async def _seconds(database: Database) -> dict[str, dict[int, float]]:
    """How long each thing takes (medians), by the number of purchases."""
    store, keys, reading = PurchaseStore(database), vault(database), Reading(database)
    users = {number: f"{number}@example.org" for number in (FEW, MANY)}
    for number, user in users.items():
        behind = purchases_of(user, number)
        while batch := list(islice(behind, _FILL)):
            await consumer.apply(store, keys, batch)
    taken: dict[str, dict[int, list[float]]] = {}
    moves = {number: moves_of(user) for number, user in users.items()}
    for _ in range(_TIMES):
        for number, user in users.items():
            asked: dict[str, Awaitable[object]] = {
                what: reading.purchases(user, query) for what, query in _ASKED.items()
            }
            asked["An update of a purchase"] = consumer.apply(store, keys, [next(moves[number])])
            for what, asking in asked.items():
                started = time.perf_counter()
                await asking
                taken.setdefault(what, {}).setdefault(number, []).append(time.perf_counter() - started)
    return {what: {number: median(seconds) for number, seconds in by.items()} for what, by in taken.items()}


def vault(database: Database) -> Vault:
    """A vault with keys of its own."""
    keys = {name: SecretStr(value) for name, value in make_keys().items()}
    return Vault(database, Keks.parse(keys["CREDENTIALS_KEKS"]), Unsealer.parse(keys["CREDENTIALS_PRIVATE_JWK"]))
