"""Real servers for the tests: those that the environment names, else Docker's, else the ones of `mycelium up`."""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from shared.plumbing.topics import ensure_topics
from tests.leaks import no_leaks  # noqa: F401  (a fixture that every run uses)
from tests.servers.docker import docker_kafka, docker_mongo, docker_works
from tests.servers.embedded import embedded_kafka, embedded_mongo

# Property tests count examples, not milliseconds: a busy machine is no reason to fail.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mongo_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a MongoDB replica set."""
    if named := os.environ.get("MONGO_URL"):
        yield named
    elif docker_works():
        async with docker_mongo() as url:
            yield url
    else:
        async with embedded_mongo(tmp_path_factory.mktemp("mongo")) as url:
            yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def kafka(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Kafka broker that has the contract's topics. They are everyone's: use users of your own."""
    if named := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        await ensure_topics(named)
        yield named
    elif docker_works():
        async with docker_kafka() as address:
            await ensure_topics(address)
            yield address
    else:
        async with embedded_kafka(tmp_path_factory.mktemp("kafka")) as address:
            yield address


@pytest_asyncio.fixture(loop_scope="session")
async def database(mongo_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """The test file's own database, empty. Emptying keeps the indexes and is far quicker than dropping."""
    client = mongo.connect(mongo_url)
    database = client[request.module.__name__.rpartition(".")[2]]
    for name in await database.list_collection_names():
        await database[name].delete_many({})
    yield database
    client.close()
