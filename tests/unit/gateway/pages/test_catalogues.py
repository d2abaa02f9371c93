"""The catalogues have every text of the pages in every language, with the same names to fill in."""

import re

import pytest

from services.gateway.pages.catalogues import catalogue, extracted, path_of, updated
from services.gateway.pages.languages import ENGLISH, LANGUAGES, translations

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
_NAMES = re.compile(r"%\((\w+)\)s")


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_is_missing_and_nothing_left_over(language: str) -> None:
    assert path_of(language).read_bytes() == updated(language, extracted()), "run `make messages`, and translate"
    untranslated = [message.id for message in catalogue(language) if message.id and not all(texts(message.string))]
    assert untranslated == []


@pytest.mark.parametrize("language", OTHERS)
def test_the_same_names_are_filled_in(language: str) -> None:
    for message in catalogue(language):
        for source in texts(message.id):
            wanted = set(_NAMES.findall(source)) - {"num"}
            for translated in texts(message.string):
                assert set(_NAMES.findall(translated)) - {"num"} == wanted, message.id


def test_a_catalogue_translates() -> None:
    assert translations("de").gettext("Sign in") == "Anmelden"
    assert translations("en").gettext("Sign in") == "Sign in"


def texts(value: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ("",))
