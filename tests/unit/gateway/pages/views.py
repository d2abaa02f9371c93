"""Views of a request that nobody sent."""

from datetime import UTC, datetime

from fastapi import Request

from services.gateway.pages.assets import Assets
from services.gateway.pages.show import Show
from services.gateway.pages.view import Frame, View

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
ASSETS = Assets()


def request(path: str = "/dashboard/user", query: str = "", **headers: str) -> Request:
    """A GET, its headers with `_` for `-`."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": query.encode(),
        "headers": raw,
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
    }
    return Request(scope)


def view(path: str = "/dashboard/user", query: str = "", frame: Frame | None = None, **headers: str) -> View:
    """A view of that request, as of NOW."""
    return View(request(path, query, **headers), ASSETS, frame or Frame(language="en"), now=NOW)


def show(language: str) -> Show:
    """How things are shown on a page in that language."""
    return view(frame=Frame(language=language)).show
