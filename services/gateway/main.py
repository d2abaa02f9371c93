"""The gateway: the only place where it is wired together."""

from collections.abc import Callable
from functools import partial
from typing import NoReturn

from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from services.gateway import (
    accounts,
    activities,
    analytics,
    auth,
    notifications,
    operators,
    overview,
    portability,
    profile,
    purchases,
    stream,
)
from services.gateway.cookies import NoCrossSite
from services.gateway.description import ABOUT, PREFIX, TAGS, describe
from services.gateway.headers import BoundedHead, SecurityHeaders
from services.gateway.oidc import Issuer
from services.gateway.overview import ReadyOverviews
from services.gateway.pages import site
from services.gateway.parts import Parts, asking
from services.gateway.restoring import Importer
from services.gateway.services import Services
from services.gateway.sessions import Ended, Sessions
from services.gateway.settings import Settings
from services.gateway.stream import Streams
from services.gateway.tokens import AccessTokens
from services.gateway.updates import Updates
from shared.contracts.topics import Service
from shared.plumbing import health, problems, tracing
from shared.plumbing.dead_letter_desk import Desk
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.publish import Publisher
from shared.plumbing.runtime import Runtime
from shared.plumbing.serve import MeasureRequests, serve
from shared.plumbing.settings import load
from shared.plumbing.topics import ensure_topics

NAME = "gateway"
_TITLE = "Mycelium user dashboard"
_DESCRIPTION = f"{PREFIX}/openapi.json"


class _Gateway(FastAPI):
    """An app whose every answer has the security headers, that of an error nobody expected too.

    `front` is put around it, the first innermost.
    """

    front: list[Callable[[ASGIApp], ASGIApp]] = []

    def build_middleware_stack(self) -> ASGIApp:
        """What FastAPI builds, with the headers around it, and what is in front of it."""
        stack: ASGIApp = SecurityHeaders(super().build_middleware_stack())
        for wrap in self.front:
            stack = wrap(stack)
        return stack


def build_app(settings: Settings) -> FastAPI:
    """The gateway, ready to be served: the same one in production and in the tests."""
    addresses: dict[Service, str] = {
        "activity": settings.activity_url,
        "purchases": settings.purchases_url,
        "profile": settings.profile_url,
        "analytics": settings.analytics_url,
    }
    services = Services(addresses, InternalTokens(settings.internal_key))
    signer = _signer(settings)
    outside = [signer] if isinstance(signer, Issuer) else []
    sessions = Sessions(signer.identify, services)
    publisher = Publisher(NAME, settings)
    parts, streams = Parts(asking(services)), Streams(sessions)
    updates = Updates(settings, parts, streams)
    services.on_change, sessions.on_end = parts.user_changed, partial(_forget, parts, streams)
    runtime = Runtime(
        prepare=[
            services.start,
            *(issuer.start for issuer in outside),
            partial(ensure_topics, settings.kafka_bootstrap_servers),
            publisher.start,
        ],
        jobs=[updates, streams],
        close=[publisher.stop, services.close, *(issuer.close for issuer in outside)],
        leave=streams.leave,
    )
    app = _Gateway(
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
        telemetry=tracing.FASTAPI_OFF,
    )
    app.state.runtime, app.state.parts, app.state.streams = runtime, parts, streams
    app.add_middleware(NoCrossSite)
    app.add_middleware(BoundedHead)
    app.add_middleware(MeasureRequests)
    app.front = [partial(ReadyOverviews, parts=parts, sessions=sessions)]
    if settings.trusted_proxies:
        trusted = settings.trusted_proxies
        app.front.append(lambda inner: ProxyHeadersMiddleware(inner, trusted))  # type: ignore[arg-type, return-value]
    problems.install(app)
    describe(app)
    checks = {"start": runtime.trouble, "kafka": publisher.trouble, "updates": updates.trouble}
    app.include_router(health.routes(checks, {}))
    app.include_router(auth.routes(services, sessions, signer if isinstance(signer, AccessTokens) else None))
    app.include_router(accounts.routes(services, sessions))
    app.include_router(overview.routes(parts, sessions))
    app.include_router(stream.routes(streams, sessions))
    app.include_router(profile.routes(services, sessions))
    app.include_router(activities.routes(services, sessions, publisher))
    app.include_router(purchases.routes(services, sessions))
    app.include_router(purchases.jwks_routes(services))
    app.include_router(analytics.routes(services, sessions))
    app.include_router(notifications.routes(services, sessions))
    importer = Importer(services, settings.export_key)
    app.include_router(operators.routes(sessions, Desk(settings.kafka_bootstrap_servers, publisher)))
    app.include_router(portability.routes(services, sessions, importer, settings.export_key))
    app.include_router(site.routes(services, sessions, parts, streams, publisher, importer, signer))
    return app


def _signer(settings: Settings) -> AccessTokens | Issuer:
    """Who signs the users' tokens: this gateway, or an outside issuer. The settings allow one of the two."""
    if settings.token_key is not None:
        return AccessTokens(settings.token_key, settings.operators)
    assert settings.oidc_issuer and settings.oidc_audience  # noqa: S101, PT018
    return Issuer(settings.oidc_issuer, settings.oidc_audience)


def _forget(parts: Parts, streams: Streams, user: str, is_ended: Ended) -> None:
    """Sessions of the user have ended here."""
    parts.cache.forget(user)
    streams.end(user, is_ended)


def main() -> NoReturn:
    """Serves the gateway with the settings of the environment."""
    settings = load(Settings)
    app = build_app(settings)
    serve(NAME, app, app.state.runtime, settings)
