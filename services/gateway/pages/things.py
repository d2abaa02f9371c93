"""What the pages of things need alike: their addresses, and what a form says of them."""

import re
import secrets
from datetime import UTC, date, datetime, time
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData

from services.gateway.pages.view import HOME

_PLAIN: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_MOST_KEY: Final = 256
_MOST_DIGITS: Final = 9

Place = Literal["purchases", "deployments", "discover"]


def address_of(place: Place, id: str) -> str:
    """The address of the page of a purchase, a deployment or a product."""
    return f"{HOME}/{place}/{quote(id, safe='')}"


def anchor(id: str) -> str:
    """`id` in a form that an HTML id may have; another one for any other id."""
    return id if _PLAIN.fullmatch(id) else sha256(id.encode()).hexdigest()[:16]


def new_key() -> str:
    """The beginning of the idempotency keys of a page: a form sent twice is one command."""
    return secrets.token_urlsafe(12)


def key_header(form: FormData) -> dict[str, str]:
    """The header with a form's idempotency key."""
    key = str(form.get("key", ""))
    return {"Idempotency-Key": key} if key.isascii() and key.isprintable() and 0 < len(key) <= _MOST_KEY else {}


def whole_number(text: str) -> int | None:
    """The number that `text` is; None for anything else, and for more digits than any number here has."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else None


def number(text: str) -> float | None:
    """The number that `text` is; None for anything else."""
    try:
        return float(text)
    except ValueError:
        return None


def web_address(text: str | None) -> str | None:
    """`text` where it is an address of the web, for a link to it: a publisher may have given anything."""
    return text if text and re.match(r"https?://[^\s]+$", text, re.IGNORECASE) else None


def moment(text: str | None, zone: ZoneInfo, at: time) -> str | None:
    """The day `text`, such as 2026-01-31, at `at` by the clock of `zone`, in RFC 3339; any other text as it is."""
    try:
        day = date.fromisoformat(text or "")
        return datetime.combine(day, at, zone).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        return text
