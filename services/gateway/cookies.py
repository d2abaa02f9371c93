"""The session cookie of the pages, and what keeps other sites from using it.

A browser sends the cookie along with requests that another site makes it send. So a request that changes something and
is known by the cookie must come from a page of this very site: the browser says so in `Sec-Fetch-Site`, or in `Origin`.
"""

from fastapi import Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.plumbing.problems import ProblemError, problem_response

NAME = "session"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_CROSS_SITE = ProblemError(
    403,
    "cross-site",
    "A change that is signed in by the cookie is taken from this site's own pages only; other clients send the token "
    "as `Authorization: Bearer …`.",
)


def keep(response: Response, request: Request, token: str, seconds: int) -> None:
    """Makes the browser keep `token` for `seconds`, out of reach of scripts and of other sites' forms."""
    response.set_cookie(
        NAME, token, max_age=seconds, httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )


def forget(response: Response, request: Request) -> None:
    """Makes the browser forget the token, if it has one."""
    if NAME in request.cookies:
        response.delete_cookie(NAME, httponly=True, samesite="lax", secure=request.url.scheme == "https")


def is_own_page(scope: Scope) -> bool:
    """Whether the browser says that the request was made by a page of this very site."""
    headers = Headers(scope=scope)
    if site := headers.get("sec-fetch-site"):
        return site == "same-origin"
    return headers.get("origin") == f"{scope['scheme']}://{headers.get('host')}"


class NoCrossSite:
    """Refuses what another site makes a browser change by means of the cookie. A bearer token is no concern of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers a 403 problem."""
        changes = scope["type"] == "http" and scope["method"] not in _SAFE_METHODS
        refused = changes and _has_the_cookie(scope) and not is_own_page(scope)
        await (problem_response(_CROSS_SITE) if refused else self._app)(scope, receive, send)


def _has_the_cookie(scope: Scope) -> bool:
    """Whether it is the cookie that would say who is asking."""
    headers = Headers(scope=scope)
    has_a_token = headers.get("authorization", "").lower().startswith("bearer ")
    return not has_a_token and NAME in Request(scope).cookies
