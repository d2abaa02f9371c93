"""What there is to choose from, for the forms of preferences: languages, currencies, categories, providers."""

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple
from zoneinfo import available_timezones

from babel import Locale
from babel.numbers import get_currency_name, get_territory_currencies

from services.gateway.pages.languages import LANGUAGES, locale_of
from services.gateway.pages.visits import Visit
from shared.contracts.profiles import OWN_CURRENCY, country_codes

Option = tuple[str, str]  # a value and its name
_FORMATS: Final = (
    *("ar", "ca", "cs", "da", "de-AT", "de-CH", "el", "en-AU", "en-CA", "en-GB", "en-IN", "en-US", "es", "et", "fi"),
    *("fr-BE", "fr-CA", "fr-CH", "he", "hi", "hr", "hu", "id", "is", "it", "ja", "ko", "lt", "lv", "nb", "nl-BE", "pl"),
    *("pt", "pt-BR", "ro", "sk", "sl", "sv", "th", "tr", "uk", "vi", "zh"),
)
_MOST_PRODUCTS, _MOST_PROVIDERS = 200, 100


class Market(NamedTuple):
    """What is on offer: the categories, and the providers' ids and names. Of a large catalogue, the beginning."""

    categories: list[str]
    providers: dict[str, str]


def languages(current: str) -> list[Option]:
    """Those of the texts first, then those that only numbers and dates are written in; each by its own name."""
    tags = dict.fromkeys((*LANGUAGES, *_FORMATS, current))
    return [(tag, _name(tag)) for tag in tags]


def _name(tag: str) -> str:
    locale = locale_of(tag)
    return str(locale.get_display_name(locale) or tag).capitalize()


def currencies(locale: Locale, current: str) -> list[Option]:
    """The marketplace's own first, then those that countries use today, by their names."""
    known = {code for code in {*_in_use(), current} if code != OWN_CURRENCY}
    named = sorted((str(get_currency_name(code, locale=locale)), code) for code in known)
    return [(OWN_CURRENCY, OWN_CURRENCY), *((code, f"{name} ({code})") for name, code in named)]


@cache
def _in_use() -> frozenset[str]:
    return frozenset(code for country in country_codes() for code in get_territory_currencies(country))


@cache
def time_zones() -> tuple[str, ...]:
    """The names of all of them, sorted; looked for on the disk once."""
    return tuple(sorted(available_timezones()))


async def market(visit: Visit, also: Iterable[str] = ()) -> Market:
    """What the marketplace offers now, and the providers `also`; just these where the catalogue does not answer."""
    page = await visit.ask_or_none("analytics", "/catalog", {"limit": _MOST_PRODUCTS})
    products: list[Mapping[str, Any]] = page["items"] if page else []
    categories = {product["category"] or product["product_type"] for product in products}
    offered = {product["provider_id"]: product["provider_name"] for product in products}
    chosen = {provider: offered.get(provider, provider) for provider in also}
    by_name = sorted(offered.items(), key=lambda provider: provider[1].casefold())
    return Market(sorted(categories), dict(islice((chosen | dict(by_name)).items(), _MOST_PROVIDERS)))
