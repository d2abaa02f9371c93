"""Asking the services behind the gateway, and handing on what they answer, byte for byte."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType

import aiohttp
from cachetools import TTLCache
from fastapi import Response
from yarl import URL

from services.gateway.asking_traced import trace_configs
from services.gateway.breaker import Breaker
from shared.contracts.topics import Service
from shared.plumbing import metrics
from shared.plumbing.internal_auth import LIFETIME_SECONDS, InternalTokens
from shared.plumbing.logs import get
from shared.plumbing.problems import ProblemError

READ_SECONDS = 2.0
_SILENT_SECONDS = 15.0  # between two pieces of an answer that streams
_CONNECTIONS_PER_SERVICE = 256  # more than there may be logins waiting, so that they leave room for the rest
_KEEP_ALIVE_SECONDS = 4.0  # less than the services' 5, so that they are not the ones who hang up
_TOKENS, _TOKEN_SECONDS = 10_000, LIFETIME_SECONDS / 2
_PASSED_ON = ("Content-Disposition", "ETag", "Retry-After")
_log = get(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def response(self) -> Response:
        """The same answer for the client."""
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        return Response(self.body, self.status, headers, self.headers.get("Content-Type"))


class Services:
    """The services by their names, asked over one pool of connections.

    A service that leaves questions without any answer is not asked for a while: see `Breaker`. Being refused a
    connection is an answer. `on_change` is called with the user of each change that a service has made for them.
    """

    def __init__(self, addresses: Mapping[Service, str], tokens: InternalTokens) -> None:
        self._addresses = addresses
        self._tokens = tokens
        self._signed: TTLCache[tuple[Service, str | None], str] = TTLCache(_TOKENS, _TOKEN_SECONDS)
        self._http: aiohttp.ClientSession | None = None
        self._breakers = {service: Breaker() for service in addresses}
        self.on_change: Callable[[str], None] = _nothing

    async def start(self) -> None:
        """Makes the pool; connections are made when they are needed."""
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, limit_per_host=_CONNECTIONS_PER_SERVICE, keepalive_timeout=_KEEP_ALIVE_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=trace_configs(),
        )

    async def close(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            await self._http.close()

    async def ask(
        self,
        service: Service,
        path: str,
        *,
        method: str = "GET",
        user: str | None = None,
        query: str = "",
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        seconds: float = READ_SECONDS,
        is_change: bool = True,
    ) -> Answer:
        """What `service` answers, on behalf of `user`; `path` and `query` are percent-encoded already.

        Without `is_change`, what is no GET changes nothing that is shown of the user either: `on_change` is not called.
        Raises a 503 problem if there is no answer within `seconds`, if there has been none for long, or if the service
        does not take our signature. What changes something and is given longer than a read, such as a password to
        check, is asked in any case: it is slow by design, and reads that fail say nothing of it.
        """
        breaker = None if method != "GET" and seconds > READ_SECONDS else self._breakers[service]
        if self._http is None or (breaker and not breaker.lets_through()):
            raise unavailable(service)
        signed = {**headers, "Authorization": f"Bearer {self._token(service, user)}"}
        if body is not None:
            signed["Content-Type"] = "application/json"
        url = URL(f"{self._addresses[service]}{path}{'?' if query else ''}{query}", encoded=True)
        asked_at = time.monotonic()
        try:
            async with (
                asyncio.timeout(seconds),
                self._http.request(method, url, headers=signed, data=body, allow_redirects=False) as response,
            ):
                answer = Answer(response.status, await response.read(), response.headers)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            _log.warning("service_unavailable", service=service, error=type(error).__name__)
            if breaker:
                self._note(service, not isinstance(error, TimeoutError), asked_at)
            raise unavailable(service) from None
        if breaker:
            self._note(service, True, asked_at)
        if answer.status == 401:
            _log.error("service_refuses_our_key", service=service)
            raise unavailable(service)
        if user and method != "GET" and is_change and answer.status < 400:
            self.on_change(user)
        return answer

    @asynccontextmanager
    async def lines(self, service: Service, path: str, user: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The lines that `service` answers, as they come, on behalf of `user`.

        Raises a 503 problem if it does not begin to answer; one that breaks off raises aiohttp.ClientError or
        TimeoutError out of the lines.
        """
        if self._http is None or not self._breakers[service].lets_through():
            raise unavailable(service)
        signed = {"Authorization": f"Bearer {self._token(service, user)}"}
        patience = aiohttp.ClientTimeout(total=None, sock_connect=READ_SECONDS, sock_read=_SILENT_SECONDS)
        url = URL(f"{self._addresses[service]}{path}", encoded=True)
        try:
            answer = await self._http.get(url, headers=signed, timeout=patience, allow_redirects=False)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            _log.warning("service_unavailable", service=service, error=type(error).__name__)
            raise unavailable(service) from None
        async with answer:
            if answer.status != 200:
                _log.warning("service_unavailable", service=service, status=answer.status)
                raise unavailable(service)
            yield _lines_of(answer.content)

    def _note(self, service: Service, answered: bool, asked_at: float) -> None:
        breaker = self._breakers[service]
        if answered:
            breaker.succeeded()
        else:
            breaker.failed(asked_at)
        metrics.BREAKER_OPEN.labels(service).set(breaker.is_open)

    def _token(self, service: Service, user: str | None) -> str:
        known: str | None = self._signed.get((service, user))
        if known is None:
            known = self._signed[(service, user)] = self._tokens.sign(service, user)
        return known


def _nothing(_user: str) -> None:
    pass


async def _lines_of(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length, unlike the reader's own; the last one has an end too."""
    rest = b""
    async for piece in content.iter_any():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line


def unavailable(service: str) -> ProblemError:
    """The problem of a part that does not answer right now."""
    detail = f"The {service} part does not answer right now; try again in a moment."
    return ProblemError(503, f"{service}-unavailable", detail, headers={"Retry-After": "1"})
