"""A signed-in user looks at a page: who, and everything that the page may ask on their behalf."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import URL
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.gateway.description import PREFIX
from services.gateway.pages.assets import Assets
from services.gateway.pages.forms import Sent
from services.gateway.pages.view import HOME, LOGIN, Frame, View
from services.gateway.parts import Parts
from services.gateway.services import READ_SECONDS, Services, unavailable
from services.gateway.sessions import Bearer, Cookie, Sessions
from services.gateway.stream import Streams
from services.gateway.tokens import Identity
from shared.contracts.topics import Service
from shared.plumbing.logs import get
from shared.plumbing.problems import ProblemError, route_of
from shared.plumbing.publish import Publisher

Query = Mapping[str, Any] | Iterable[tuple[str, Any]]  # Any: whatever has a text; None and "" are left out
Json = Any  # what a service answered
_UNAVAILABLE: Final = 503
_log = get(__name__)


@dataclass(kw_only=True)
class Visit(View):
    """A page for a user who is signed in."""

    services: Services
    parts: Parts
    publisher: Publisher
    identity: Identity
    stream: str  # the address of what changes from when this page began to be made

    async def ask(self, service: Service, path: str, query: Query = (), *, seconds: float = READ_SECONDS) -> Json:
        """What `service` answers, as JSON. Raises its problem where it says no: a 404 becomes the page's 404."""
        answer = await self.services.ask(
            service, quote(path), user=self.identity.user, query=_encoded(query), seconds=seconds
        )
        if answer.status == 200:
            return orjson.loads(answer.body)
        body = orjson.loads(answer.body)
        code = str(body.get("type", "")).rpartition(":")[2]
        raise ProblemError(answer.status, code, body.get("detail", ""), errors=body.get("errors", ()))

    async def ask_or_none(
        self, service: Service, path: str, query: Query = (), *, seconds: float = READ_SECONDS
    ) -> Json | None:
        """The same for a part that the page can do without: None where the service does not answer right now."""
        try:
            return await self.ask(service, path, query, seconds=seconds)
        except ProblemError as problem:
            if problem.status != _UNAVAILABLE:
                raise
            return None

    async def send(
        self,
        service: Service,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        seconds: float = READ_SECONDS,
    ) -> Sent:
        """Has `service` change something; what it says, good or bad. Raises a 503 problem if it does not answer."""
        answer = await self.services.ask(
            service,
            quote(path),
            method=method,
            user=self.identity.user,
            body=None if body is None else orjson.dumps(body),
            headers=headers or {},
            seconds=seconds,
        )
        if answer.status >= 500:
            raise unavailable(service)
        return Sent.of(answer)

    async def command(self) -> Json | None:
        """What has become of the command that the address names, if it does: see `View.go(..., command=id)`."""
        command_id = self.request.query_params.get("command")
        try:
            return await self.ask_or_none("purchases", f"/commands/{command_id}") if command_id else None
        except ProblemError:
            return None


def _encoded(query: Query) -> str:
    pairs = query.items() if isinstance(query, Mapping) else query
    return urlencode([(name, value) for name, value in pairs if value not in (None, "")])


class Pages:
    """What the pages are made with; one for the whole gateway."""

    def __init__(
        self, services: Services, sessions: Sessions, parts: Parts, streams: Streams, publisher: Publisher
    ) -> None:
        self.services = services
        self.parts = parts
        self.streams = streams
        self.publisher = publisher
        self.sessions = sessions
        self.assets = Assets()

    def guest(self, request: Request) -> View:
        """A page for somebody who is not signed in, or who need not be."""
        return View(request, self.assets)

    async def visit(self, request: Request, bearer: Bearer, cookie: Cookie) -> Visit:
        """A page for whoever the session's cookie says. Raises a 401 problem: `router`'s routes lead to the login."""
        identity = await self.sessions.identity(request, bearer, cookie)
        place = self.streams.place_of(identity.user)
        frame = await self._frame(identity.user)
        visit = Visit(
            request,
            self.assets,
            frame,
            signed_in=True,
            services=self.services,
            parts=self.parts,
            publisher=self.publisher,
            identity=identity,
            stream=f"{PREFIX}/stream" + (f"?last_event_id={place}" if place else ""),
        )
        request.state.visit = visit
        return visit

    def router(self, prefix: str = HOME) -> APIRouter:
        """A router for pages below `prefix`: its errors are pages, and who is not signed in is led to the login."""
        return APIRouter(prefix=prefix, include_in_schema=False, route_class=self._route_class())

    async def _frame(self, user: str) -> Frame:
        profile, analytics = await asyncio.gather(self.parts.of(user, "profile"), self.parts.of(user, "analytics"))
        known, insights = profile.json("user"), analytics.json("insights") or {}
        unread = insights.get("unread_notifications", 0)
        if known is None:
            return Frame(unread=unread)
        return Frame(
            display_name=known["display_name"],
            country=known["country"],
            timezone=known["timezone"],
            language=known["language"] if known["has_chosen"] else None,
            theme=known["theme"],
            layout=known["dashboard_layout"],
            page_size=known["items_per_page"],
            currency=known["preferred_currency"],
            unread=unread,
            toasts=known["push_notifications"],
        )

    def _route_class(self) -> type[APIRoute]:
        pages = self

        class PageRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
                return pages.with_error_pages(super().get_route_handler())

        return PageRoute

    def with_error_pages(
        self, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """`handle`, whose problems are pages that say what happened, what is safe and what to do."""

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except ProblemError as problem:
                return self.problem(request, problem)
            except RequestValidationError:
                return self.problem(request, ProblemError(422, "bad-address", ""))
            except HTTPException as error:
                return self.problem(request, ProblemError(error.status_code, "http", ""))
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Exception as error:  # noqa: BLE001  (a user gets a page, whatever it was)
                _log.error("page_failed", route=route_of(request), exc_info=error)
                return self.problem(request, ProblemError(500, "internal", ""))

        return handled

    @staticmethod
    def _to_login(request: Request, view: View) -> Response:
        """To the login and back: to the same address, or to the page whose form was sent."""
        if request.method != "GET":
            return view.go(LOGIN, said="not-saved", next=_page_of_the_form(request))
        ended = "session" in request.cookies
        return view.go(LOGIN, said="session-over" if ended else None, next=_address(request))

    def problem(self, request: Request, problem: ProblemError) -> Response:
        """The page for a problem; for one who is not signed in, the way to the login and back."""
        view: View = getattr(request.state, "visit", None) or self.guest(request)
        if problem.status == 401:
            return self._to_login(request, view)
        response = view.page("problem.html", problem.status, problem=problem)
        response.headers.update(problem.headers or {})
        return response


def _address(request: Request) -> str:
    return _path(request.url)


def _page_of_the_form(request: Request) -> str:
    """The page that the form was on, as the browser says; the overview where it does not."""
    page = URL(request.headers.get("referer", ""))
    return _path(page) if page.netloc == request.headers.get("host") else HOME


def _path(url: URL) -> str:
    return url.path + (f"?{url.query}" if url.query else "")
