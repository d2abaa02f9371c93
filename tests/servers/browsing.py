"""A browser without JavaScript: follows links, fills in forms, keeps cookies, and reads what the pages say."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser

import aiohttp
from yarl import URL

from tests.servers.dashboard import PASSWORD, Site, User

_VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "col", "wbr"})
_UNSEEN = frozenset({"script", "style", "title", "desc", "noscript"})


@dataclass
class Element:
    """An element of a page: its tag, its attributes, and what is in it, texts and elements in order."""

    tag: str
    attributes: Mapping[str, str]
    children: list["Element | str"] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list["Element"]:
        """Every element within, in order, with this tag and these attributes (`class_` and `data_x` as in HTML)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [each for each in self._within() if tag in ("", each.tag) and each._has(wanted)]

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The only such element. Raises AssertionError where there is none, or several."""
        found = self.all(tag, **attributes)
        assert len(found) == 1, (tag, attributes, len(found), self.text[:2_000])
        return found[0]

    @property
    def text(self) -> str:
        """What there is to read, in one line."""
        parts = (each if isinstance(each, str) else each.text for each in self.children)
        return "" if self.tag in _UNSEEN else " ".join(" ".join(parts).split())

    @property
    def fields(self) -> dict[str, str]:
        """What a form sends if nobody changes anything."""
        sent = {each.attributes["name"]: each.attributes.get("value", "") for each in self.all("input") if _sends(each)}
        sent |= {each.attributes["name"]: each.text for each in self.all("textarea")}
        for select in self.all("select"):
            options = select.all("option")
            chosen = [each for each in options if "selected" in each.attributes] or options[:1]
            for each in chosen:
                sent[select.attributes["name"]] = each.attributes.get("value", each.text)
        return sent

    def _within(self) -> Iterator["Element"]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child._within()

    def _has(self, wanted: Mapping[str, str]) -> bool:
        return all(
            value in self.attributes.get(name, "").split() if name == "class" else self.attributes.get(name) == value
            for name, value in wanted.items()
        )


def _sends(element: Element) -> bool:
    chosen = element.attributes.get("type") not in ("checkbox", "radio") or "checked" in element.attributes
    return "name" in element.attributes and chosen


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        while len(self.open) > 1 and tag in [each.tag for each in self.open]:
            if self.open.pop().tag == tag:
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


@dataclass(frozen=True)
class Page:
    """What a browser shows after redirects: `address` is the path and the query."""

    status: int
    address: str
    headers: Mapping[str, str]
    html: str
    root: Element

    def form(self, action: str) -> Element:
        """The first form that posts to a path with this end."""
        found = [each for each in self.root.all("form") if each.attributes.get("action", "").endswith(action)]
        assert found, (action, self.root.text[:2_000])
        return found[0]


@dataclass(frozen=True)
class Browser:
    """A browser at a site."""

    site: Site
    http: aiohttp.ClientSession

    async def get(self, path: str, **headers: str) -> Page:
        """Goes to a page of the site; `headers` as in `accept_language`."""
        return await self._ask("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] | aiohttp.FormData,
        *,
        origin: str | None = None,
        referer: str = "",
    ) -> Page:
        """Sends a form, from a page of this site unless `origin` says otherwise; pairs may have a name twice."""
        headers = {"Origin": origin or self.site.url, "Referer": f"{self.site.url}{referer}"}
        return await self._ask("POST", path, data=fields, headers=headers)

    async def submit(self, page: Page, action: str, **changes: str) -> Page:
        """Sends a page's form as it is, but for the changes."""
        form = page.form(action)
        return await self.post(form.attributes["action"], form.fields | changes)

    async def sign_in(self, email: str, password: str = PASSWORD) -> Page:
        """Signs in by the form."""
        return await self.post("/login", {"email": email, "password": password, "next": ""})

    async def _ask(self, method: str, path: str, *, headers: Mapping[str, str], data: object = None) -> Page:
        url = URL(f"{self.site.url}{path}")
        async with self.http.request(method, url, data=data, headers=headers) as response:
            text = await response.text()
            builder = _Builder()
            builder.feed(text)
            builder.close()
            return Page(response.status, response.url.path_qs, response.headers, text, builder.open[0])


@asynccontextmanager
async def browsing(site: Site, user: User | None = None) -> AsyncIterator[Browser]:
    """A browser of its own; with a user, one in which they are signed in."""
    jar = aiohttp.CookieJar(unsafe=True)  # the site's address is a number
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        if user is not None:
            jar.update_cookies({"session": user.token}, URL(site.url))
        yield Browser(site, http)
