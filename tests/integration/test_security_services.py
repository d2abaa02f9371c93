"""A reachable port of a service is no way in: its own API takes the gateway's signed calls and nothing else."""

import time
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import OctKey
from pydantic import SecretStr

from services.activity import main as activity
from services.activity.settings import Settings as ActivitySettings
from services.analytics import main as analytics
from services.analytics.settings import Settings as AnalyticsSettings
from services.profile import main as profile_main
from services.profile.settings import Settings as ProfileSettings
from services.purchases import main as purchases
from services.purchases.settings import Settings as PurchasesSettings
from shared.contracts.topics import SERVICES
from shared.plumbing.internal_auth import InternalTokens
from tests.integration.conftest import INTERNAL_KEY
from tests.servers.dashboard import Json, Site, settings_of, sign_up
from tests.servers.routes import Operation, operations
from tests.servers.running import Running

OPEN = {Operation("GET", path) for path in ("/livez", "/readyz", "/metrics")}
PUBLIC = {"purchases": {Operation("GET", "/jwks.json")}}  # the keys that publishers encrypt for
FOR_NO_ONE = {
    Operation("POST", "/accounts"),
    Operation("POST", "/sessions"),
    Operation("GET", "/erasures/{erasure_id}"),
}
USER = "ada@example.test"


@pytest.fixture(scope="module")
def apps(mongo_url: str, client_settings: dict[str, object], vault_keys: dict[str, object]) -> dict[str, FastAPI]:
    """The services as they are built, not started: only their operations are asked for."""
    built = {
        "activity": activity.build_app(settings_of(ActivitySettings, client_settings, mongo_url=mongo_url)),
        "purchases": purchases.build_app(
            settings_of(PurchasesSettings, client_settings, mongo_url=mongo_url, **vault_keys)
        ),
        "profile": profile_main.build_app(settings_of(ProfileSettings, client_settings, mongo_url=mongo_url)),
        "analytics": analytics.build_app(settings_of(AnalyticsSettings, client_settings, mongo_url=mongo_url)),
    }
    assert set(built) == set(SERVICES)
    return built


def claims(service: str, **changed: object) -> dict[str, Any]:  # Any: joserfc's own
    now = int(time.time())
    return {"iss": "mycelium-gateway", "aud": service, "sub": USER, "iat": now, "exp": now + 60, **changed}


def signed(told: dict[str, Any], key: str = INTERNAL_KEY, algorithm: str = "HS256") -> str:  # Any: joserfc's own
    return jwt.encode({"alg": algorithm}, told, OctKey.import_key(key), algorithms=[algorithm])


def refused(service: str, users_own: str) -> Iterator[tuple[str, str | None]]:
    """What is not the gateway's call to this service on behalf of a user."""
    yield "nothing", None
    yield "nonsense", "not.a.token"
    yield "another key", signed(claims(service), "another key of thirty-two characters")
    yield "another algorithm", signed(claims(service), INTERNAL_KEY * 2, "HS512")
    yield "expired", signed(claims(service, exp=int(time.time()) - 30))
    yield "another issuer", signed(claims(service, iss="mycelium"))
    yield "several audiences", signed(claims(service, aud=[service, "more"]))
    yield "no signature", signed(claims(service)).rpartition(".")[0] + "."
    yield "the user's own", users_own
    for other in {*SERVICES, "gateway"} - {service}:
        yield f"meant for {other}", SIGNER.sign(other, USER)


SIGNER = InternalTokens(SecretStr(INTERNAL_KEY))


async def test_every_operation_of_every_service(
    apps: dict[str, FastAPI],
    activity_service: Running,
    purchases_service: Running,
    analytics_service: Running,
    profile: Site,
    gateway: Site,
) -> None:
    users_own = (await sign_up(gateway)).token
    urls = {each.name: each.url for each in (activity_service, purchases_service, analytics_service)}
    urls["profile"] = profile.url
    assert set(urls) == set(SERVICES)
    async with aiohttp.ClientSession() as http:
        for service, url in urls.items():
            served = Site(url, http)
            asked = [each for each in operations(apps[service]) if each not in OPEN | PUBLIC.get(service, set())]
            assert len(asked) >= 4, service
            good = SIGNER.sign(service, USER)
            for operation in asked:
                how: Json = {"json": {}} if operation.changes else {}
                for name, token in refused(service, users_own):
                    reply = await served.ask(operation.method, operation.anywhere, token=token, **how)
                    assert reply.status == 401, (service, operation, name, reply.body)
                if operation not in FOR_NO_ONE:
                    no_ones = SIGNER.sign(service)
                    reply = await served.ask(operation.method, operation.anywhere, token=no_ones, **how)
                    assert reply.status == 401, (service, operation, "for no one", reply.body)
                reply = await served.ask(operation.method, operation.anywhere, token=good, **how)
                assert reply.status != 401, (service, operation)  # else it refuses everything
