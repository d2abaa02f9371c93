"""Who a user is and what they prefer: the read models, and what may be changed of them.

Texts are in Unicode's NFC, trimmed and without control characters; times are in UTC; money is a decimal in a string.
Babel is imported where something is checked with it: most services know these models and check none of them.
"""

import re
import unicodedata
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from shared.contracts.types import Currency, Id, Price

Visibility = Literal["public", "limited", "private"]
Theme = Literal["light", "dark", "auto"]
Layout = Literal["compact", "detailed", "cards", "list"]

OWN_CURRENCY: Final = "TFP"
_E164 = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_NETWORK = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}", re.ASCII)
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # the reading direction
MOST_LINKS: Final = 20
_MOST_PROVIDERS = 200


def cleaned(text: str) -> str:
    """The text in NFC and trimmed, without control characters and marks that turn the reading direction around.

    Line breaks and tabs stay.
    """
    kept = "".join(c for c in text if c in "\n\t" or not _is_control(c))
    return unicodedata.normalize("NFC", kept).strip()


def one_line(text: str) -> str:
    """The cleaned text in one line, with one blank between its words."""
    return " ".join(cleaned(text).split())


def _is_control(character: str) -> bool:
    """Half a surrogate pair counts as one: JSON can hold it, and UTF-8 cannot."""
    return unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING


def _clean_line(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value


def _clean_text(value: object) -> object:
    return cleaned(value) if isinstance(value, str) else value


def _nothing(value: object) -> object:
    """A form sends an empty field for one that was emptied."""
    return None if isinstance(value, str) and not cleaned(value) else value


def web_address(value: str) -> str:
    """Raises ValueError unless `value` is an absolute http or https URL without a password in it."""
    try:
        url = urlsplit(value)
        right = url.scheme in ("http", "https") and bool(url.hostname) and url.username is None and url.port != 0
    except ValueError:
        right = False
    if not right or any(c.isspace() or _is_control(c) for c in value):
        raise ValueError("should be a web address that begins with https:// or http://")
    return value


def time_zone(value: str) -> str:
    """Raises ValueError unless `value` is the IANA name of a time zone."""
    if value not in _time_zones():
        raise ValueError("should be the IANA name of a time zone, such as Europe/Stockholm")
    return value


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})


def country(value: str) -> str:
    """The ISO 3166-1 alpha-2 code in upper case. Raises ValueError if there is no such country."""
    code = value.upper()
    if code not in country_codes():
        raise ValueError("should be a country's ISO 3166 code of two letters, such as SE")
    return code


@cache
def country_codes() -> frozenset[str]:
    """The ISO 3166-1 alpha-2 codes of all countries."""
    from babel import Locale

    not_countries = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "XK", "ZZ"}
    codes = (str(code) for code in Locale("en").territories)
    return frozenset(code for code in codes if len(code) == 2 and code.isalpha()) - not_countries


def language(value: str) -> str:
    """The BCP 47 tag as it is usually written. Raises ValueError if it is none of a language that is known."""
    from babel import Locale, UnknownLocaleError

    try:
        locale = Locale.parse(value, sep="-")
    except (ValueError, UnknownLocaleError, TypeError):
        raise ValueError("should be the BCP 47 tag of a language, such as en or pt-BR") from None
    return str(locale).replace("_", "-")


def currency(value: str) -> str:
    """Raises ValueError unless `value` is an ISO 4217 code or TFP."""
    from babel.core import get_global

    if value != OWN_CURRENCY and value not in get_global("all_currencies"):
        raise ValueError("should be TFP or an ISO 4217 code, such as EUR")
    return value


def _phone(value: str) -> str:
    number = re.sub(r"[ ()./-]", "", value)
    if not _E164.fullmatch(number):
        raise ValueError("should be an international number (E.164), such as +46701234567")
    return number


def _links(value: dict[str, str | None]) -> dict[str, str | None]:
    if not all(_NETWORK.fullmatch(name) for name in value):
        raise ValueError("the names should be of small letters, digits and . _ -, at most 32, such as github")
    return value


def _different(value: list[str]) -> list[str]:
    return list(dict.fromkeys(value))


_MayBeEmpty = BeforeValidator(_nothing)
MOST_CHARACTERS_OF_A_NAME: Final = 100
Line = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS_OF_A_NAME), BeforeValidator(_clean_line)]
Bio = Annotated[str, Field(max_length=1_000), BeforeValidator(_clean_text)]
Category = Annotated[str, Field(max_length=256), BeforeValidator(_clean_line)]
WebAddress = Annotated[str, Field(max_length=2_048), AfterValidator(web_address)]
TimeZone = Annotated[str, Field(max_length=64), AfterValidator(time_zone)]
Country = Annotated[str, Field(min_length=2, max_length=2), AfterValidator(country)]
Language = Annotated[str, Field(max_length=35), AfterValidator(language)]
KnownCurrency = Annotated[Currency, AfterValidator(currency)]
Phone = Annotated[str, Field(max_length=32), AfterValidator(_phone)]

AnyLine = Annotated[Line | None, _MayBeEmpty]
AnyBio = Annotated[Bio | None, _MayBeEmpty]
AnyCategory = Annotated[Category | None, _MayBeEmpty]
AnyWebAddress = Annotated[WebAddress | None, _MayBeEmpty]
AnyTimeZone = Annotated[TimeZone | None, _MayBeEmpty]
AnyCountry = Annotated[Country | None, _MayBeEmpty]
AnyPhone = Annotated[Phone | None, _MayBeEmpty]
SocialLinks = Annotated[dict[str, AnyWebAddress], Field(max_length=MOST_LINKS), AfterValidator(_links)]
Providers = Annotated[list[Id], Field(max_length=_MOST_PROVIDERS), AfterValidator(_different)]
PageSize = Annotated[int, Field(ge=5, le=200)]


def _pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _low_to_high(value: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal]:
    if value[0] > value[1]:
        raise ValueError("the first price should not be above the second")
    return value


PriceRange = Annotated[tuple[Price, Price], BeforeValidator(_pair), AfterValidator(_low_to_high)]


class UserProfile(BaseModel):
    """Who the user is. `user_id` is how others may address them; `phone` is E.164, `country` ISO 3166, times UTC."""

    user_id: str
    user_email: str
    display_name: str
    first_name: str | None = None
    last_name: str | None = None
    avatar_url: str | None = None
    bio: str | None = None
    company: str | None = None
    job_title: str | None = None
    country: str | None = None
    timezone: str = "UTC"
    phone: str | None = None
    website: str | None = None
    social_links: dict[str, str] = {}
    profile_visibility: Visibility = "private"
    created_at: datetime
    updated_at: datetime


class ProfileCard(BaseModel):
    """What another user sees: all of it where the profile is public, the name and the avatar where it is limited."""

    user_id: str
    display_name: str
    avatar_url: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    bio: str | None = None
    company: str | None = None
    job_title: str | None = None
    country: str | None = None
    website: str | None = None
    social_links: dict[str, str] = {}


class CookiePreferences(BaseModel):
    """Which cookies may be set; the essential ones always."""

    essential: Literal[True] = True
    analytics: bool = False
    marketing: bool = False
    personalization: bool = False


class UserPreferences(BaseModel):
    """What the user prefers, as it is until they choose otherwise. `updated_at` is in UTC."""

    preferred_currency: str = OWN_CURRENCY
    language: str = "en"
    theme: Theme = "auto"
    dashboard_layout: Layout = "cards"
    items_per_page: int = 50

    email_notifications: bool = True
    push_notifications: bool = False
    marketing_emails: bool = False
    security_alerts: bool = True
    deployment_alerts: bool = True
    billing_alerts: bool = True

    default_category_filter: str | None = None
    price_range_filter: tuple[Price, Price] | None = None
    preferred_providers: list[str] = []
    blocked_providers: list[str] = []
    auto_renewal_default: bool = False

    activity_tracking: bool = True
    analytics_participation: bool = True
    data_sharing: bool = False
    cookie_preferences: CookiePreferences = CookiePreferences()

    updated_at: datetime


class _Change(BaseModel):
    """A JSON Merge Patch (RFC 7396): what is left out stays, null or "" empties what may be empty."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    @property
    def members(self) -> dict[str, Any]:
        """What was sent, by name (Any: each has its own type); a change within it as its members."""
        sent = ((name, getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set)
        return {name: value.members if isinstance(value, _Change) else value for name, value in sent}


class ProfileChange(_Change):
    """What may be changed of a profile. `display_name`, `timezone` and `profile_visibility` cannot be emptied.

    `social_links` is a patch too: a network that is left out stays, null or "" takes it out.
    """

    display_name: Line = ""
    first_name: AnyLine = None
    last_name: AnyLine = None
    avatar_url: AnyWebAddress = None
    bio: AnyBio = None
    company: AnyLine = None
    job_title: AnyLine = None
    country: AnyCountry = None
    timezone: TimeZone = "UTC"
    phone: AnyPhone = None
    website: AnyWebAddress = None
    social_links: SocialLinks | None = None
    profile_visibility: Visibility = "private"


class CookieChange(_Change):
    """Which cookies may be set; the essential ones cannot be refused."""

    essential: Literal[True] = True
    analytics: bool = False
    marketing: bool = False
    personalization: bool = False


class PreferencesChange(_Change):
    """What may be changed of the preferences. That no provider is on both lists is checked with what is kept, too."""

    preferred_currency: KnownCurrency = OWN_CURRENCY
    language: Language = "en"
    theme: Theme = "auto"
    dashboard_layout: Layout = "cards"
    items_per_page: PageSize = 50

    email_notifications: bool = True
    push_notifications: bool = False
    marketing_emails: bool = False
    security_alerts: bool = True
    deployment_alerts: bool = True
    billing_alerts: bool = True

    default_category_filter: AnyCategory = None
    price_range_filter: PriceRange | None = None
    preferred_providers: Providers | None = None
    blocked_providers: Providers | None = None
    auto_renewal_default: bool = False

    activity_tracking: bool = True
    analytics_participation: bool = True
    data_sharing: bool = False
    cookie_preferences: CookieChange = CookieChange()
