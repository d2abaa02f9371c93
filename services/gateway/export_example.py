"""One example of an export and of an import, for the API's description."""

from typing import Any, Final

from services.gateway.description import ACTIVITY
from shared.contracts.portable import FORMAT, LEFT_OUT, PARTS, SCHEMA_PATH, VERSION

Json = dict[str, Any]  # any JSON object

_EMPTY: Final = [part for parts in PARTS.values() for part in parts]
EXPORT: Final[Json] = {
    "format": FORMAT,
    "version": VERSION,
    "schema": SCHEMA_PATH,
    "user_email": "ada@example.org",
    "exported_at": "2026-01-31T09:30:00Z",
    "parts": {part: list[Json]() for part in _EMPTY} | {"activities": [ACTIVITY]},
    "manifest": {
        "counts": dict.fromkeys(_EMPTY, 0) | {"activities": 1},
        "left_out": [*LEFT_OUT],
        "signature": "4b3c2d1e0f5a69788796a5b4c3d2e1f04b3c2d1e0f5a69788796a5b4c3d2e1f0",
    },
}
IMPORTED: Final[Json] = {"items": 1, "added": 0, "parts": {"activities": {"items": 1, "added": 0}}}
