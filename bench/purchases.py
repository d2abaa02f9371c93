"""What a user asks of the purchases service with 10 and with 10,000 purchases behind them: it should take the same."""

from functools import partial
from typing import Final

from pydantic import SecretStr

from bench.behind import costs, users_of
from bench.load import moves_of
from bench.table import Row
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

_ASKED: Final = {
    "A page of 10 purchases": PurchaseQuery(limit=10),
    "A page of 10 purchases, filtered": PurchaseQuery(limit=10, status="active", type="storage", q="vault"),
}


async def rows(mongo_url: str) -> list[Row]:
    """The lines of the table."""
    client = mongo.connect(mongo_url)
    database = client["bench_purchases"]
    await mongo.ensure_indexes(database, INDEXES)
    found = await _rows(database)
    await client.drop_database(database.name)
    client.close()
    return found


async def _rows(database: Database) -> list[Row]:
    store, keys, reading = PurchaseStore(database), vault(database), Reading(database)
    users = await users_of(partial(consumer.apply, store, keys))
    moves = {user: moves_of(user) for user in users.values()}
    pages = {what: partial(reading.purchases, query=query) for what, query in _ASKED.items()}
    update = {"An update of a purchase": lambda user: consumer.apply(store, keys, [next(moves[user])])}
    return await costs(users, {**pages, **update})


def vault(database: Database) -> Vault:
    """A vault with keys of its own."""
    keys = {name: SecretStr(value) for name, value in make_keys().items()}
    return Vault(database, Keks.parse(keys["CREDENTIALS_KEKS"]), Unsealer.parse(keys["CREDENTIALS_PRIVATE_JWK"]))
