"""The services of the tests, served for real: one of each at a time, as each has one consumer group."""

import os
import secrets
from collections.abc import AsyncIterator

import pytest_asyncio

from mycelium.stack import broker
from services.activity import main as activity
from services.activity.settings import Settings as ActivitySettings
from shared.plumbing.internal_auth import InternalTokens
from tests.servers.docker import docker_works
from tests.servers.running import Running, publishing, running

INTERNAL_KEY = secrets.token_urlsafe(32)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client_settings(kafka: str) -> dict[str, object]:
    """The settings that make a process a client of the tests' broker."""
    embedded = "KAFKA_BOOTSTRAP_SERVERS" not in os.environ and not docker_works()
    timing = {name.lower(): value for name, value in broker.CLIENT_SETTINGS.items()} if embedded else {}
    return {"kafka_bootstrap_servers": kafka, "internal_key": INTERNAL_KEY, **timing}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def activity_service(mongo_url: str, client_settings: dict[str, object]) -> AsyncIterator[Running]:
    """The activity service, ready, with the client's end of everything it talks to."""
    settings = ActivitySettings.model_validate({**client_settings, "mongo_url": mongo_url})
    async with (
        publishing(settings) as publisher,
        running(activity.build_app(settings), publisher, InternalTokens(settings.internal_key), "activity") as service,
    ):
        yield service
