"""A browser, as far as it is measured: it keeps cookies, logs in by the form, and loads what a page is made of."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

LOGIN, HOME = "/login", "/dashboard/user"
_ASSETS: Final = re.compile(r'(?:href|src)="(/[^"]+\.(?:css|js))"')


@asynccontextmanager
async def browser(gateway: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser in which nobody is logged in; paths are those of `gateway`."""
    jar = aiohttp.CookieJar(unsafe=True)  # the gateway's address is a number
    async with aiohttp.ClientSession(gateway, cookie_jar=jar) as http:
        yield http


async def log_in(http: aiohttp.ClientSession, gateway: str, credentials: Mapping[str, str]) -> str:
    """Sends the form; the overview that it leads to."""
    form = {**credentials, "next": HOME}
    async with http.post(LOGIN, data=form, headers={"Origin": gateway}, raise_for_status=True) as response:
        assert response.url.path == HOME, response.url
        return await response.text()


def assets_of(page: str) -> list[str]:
    """The paths of its style sheets and scripts."""
    return _ASSETS.findall(page)
