"""Tags: what a thing in a list can be found by, so that one index serves every filter and any mix of them.

A thing has a tag for every combination of the filters that it matches, and one for the beginning of every word in it.
A question asks for one tag, and the index answers in the order of the list, whether there are ten things or ten
thousand.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Final

from shared.folds import deployment, purchase
from shared.folds.state import State, field, value

EVERYTHING: Final = ""
_WORD = re.compile(r"\w+")
_SHORTEST, _LONGEST = 1, 8  # letters of a word's beginning that are indexed
_NOTHING: Final = "~"


def tag(filters: Mapping[str, str | None]) -> str:
    """The tag of a combination of filters; those that are None are not asked for."""
    return "&".join(f"{name}={wanted}" for name, wanted in sorted(filters.items()) if wanted is not None)


def word_tags(text: str) -> list[str]:
    """The tags of everything that has all the words of `text`, or words that begin with them; the longest first.

    Of a word only the first eight letters count. A text without a word has the tag of nothing.
    """
    words = sorted(_words_of(text), key=len, reverse=True)
    return [_beginning(word) for word in words] if words or not text.strip() else [_NOTHING]


def _words_of(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def purchase_tags(state: State) -> list[str]:
    """A purchase is found by status, type and provider, and by the words of its product and its provider."""
    if not purchase.is_listed(state):
        return []
    details = value(state, "details")
    filters = {
        "status": purchase.status(state),
        "type": details["product_type"],
        "provider": details["provider_id"],
    }
    answers = [tag({"command": command})] if (command := value(state, "command_id")) else []
    return [*_combined(filters), *_beginnings(f"{details['product_name']} {details['provider_name']}"), *answers]


def deployment_tags(state: State) -> list[str]:
    """A deployment is found by its status."""
    return _combined({"status": deployment.status(state)[0]}) if deployment.is_listed(state) else []


def transaction_tags(state: State) -> list[str]:
    """A transaction is found by its kind."""
    said = field(state, "line")
    return _combined({"kind": said.value["kind"]}) if said else []


def _combined(filters: Mapping[str, str]) -> list[str]:
    names = sorted(filters)
    chosen = (names_chosen for size in range(len(names) + 1) for names_chosen in combinations(names, size))
    return [tag({name: filters[name] for name in names_chosen}) for names_chosen in chosen]


def _beginnings(text: str) -> Iterable[str]:
    return sorted(
        {
            _beginning(word[:size])
            for word in _words_of(text)
            for size in range(_SHORTEST, _LONGEST + 1)
            if size <= len(word)
        }
    )


def _beginning(word: str) -> str:
    return f"~{word[:_LONGEST]}"
