"""The seal of an export: which items it has, and that nobody but a gateway of this installation put them there.

Only what the file says counts, not how it is written: the order of members and the blanks may change.
"""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import orjson

from shared.plumbing.settings import Secret

Json = Any  # JSON, by its nature


def canonical(value: Json) -> bytes:
    """One text for all JSON texts of the same value. Raises TypeError for what no JSON of ours can say."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


class Contents:
    """What a file holds: counts its items and takes their fingerprint, part by part."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._digests: dict[str, Any] = {}  # Any: hashlib's own type

    def open(self, part: str) -> None:
        """Says that the file has this part, were it an empty one. Raises ValueError if it has it already."""
        if part in self.counts:
            raise ValueError(part)
        self.counts[part] = 0
        self._digests[part] = sha256()

    def add(self, part: str, item: bytes) -> None:
        """Adds an item in its canonical form to an open part; their order counts."""
        self.counts[part] += 1
        self._digests[part].update(item + b"\n")

    def seal(self, key: Secret, about: Mapping[str, Json]) -> str:
        """The HMAC-SHA256 of everything that was added and of what the file says `about` itself, in hexadecimals."""
        parts = {part: [count, self._digests[part].hexdigest()] for part, count in self.counts.items()}
        text = canonical([dict(about), parts])
        return hmac.new(key.get_secret_value().encode(), text, sha256).hexdigest()
