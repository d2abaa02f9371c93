"""The services of the tests, served for real: one of each at a time, as each has one consumer group."""

import os
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from mycelium.stack import broker
from services.activity import main as activity
from services.activity.settings import Settings as ActivitySettings
from services.analytics import main as analytics
from services.analytics.settings import Settings as AnalyticsSettings
from services.gateway import main as gateway_main
from services.gateway.settings import Settings as GatewaySettings
from services.profile import main as profile_main
from services.profile.settings import Settings as ProfileSettings
from services.purchases import main as purchases
from services.purchases.settings import Settings as PurchasesSettings
from services.purchases.vault.make_keys import make_keys
from shared.contracts.topics import SERVICES
from shared.plumbing import mongo
from shared.plumbing.internal_auth import InternalTokens
from tests.integration.shop import Shop
from tests.servers.browsing import Browser, browsing
from tests.servers.dashboard import Site, User, gateway_keys, ready, settings_of, sign_up, site
from tests.servers.docker import docker_works
from tests.servers.issuer import AUDIENCE, IssuerServer, issuing
from tests.servers.running import Running, publishing, running

EMBEDDED = "KAFKA_BOOTSTRAP_SERVERS" not in os.environ and not docker_works()
collect_ignore = ["test_rebuild_retention.py"] if EMBEDDED else []  # the embedded broker cannot cut a topic
INTERNAL_KEY = secrets.token_urlsafe(32)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client_settings(kafka: str) -> dict[str, object]:
    """The settings that make a process a client of the tests' broker."""
    timing = {name.lower(): value for name, value in broker.CLIENT_SETTINGS.items()} if EMBEDDED else {}
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def vault_keys(mongo_url: str) -> AsyncIterator[dict[str, object]]:
    """The settings that protect credentials, for a test file: a service with others would refuse to start after it."""
    client = mongo.connect(mongo_url)
    data_keys = client["purchases"]["data_keys"]
    await data_keys.delete_many({})
    yield {name.lower(): value for name, value in make_keys().items()}
    await data_keys.delete_many({})
    client.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def purchases_service(
    mongo_url: str, client_settings: dict[str, object], vault_keys: dict[str, object]
) -> AsyncIterator[Running]:
    """The purchases service, ready; nobody answers its commands, and it waits for an answer for two seconds only."""
    given = {**client_settings, **vault_keys, "mongo_url": mongo_url, "command_limit_seconds": 2}
    settings = PurchasesSettings.model_validate(given)
    async with (
        publishing(settings) as publisher,
        running(
            purchases.build_app(settings), publisher, InternalTokens(settings.internal_key), "purchases"
        ) as service,
    ):
        yield service


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def analytics_service(mongo_url: str, client_settings: dict[str, object]) -> AsyncIterator[Running]:
    """The analytics service, ready."""
    settings = AnalyticsSettings.model_validate({**client_settings, "mongo_url": mongo_url})
    async with (
        publishing(settings) as publisher,
        running(
            analytics.build_app(settings), publisher, InternalTokens(settings.internal_key), "analytics"
        ) as service,
    ):
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def profile_settings(mongo_url: str, client_settings: dict[str, object]) -> ProfileSettings:
    """The settings of a profile service; all clients of the tests have one address, which is not to slow them down."""
    return settings_of(ProfileSettings, client_settings, mongo_url=mongo_url, free_failures_per_address=10_000)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def profile(profile_settings: ProfileSettings) -> AsyncIterator[Site]:
    """The profile service, ready."""
    async with site(profile_main.build_app(profile_settings)) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway_settings(
    client_settings: dict[str, object], activity_service: Running, profile: Site
) -> GatewaySettings:
    """The settings of a gateway before the running services."""
    addresses = {
        "activity_url": activity_service.url,
        "purchases_url": "http://127.0.0.1:9",  # nobody answers there
        "profile_url": profile.url,
        "analytics_url": "http://127.0.0.1:9",
    }
    return settings_of(GatewaySettings, client_settings, **gateway_keys(), **addresses)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def gateway(gateway_settings: GatewaySettings) -> AsyncIterator[Site]:
    """The gateway, ready."""
    async with site(gateway_main.build_app(gateway_settings), described=True) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole_settings(
    gateway_settings: GatewaySettings, purchases_service: Running, analytics_service: Running
) -> GatewaySettings:
    """The settings of a gateway before all the services."""
    urls = {"purchases_url": purchases_service.url, "analytics_url": analytics_service.url}
    return gateway_settings.model_copy(update=urls)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def whole(whole_settings: GatewaySettings) -> AsyncIterator[Site]:
    """A gateway before all the services, ready."""
    async with site(gateway_main.build_app(whole_settings), described=True) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def issuer() -> AsyncIterator[IssuerServer]:
    """An outside OpenID Connect issuer."""
    async with issuing() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def outside(whole_settings: GatewaySettings, issuer: IssuerServer) -> AsyncIterator[Site]:
    """A gateway before all the services that takes the issuer's tokens, ready."""
    signing = {"token_key": None, "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    async with site(gateway_main.build_app(whole_settings.model_copy(update=signing)), described=True) as served:
        await ready(served)
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def ada(gateway: Site) -> User:
    """Someone new who is logged in."""
    return await sign_up(gateway)


@pytest_asyncio.fixture(loop_scope="session")
async def bob(gateway: Site) -> User:
    """Someone else."""
    return await sign_up(gateway)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(whole: Site, ada: User) -> AsyncIterator[Browser]:
    """A browser in which a test file's own Ada is signed in, before all the services."""
    async with browsing(whole, ada) as opened:
        yield opened


@pytest.fixture
def shop(purchases_service: Running, ada: User) -> Shop:
    """Who sells to a test file's own Ada."""
    return Shop(purchases_service, ada)


@pytest_asyncio.fixture(loop_scope="session")
async def client(mongo_url: str) -> AsyncIterator[mongo.Client]:
    """A client of the services' databases, without what a rebuild that was broken off has left there."""
    client = mongo.connect(mongo_url)
    for service in SERVICES:
        await client.drop_database(f"{service}-rebuild")
    yield client
    client.close()
