"""The pages of the gateway, put together."""

from fastapi import APIRouter, Request, Response

from services.gateway.oidc import Issuer
from services.gateway.pages import (
    account,
    activity,
    analytics,
    assets,
    deployments,
    discover,
    entry,
    home,
    notifications,
    onboarding,
    preferences,
    profile,
    purchases,
    recommendations,
    search,
    wallet,
    why,
)
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages
from services.gateway.parts import Parts
from services.gateway.restoring import Importer
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.stream import Streams
from services.gateway.tokens import AccessTokens
from shared.plumbing.problems import ProblemError
from shared.plumbing.publish import Publisher

_GROUPS = (
    activity,
    analytics,
    deployments,
    discover,
    home,
    notifications,
    onboarding,
    preferences,
    profile,
    purchases,
    recommendations,
    search,
    wallet,
    why,
)


def routes(
    services: Services,
    sessions: Sessions,
    parts: Parts,
    streams: Streams,
    publisher: Publisher,
    importer: Importer,
    signer: AccessTokens | Issuer,
) -> APIRouter:
    """Every page, and what pages load. `signer` is who signs the users' tokens: this gateway or an outside issuer."""
    pages = Pages(services, sessions, parts, streams, publisher)
    every = APIRouter(include_in_schema=False)
    every.include_router(entry.routes(pages, signer))
    every.include_router(account.routes(pages, importer))
    for group in _GROUPS:
        every.include_router(group.routes(pages))
    every.add_api_route(f"{assets.PREFIX}/{{name}}", pages.assets.serve)
    last = pages.router(prefix="/dashboard")

    @last.api_route("{rest:path}", methods=["GET", "POST"])
    async def nowhere(request: Request) -> Response:
        if request.url.path.rstrip("/") == "/dashboard":
            return pages.guest(request).go(HOME)
        raise ProblemError(404, "not-found", "")

    every.include_router(last)
    return every
