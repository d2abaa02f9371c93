"""The one place that knows the driver. Everything else uses the calls that Motor and PyMongo's own API share."""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bson.codec_options import TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128
from fastapi import FastAPI, Request, Response
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import ConnectionFailure, PyMongoError

from shared.plumbing.problems import ProblemError, problem_response

Document = dict[str, Any]  # BSON: what is in a document is the store's own knowledge
Client = AsyncIOMotorClient[Document]
Database = AsyncIOMotorDatabase[Document]

DUPLICATE_KEY = 11000
_PING_SECONDS = 2
_AWAY = ProblemError(
    503,
    "database-unavailable",
    "The database does not answer right now; try again in a moment.",
    headers={"Retry-After": "1"},
)


class _MoneyCodec(TypeCodec):
    """Money is Decimal in the code and Decimal128, which keeps every digit, in a document."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        return Decimal128(value)

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


def connect(url: str) -> Client:
    """A client that acknowledges a write when a majority has it. It connects when first used."""
    return AsyncIOMotorClient(
        url,
        tz_aware=True,
        uuidRepresentation="standard",
        type_registry=TypeRegistry([_MoneyCodec()]),
        w="majority",
        retryWrites=True,
        serverSelectionTimeoutMS=5_000,
        connectTimeoutMS=5_000,
        socketTimeoutMS=20_000,
    )


async def ensure_indexes(database: Database, indexes: Mapping[str, Sequence[IndexModel]]) -> None:
    """Makes the indexes of each collection that are not there yet. Raises ConnectionError if that cannot be done."""
    try:
        for collection, models in indexes.items():
            if models:
                await database[collection].create_indexes(list(models))
    except PyMongoError as error:
        raise ConnectionError("the indexes cannot be made") from error


async def trouble(client: Client) -> str | None:
    """None if a server answers, else what an operator should know."""
    try:
        async with asyncio.timeout(_PING_SECONDS):
            await client.admin.command("ping")
    except (PyMongoError, TimeoutError):
        return "the database does not answer"
    return None


async def close(client: Client) -> None:
    """Ends the client's connections."""
    client.close()


def install(app: FastAPI) -> None:
    """Makes a database that does not answer a 503 problem of `app`."""
    app.add_exception_handler(ConnectionFailure, _away)


async def _away(_request: Request, _error: Exception) -> Response:
    return problem_response(_AWAY)
