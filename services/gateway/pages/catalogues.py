"""Keeps the catalogues in `locales/` in step with the texts of the pages: `make messages`.

A text that is new has no translation yet; one that is gone is dropped. Nothing is guessed.
"""

from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from services.gateway.pages.languages import ENGLISH, LANGUAGES

PAGES: Final = Path(__file__).parent
_METHODS: Final = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
_OPTIONS: Final = {"templates/**.html": {"trimmed": "true", "silent": "false", "extensions": "jinja2.ext.do"}}
_KEYWORDS: Final = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def extracted() -> Catalog:
    """All texts of the pages, without translations."""
    catalog = Catalog(project="mycelium-dashboard", fuzzy=False)
    found = extract_from_dir(PAGES, _METHODS, _OPTIONS, keywords=_KEYWORDS, comment_tags=())
    for file, _line, message, _comments, context in found:
        catalog.add(message, locations=[(file, 0)], context=context)
    return catalog


def path_of(language: str) -> Path:
    """The file of a catalogue."""
    return PAGES / "locales" / f"{language}.po"


def catalogue(language: str) -> Catalog:
    """What there is in a language; nothing where there is no file."""
    if not path_of(language).exists():
        return Catalog(locale=language, fuzzy=False)
    with path_of(language).open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str, texts: Catalog) -> bytes:
    """The file of a catalogue with just these texts, and the translations that there are."""
    known = catalogue(language)
    known.update(texts, no_fuzzy_matching=True)
    written = BytesIO()
    write_po(written, known, width=120, omit_header=True, no_location=True, sort_output=True, ignore_obsolete=True)
    return written.getvalue()


def main() -> None:
    """Writes every catalogue anew, in the order of the English texts."""
    texts = extracted()
    for language in LANGUAGES:
        if language == ENGLISH:
            continue
        path_of(language).write_bytes(updated(language, texts))


if __name__ == "__main__":
    main()
