"""A page being made: for whom, in which language, and out of which template."""

import gzip
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from gettext import NullTranslations
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.gateway.pages.assets import Assets
from services.gateway.pages.languages import accepted, language_of, locale_of, translations
from services.gateway.pages.notices import NOTICES
from services.gateway.pages.show import Show
from services.gateway.pages.templating import environment

HOME: Final = "/dashboard/user"
LOGIN: Final = "/login"
_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # without it a form of ours would not say where it comes from
    "Vary": "Accept-Encoding, Cookie",
}
_LARGE_BYTES = 2_000
_BLANKS = re.compile(r"\n\s+")
_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur", "yi", "ps", "dv", "ug", "sd", "ckb")


@dataclass(frozen=True)
class Frame:
    """What every page shows of its user, and how they want it: as the profile service has it."""

    display_name: str = ""
    country: str | None = None
    timezone: str = "UTC"
    language: str | None = None  # None: what the browser asks for
    theme: str = "auto"
    layout: str = "cards"
    page_size: int = 50
    currency: str = "TFP"
    unread: int = 0
    toasts: bool = False  # whether a new notification is shown on the open page


@dataclass
class View:
    """Makes pages for one request. `frame` is the default one for who is not signed in."""

    request: Request
    assets: Assets
    frame: Frame = field(default_factory=Frame)
    signed_in: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def locale(self) -> Locale:
        """How numbers and dates are written."""
        if self.frame.language is None:
            return accepted(self.request.headers.get("accept-language", ""))
        return locale_of(self.frame.language, self.frame.country)

    @property
    def language(self) -> str:
        """The language of the texts, one of LANGUAGES."""
        return language_of(self.locale)

    @property
    def translations(self) -> NullTranslations:
        """The texts of the language; `_ = view.translations.gettext` in a page's code."""
        return translations(self.language)

    @cached_property
    def zone(self) -> ZoneInfo:
        """The user's time zone."""
        try:
            return ZoneInfo(self.frame.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @cached_property
    def show(self) -> Show:
        """Shows values as this user reads them."""
        return Show(self.locale, self.zone, self.now, self.translations.gettext)

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """The page that `template` makes of `values` and of what every page has."""
        text = (
            environment(self.language)
            .get_template(template)
            .render(
                view=self,
                show=self.show,
                frame=self.frame,
                request=self.request,
                assets=self.assets,
                home=HOME,
                said=self._said(),
                **values,
            )
        )
        return self._html(_BLANKS.sub("\n", text), status)

    def go(self, path: str, said: str | None = None, **query: str) -> Response:
        """Sends the browser on to `path`, whose page then says `said`, a name in NOTICES."""
        asked = query | ({"said": said} if said else {})
        anchor = path.partition("#")[2]
        address = path.partition("#")[0] + (f"{'&' if '?' in path else '?'}{urlencode(asked)}" if asked else "")
        return RedirectResponse(address + (f"#{anchor}" if anchor else ""), 303)

    def here(self, drop: Sequence[str] = (), **changes: str | None) -> str:
        """This page's address with other query parameters: None takes one out."""
        gone = {*drop, *changes, "said"}
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name not in gone]
        added = [(name, value) for name, value in changes.items() if value is not None]
        query = urlencode([*kept, *added])
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def direction(self) -> str:
        """The direction of what the user reads; the four languages of the texts go from left to right."""
        return "rtl" if self.language in _RIGHT_TO_LEFT else "ltr"

    def _said(self) -> str | None:
        name = self.request.query_params.get("said")
        return self.translations.gettext(NOTICES[name]) if name in NOTICES else None

    def _html(self, text: str, status: int) -> Response:
        body, headers = text.encode(), dict(_HEADERS)
        zips = "gzip" in self.request.headers.get("accept-encoding", "")
        if zips and self.request.method == "GET" and len(body) > _LARGE_BYTES:
            body = gzip.compress(body, 4, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return Response(body, status, headers, "text/html")
