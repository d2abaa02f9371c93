"""The gateway: the only place where it is wired together."""

from functools import partial
from typing import NoReturn

from fastapi import FastAPI

from services.gateway import activities, auth, purchases
from services.gateway.description import ABOUT, PREFIX, TAGS, describe
from services.gateway.headers import SecurityHeaders
from services.gateway.services import Service, Services
from services.gateway.sessions import Sessions
from services.gateway.settings import Settings
from services.gateway.tokens import AccessTokens
from shared.plumbing import health, problems
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.publish import Publisher
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import MeasureRequests, serve
from shared.plumbing.settings import load
from shared.plumbing.topics import ensure_topics

NAME = "gateway"
_TITLE = "Mycelium user dashboard"
_DESCRIPTION = f"{PREFIX}/openapi.json"


def build_app(settings: Settings) -> FastAPI:
    """The gateway, ready to be served: the same one in production and in the tests."""
    addresses: dict[Service, str] = {
        "activity": settings.activity_url,
        "purchases": settings.purchases_url,
        "profile": settings.profile_url,
        "analytics": settings.analytics_url,
    }
    services = Services(addresses, InternalTokens(settings.internal_key))
    tokens = AccessTokens(settings.token_key)
    sessions = Sessions(tokens, services)
    publisher = Publisher(NAME, settings)
    runtime = Runtime(
        prepare=[services.start, partial(ensure_topics, settings.kafka_bootstrap_servers), publisher.start],
        jobs=[],
        close=[publisher.stop, services.close],
    )
    app = FastAPI(
        title=_TITLE,
        version="1.0.0",
        description=ABOUT,
        openapi_tags=TAGS,
        openapi_url=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,  # a member with a default may be missing in an answer, too
        generate_unique_id_function=lambda route: route.name,
        lifespan=runtime.lifespan,
    )
    app.state.runtime = runtime
    app.add_middleware(SecurityHeaders)
    app.add_middleware(MeasureRequests)
    problems.install(app)
    describe(app)
    app.include_router(health.routes({"start": runtime.trouble, "kafka": publisher.trouble}, {}))
    app.include_router(auth.routes(services, sessions, tokens))
    app.include_router(activities.routes(services, sessions, publisher))
    app.include_router(purchases.routes(services, sessions))
    app.include_router(purchases.jwks_routes(services))
    app.add_api_route("/", _front_door, include_in_schema=False)
    return app


async def _front_door() -> dict[str, str]:
    return {"name": _TITLE, "api": PREFIX, "description": _DESCRIPTION}


def main() -> NoReturn:
    """Serves the gateway with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
