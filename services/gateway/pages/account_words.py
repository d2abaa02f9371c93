"""Words of the account's page: from where a session is, and what is wrong with a file."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from services.gateway.pages.words import N_

_BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("Firefox", "Firefox")),
    *(("HeadlessChrome", "Chrome"), ("Chrome", "Chrome"), ("CriOS", "Chrome"), ("FxiOS", "Firefox")),
    *(("Safari", "Safari"), ("curl", "curl")),
)
_SYSTEMS: Final = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("CrOS", "ChromeOS")),
    *(("Mac OS X", "macOS"), ("Linux", "Linux")),
)
_PARTS: Final = {
    "profile": N_("your profile"),
    "preferences": N_("your preferences"),
    "sessions": N_("sessions"),
    "activities": N_("activities"),
    "purchases": N_("purchases"),
    "deployments": N_("deployments"),
    "health": N_("health checks"),
    "wallet": N_("the wallet"),
    "transactions": N_("transactions"),
    "pools": N_("pool positions"),
    "commands": N_("commands"),
    "budget": N_("the budget"),
}
_PLACES: Final = {
    "format": N_("The file's format"),
    "version": N_("The file's version"),
    "parts": N_("The file's parts"),
    "manifest": N_("The end of the file"),
    "manifest/counts": N_("The counts at the end of the file"),
    "manifest/signature": N_("The signature at the end of the file"),
}


class Where(NamedTuple):
    """From where a session is: `browser` and `system` are names, empty where the browser does not say."""

    browser: str
    system: str


def where_of(user_agent: str | None) -> Where:
    """What a `User-Agent` says, as far as it is one of a browser in use."""
    text = user_agent or ""
    browser, system = (next((name for mark, name in known if mark in text), "") for known in (_BROWSERS, _SYSTEMS))
    return Where(browser, system)


def said_of(error: Mapping[str, str], gettext: Callable[[str], str]) -> str:
    """An error of a file as a sentence: in which item of which part, and what is wrong there."""
    said = error["detail"]
    detail = gettext(said)
    steps = error["pointer"].removeprefix("#").strip("/").split("/")
    part = gettext(_PARTS[steps[1]]) if len(steps) > 1 and steps[0] == "parts" and steps[1] in _PARTS else None
    if part and len(steps) > 2 and steps[2].isdecimal():
        item = gettext("Item %(number)s of %(part)s") % {"number": int(steps[2]) + 1, "part": part}
        return f"{item}: {' '.join([*steps[3:], detail])}"
    known = _PLACES.get("/".join(steps[:2]))
    place = part or (gettext(known) if known else None)
    return f"{place}: {detail}" if place else detail
