"""What is worth a notification: in an event by itself, in what happened to things, and in how things stand.

The id of a notice is made of what it is about, so that whoever makes it again makes the same one. Everything here is
pure; what becomes of the notices is for services.analytics.domain.settling to say.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from services.analytics.domain.wording import ABOUT, About
from shared.contracts.envelope import Event, Payload, UserPayload
from shared.contracts.marketplace import CommandRefused
from shared.contracts.notification_views import NotificationCode, Severity
from shared.contracts.profile import DataExported, ProfileUpdated
from shared.contracts.profiles import one_line
from shared.contracts.purchases import CredentialsRevealed
from shared.contracts.times import as_time
from shared.contracts.types import DeploymentStatus
from shared.folds.deployment import Check, Interval
from shared.folds.facts import digest

TOLD_BY: Final[tuple[type[UserPayload], ...]] = (CommandRefused, CredentialsRevealed, DataExported, ProfileUpdated)
WINDOW: Final = timedelta(days=7)
AHEAD: Final = timedelta(hours=1)  # by how much a publisher's clock may be fast
_FAILED_IN_A_ROW: Final = 3
_SERVING: Final = frozenset[DeploymentStatus]({"running", "scaling"})
_LONGEST: Final = 300  # characters of a param
_NO_REASON: Final = "none"

Entity = tuple[Literal["deployment", "purchase", "command"], str]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the user should know; the times are in UTC."""

    id: str
    code: NotificationCode
    severity: Severity
    at: datetime
    params: Mapping[str, str]
    related: Entity | None = None
    resolved_at: datetime | None = None

    @property
    def about(self) -> About:
        """What it has in common with all others of its code."""
        return ABOUT[self.code]


@dataclass(frozen=True, slots=True)
class SignIn:
    """The first sign-in from a place: a country (ISO 3166) and a browser, as far as either is known."""

    country: str | None
    browser: str | None
    first: datetime


def notice(
    user: str,
    code: NotificationCode,
    name: Sequence[str],
    at: datetime,
    params: Mapping[str, str],
    related: Entity | None = None,
    resolved_at: datetime | None = None,
    severity: Severity | None = None,
) -> Notice:
    """A notice of that code; `name` tells it from the user's others of the same code. Params are put in one line."""
    said = {key: shortened(value) for key, value in params.items()}
    return Notice(digest(user, code, *name), code, severity or ABOUT[code].severity, at, said, related, resolved_at)


def shortened(text: str) -> str:
    """The text in one line, cut where it is too long to be read at a glance."""
    line = one_line(text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def is_recent(at: datetime, now: datetime) -> bool:
    """Whether what happened `at` is still news `now`; what lies in the future is a slip of the publisher's."""
    return now - WINDOW <= at <= now + AHEAD


def notice_of(event: Event[Payload]) -> Notice | None:
    """The notice that an event makes by itself, whatever else is known."""
    data = event.data
    name, at = (event.source, event.id), event.time
    match data:
        case CommandRefused(user_email=user, command_id=id, reason=reason):
            said = {"reason": reason or _NO_REASON}
            return notice(user, "request_refused", (id, *name), at, said, ("command", id))
        case CredentialsRevealed(user_email=user, deployment_id=id):
            return notice(user, "credentials_revealed", name, at, {}, ("deployment", id))
        case DataExported(user_email=user, items=items):
            return notice(user, "data_exported", name, at, {"items": str(items)})
        case ProfileUpdated(user_email=user, changed=changed) if "password" in changed:
            return notice(user, "password_changed", name, at, {})
    return None


def errors(user: str, deployment: str, params: Mapping[str, str], passed: Sequence[Interval]) -> Iterator[Notice]:
    """One for each time that the deployment went to error; it is resolved when it came to anything else.

    `passed` are its statuses, oldest first; `params` its `product` and `region`.
    """
    for begin, end in _stretches([interval.status == "error" for interval in passed]):
        first, last = passed[begin], passed[end - 1]
        said = {**params, "reason": first.reason or _NO_REASON}
        yield notice(
            user,
            "deployment_error",
            (deployment, str(first.start)),
            as_time(first.start),
            said,
            ("deployment", deployment),
            _time(last.end),
        )


def failings(
    user: str, deployment: str, params: Mapping[str, str], passed: Sequence[Interval], checks: Iterable[Check]
) -> Iterator[Notice]:
    """One for each time that three health checks in a row failed while the deployment was running.

    It is from the third failed check on, and resolved by the next good one, or with the end of that status. `checks`
    are the failed ones and the one after each of them, in any order.
    """
    ordered = sorted(checks, key=lambda check: check.at)
    for interval in passed:
        if interval.status in _SERVING:
            until = interval.end
            within = [c for c in ordered if interval.start <= c.at and (until is None or c.at < until)]
            for begin, end in _stretches([not check.healthy for check in within]):
                if end - begin >= _FAILED_IN_A_ROW:
                    over = within[end].at if end < len(within) else until
                    at = as_time(within[begin + _FAILED_IN_A_ROW - 1].at)
                    name = (deployment, str(within[begin].at))
                    related: Entity = ("deployment", deployment)
                    yield notice(user, "deployment_unhealthy", name, at, params, related, _time(over))


def new_sign_ins(user: str, places: Iterable[SignIn]) -> Iterator[Notice]:
    """One for each place that brought a country, or a browser, that was not seen before.

    Not seen before means: in no sign-in of an earlier time. The first country of all is no news, nor is the first
    browser; nor are two that came in the same microsecond. So it depends on the set of sign-ins and not on how they
    came.
    """
    known = list(places)
    for place in known:
        earlier = [other for other in known if other.first < place.first]
        countries, browsers = {p.country for p in earlier} - {None}, {p.browser for p in earlier} - {None}
        is_new_country = place.country is not None and bool(countries) and place.country not in countries
        is_new_browser = place.browser is not None and bool(browsers) and place.browser not in browsers
        if is_new_country or is_new_browser:
            country, browser = place.country or "", place.browser or ""
            where = " in ".join(part for part in (browser, country) if part)
            said = {"where": where, "browser": browser, "country": country}
            yield notice(user, "new_sign_in", (country, browser), place.first, said)


def browser_of(user_agent: str | None) -> str | None:
    """The family of browsers that a user agent names itself as; None where it names none that is known.

    Browsers name the ones that they descend from as well, so the order counts.
    """
    marks = {
        "Edg": "Edge",
        "OPR/": "Opera",
        "SamsungBrowser": "Samsung Internet",
        "Firefox/": "Firefox",
        "FxiOS": "Firefox",
        "CriOS": "Chrome",
        "Chrom": "Chrome",
        "Safari/": "Safari",
        "curl/": "curl",
        "python": "Python",
        "Python": "Python",
    }
    return next((family for mark, family in marks.items() if mark in (user_agent or "")), None)


def country_of(ip_country: str | None) -> str | None:
    """The ISO 3166 code in upper case; None for what does not look like one."""
    code = (ip_country or "").upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() else None


def _stretches(holds: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Where it holds without a break: from which place, to which (not included)."""
    begin: int | None = None
    for place, here in enumerate([*holds, False]):
        if here and begin is None:
            begin = place
        elif not here and begin is not None:
            yield begin, place
            begin = None


def _time(at: int | None) -> datetime | None:
    return None if at is None else as_time(at)
