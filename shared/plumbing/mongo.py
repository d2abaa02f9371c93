"""The one place that knows the driver. Everything else uses the calls that Motor and PyMongo's own API share."""

from collections.abc import Mapping, Sequence
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import PyMongoError

Document = dict[str, Any]  # BSON: what is in a document is the store's own knowledge
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]

DUPLICATE_KEY = 11000


def connect(url: str) -> Client:
    """A client that acknowledges a write when a majority has it. It connects when first used."""
    return AsyncIOMotorClient(
        url,
        tz_aware=True,
        uuidRepresentation="standard",
        w="majority",
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=20_000,
    )


async def ensure_indexes(database: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Makes the indexes of each collection that are not there yet. Raises PyMongoError if Mongo does not answer."""
    for collection, models in indexes.items():
        if models:
            await database[collection].create_indexes(list(models))


async def trouble(client: Client) -> str | None:
    """None if a server answers, else what an operator should know."""
    try:
        await client.admin.command("ping")
    except PyMongoError:
        return "the database does not answer"
    return None


async def close(client: Client) -> None:
    """Ends the client's connections."""
    client.close()
