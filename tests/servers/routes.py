"""Every operation that an app of ours has, so that a new one cannot be forgotten by a test."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

_NO_PAGES = ("/api/", "/ops/", "/livez", "/readyz", "/metrics", "/.well-known/")


class Operation(NamedTuple):
    """A method, and a path with its parameters' names in braces."""

    method: str
    path: str

    @property
    def changes(self) -> bool:
        """Whether the method is one that may change something."""
        return self.method not in ("GET", "HEAD", "OPTIONS")

    @property
    def is_page(self) -> bool:
        """Whether a browser is meant to go there: a page, what a page loads, or where a form is sent."""
        return not self.path.startswith(_NO_PAGES)

    @property
    def parameters(self) -> set[str]:
        """The names in braces."""
        return {*re.findall(r"{(\w+)}", self.path)}

    def at(self, values: Mapping[str, str]) -> str:
        """The path with these values. Raises KeyError for a parameter without one."""
        return re.sub(r"{(\w+)}", lambda name: values[name[1]], self.path)

    @property
    def anywhere(self) -> str:
        """The path with values of no meaning."""
        return self.at(dict.fromkeys(self.parameters, "x"))


def operations(app: FastAPI) -> list[Operation]:
    """All of them, those that the description does not show too."""
    found = iter_route_contexts(app.routes)
    return sorted({Operation(method, route.path) for route in found for method in route.methods or () if route.path})
