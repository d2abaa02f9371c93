"""Signing in and out, and making an account."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Request, Response

from services.gateway import cookies
from services.gateway.auth import sign_in
from services.gateway.oidc import Issuer
from services.gateway.pages.choosing import time_zones
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.view import HOME, LOGIN
from services.gateway.pages.visits import Pages
from services.gateway.pages.words import N_
from services.gateway.services import Answer
from services.gateway.sessions import PASSWORD_SECONDS, Bearer, Cookie
from services.gateway.tokens import AccessToken, AccessTokens, OutsideIdentity
from shared.plumbing.problems import ProblemError

_CROSS_SITE = ProblemError(403, "cross-site", "Sign in on this site's own page.")
_BAD_TOKEN = N_("This token is not valid here, or not any more. Get a new one where you sign in.")
_TOO_LONG = N_("This token is longer than a browser keeps. Have your provider put less into it.")
_WRONG: Final = 401
_MOST_COOKIE_BYTES: Final = 4_000
_TOO_OFTEN: Final = 429
_FIELDS: Final = ("email", "display_name", "country", "timezone", "token", "next")


def routes(pages: Pages, signer: AccessTokens | Issuer) -> APIRouter:
    """`/`, `/login`, `/register`, `/logout`. Where `signer` is an outside issuer, the accounts are there."""
    router = pages.router(prefix="")
    entry = _Entry(pages, signer)

    @router.get("/")
    async def front_door(request: Request) -> Response:
        return pages.guest(request).go(HOME)

    @router.get(LOGIN)
    async def login(request: Request, next: str = "") -> Response:
        return pages.guest(request).go(_own(next)) if await entry.knows(request) else entry.login_page(request, next)

    @router.post(LOGIN)
    async def log_in(request: Request) -> Response:
        given = await _own_form(request)
        return await entry.with_token(request, given) if entry.issuer else await entry.with_password(request, given)

    @router.get("/register")
    async def register(request: Request) -> Response:
        return entry.register_page(request)

    @router.post("/register")
    async def make_account(request: Request) -> Response:
        given = await _own_form(request)
        return entry.register_page(request) if entry.issuer else await entry.new_account(request, given)

    @router.post("/logout")
    async def log_out(request: Request, bearer: Bearer, cookie: Cookie) -> Response:
        response = pages.guest(request).go(LOGIN, said="signed-out")
        try:
            identity = await pages.sessions.identity(request, bearer, cookie)
            await pages.sessions.end(identity, identity.session_id)
        except ProblemError as problem:
            if problem.status != _WRONG:
                raise
        cookies.forget(response, request)
        return response

    return router


@dataclass(frozen=True)
class _Entry:
    pages: Pages
    signer: AccessTokens | Issuer

    @property
    def issuer(self) -> str | None:
        """The outside issuer's address, where accounts are kept there."""
        return self.signer.url if isinstance(self.signer, Issuer) else None

    async def knows(self, request: Request) -> bool:
        """Whether the one who asks is signed in already."""
        cookie = request.cookies.get(cookies.NAME)
        try:
            return cookie is not None and bool(await self.pages.sessions.identity(request, None, cookie))
        except ProblemError:
            return False

    async def with_password(self, request: Request, given: Mapping[str, str]) -> Response:
        """Opens a session for the right email and password."""
        try:
            opened = await self._open(request, given)
        except ProblemError as problem:
            if problem.status != _WRONG:
                raise
            return self.login_page(request, given["next"], 401, email=given["email"], problem=problem.detail)
        if not isinstance(opened, Answer):
            return self._welcome(request, opened.text, opened.expires_in, given["next"])
        sent = Sent.of(opened)
        wait = int(opened.headers.get("Retry-After", "1")) if sent.status == _TOO_OFTEN else None
        shown = {"email": given["email"], "errors": sent.errors, "problem": sent.problem, "wait": wait}
        response = self.login_page(request, given["next"], sent.status, **shown)
        if wait:
            response.headers["Retry-After"] = str(wait)
        return response

    async def with_token(self, request: Request, given: Mapping[str, str]) -> Response:
        """Keeps a token of the outside issuer as the session, if it is a good one."""
        if len(given["token"]) > _MOST_COOKIE_BYTES:
            return self.login_page(request, given["next"], 422, errors={"token": _TOO_LONG})
        try:
            identity = await self.pages.sessions.check(given["token"], request.headers.get("user-agent"))
        except ProblemError as problem:
            if problem.status != _WRONG:
                raise
            return self.login_page(request, given["next"], 401, errors={"token": _BAD_TOKEN})
        assert isinstance(identity, OutsideIdentity)  # noqa: S101  (the issuer's tokens are)
        seconds = int((identity.expires_at - datetime.now(UTC)).total_seconds())
        return self._welcome(request, given["token"], seconds, given["next"])

    async def new_account(self, request: Request, given: Mapping[str, str]) -> Response:
        """Makes the account, signs its user in, and leads them to their first choices."""
        asked = ("email", "password", "display_name", "country", "timezone")
        body = orjson.dumps({name: given[name] for name in asked if given[name]})
        answer = await self.pages.services.ask(
            "profile", "/accounts", method="POST", body=body, seconds=PASSWORD_SECONDS
        )
        made = Sent.of(answer)
        if not made.done:
            return self.register_page(request, made.status, given=given, sent=made)
        opened = await self._open(request, given)
        if isinstance(opened, Answer):
            return self.pages.guest(request).go(LOGIN, said="welcome")
        return self._welcome(request, opened.text, opened.expires_in, f"{HOME}/onboarding")

    def login_page(self, request: Request, way: str, status: int = 200, **values: object) -> Response:
        """The page to sign in on; `way` is the address to go to then."""
        shown: dict[str, object] = {"email": "", "errors": {}, "problem": None, "wait": None}
        view = self.pages.guest(request)
        return view.page("login.html", status, next=way, issuer=self.issuer, **shown | values)

    def register_page(
        self, request: Request, status: int = 200, given: Mapping[str, str] | None = None, sent: Sent | None = None
    ) -> Response:
        """The page to make an account on."""
        view = self.pages.guest(request)
        return view.page(
            "register.html",
            status,
            issuer=self.issuer,
            given=given or {},
            errors=sent.errors if sent else {},
            problem=sent.problem if sent and not sent.errors else None,
            countries=view.show.countries(),
            zones=time_zones(),
        )

    async def _open(self, request: Request, given: Mapping[str, str]) -> AccessToken | Answer:
        assert isinstance(self.signer, AccessTokens)  # noqa: S101  (accounts are kept here)
        credentials = orjson.dumps({name: given[name] for name in ("email", "password")})
        return await sign_in(self.pages.services, self.signer, request, credentials)

    def _welcome(self, request: Request, token: str, seconds: int, way: str) -> Response:
        response = self.pages.guest(request).go(_own(way))
        cookies.keep(response, request, token, seconds)
        return response


def _own(way: str) -> str:
    """Where the user wanted to go, if that is a page of this site; else the overview."""
    to = urlsplit(way)
    is_own = way.startswith("/") and not to.scheme and not to.netloc and not way.startswith(("//", "/\\", LOGIN))
    return way if is_own else HOME


async def _own_form(request: Request) -> Mapping[str, str]:
    """A form of this site's own page: another site's would sign the user in as somebody else."""
    if not cookies.is_own_page(request.scope):
        raise _CROSS_SITE
    form = await form_of(request)
    given = {name: str(form.get(name, "")) for name in (*_FIELDS, "password")}
    return {name: text if name == "password" else text.strip() for name, text in given.items()}
