"""An OpenID Connect issuer: what it describes itself as, its keys, and the tokens that it signs."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from mycelium.stack.ports import LOOPBACK, free_ports

AUDIENCE = "the-dashboard"
Key = RSAKey | ECKey


def rsa_key(kid: str, bits: int = 2_048) -> RSAKey:
    """A key that signs RS256."""
    return RSAKey.generate_key(bits, {"kid": kid, "use": "sig", "alg": "RS256"})


def ec_key(kid: str) -> ECKey:
    """A key that signs ES256."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})


class IssuerServer:
    """An issuer at `url`. `described` and `published` are what it answers; `is_slow` keeps its answers back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._runner: web.AppRunner | None = None
        self.url = f"http://{LOOPBACK}:{port}"
        self.rsa, self.ec = rsa_key("rsa-1"), ec_key("ec-1")
        self.described: Any = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}  # Any: also what is wrong
        self.published: Any = None
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.times_asked = 0
        self.publish(self.rsa, self.ec)

    def publish(self, *keys: Key) -> None:
        """From now on these are the issuer's keys."""
        self.published = KeySet(list(keys)).as_dict(private=False)

    def token(
        self,
        user: str,
        claims: Mapping[str, object] = MappingProxyType({}),
        *,
        key: Key | None = None,
        header: Mapping[str, object] = MappingProxyType({}),
    ) -> str:
        """A token of the issuer's, with these claims besides or instead of the usual ones; None leaves one out."""
        key = key or self.rsa
        now = int(time.time())
        good: dict[str, object] = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": user,
            "sid": uuid4().hex,
            "iat": now,
            "auth_time": now,
            "exp": now + 3_600,
        }
        told = {name: value for name, value in {**good, **claims}.items() if value is not None}
        algorithm = str(key.get("alg"))
        return jwt.encode({"alg": algorithm, "kid": key.kid, **header}, told, key, algorithms=[algorithm])

    async def start(self) -> None:
        """Answers from now on."""
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._description)
        app.router.add_get("/keys", self._keys)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, self._port).start()

    async def stop(self) -> None:
        """Is away from now on; `start` brings it back at the same address."""
        self.may_answer.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _description(self, _request: web.Request) -> web.Response:
        await self.may_answer.wait()
        return web.json_response(self.described)

    async def _keys(self, _request: web.Request) -> web.Response:
        self.times_asked += 1
        return web.json_response(self.published)


@asynccontextmanager
async def issuing() -> AsyncIterator[IssuerServer]:
    """An issuer that answers, stopped afterwards."""
    server = IssuerServer(free_ports(1)[0])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
