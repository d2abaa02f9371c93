"""The languages of the pages: translations by gettext from the catalogues in `locales/`, English without one."""

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Final

from babel import Locale, UnknownLocaleError, negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "de", "fr", "nl")
_CATALOGUES = Path(__file__).parent / "locales"


@cache
def translations(language: str) -> NullTranslations:
    """What `language`, one of LANGUAGES, has for the English texts."""
    if language == ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    with (_CATALOGUES / f"{language}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def locale_of(tag: str, country: str | None = None) -> Locale:
    """How numbers and dates are written for who prefers the BCP 47 `tag` and lives in `country` (ISO 3166)."""
    try:
        locale = Locale.parse(tag, sep="-")
    except (ValueError, UnknownLocaleError, TypeError):
        return Locale(ENGLISH)
    if locale.territory is None and country:
        try:
            return Locale.parse(f"{locale}_{country}")
        except (ValueError, UnknownLocaleError):
            return locale
    return locale


def language_of(locale: Locale) -> str:
    """The language of the pages for who reads `locale`: English where there is no catalogue for it."""
    return locale.language if locale.language in LANGUAGES else ENGLISH


def accepted(header: str) -> Locale:
    """The best of what a browser's `Accept-Language` asks for. Their order counts; a browser sends them sorted."""
    tags = [part.partition(";")[0].strip() for part in header[:500].split(",")]
    found = negotiate_locale([tag.replace("-", "_") for tag in tags if tag], LANGUAGES)
    for tag in tags:
        if found and tag.lower().startswith(found):
            return locale_of(tag)
    return Locale(ENGLISH)
