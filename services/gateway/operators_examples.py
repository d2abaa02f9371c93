"""Examples for the description of what operators may ask."""

from typing import Any, Final

ID: Final = "purchases:marketplace.events:3:1207:1770830401250000"
OPEN: Final[dict[str, Any]] = {  # any JSON
    "id": ID,
    "service": "purchases",
    "state": "open",
    "reason": "invalid",
    "error": "/data/amount: should be 0 or more",
    "topic": "marketplace.events",
    "partition": 3,
    "offset": 1207,
    "attempts": 1,
    "at": "2026-02-11T17:20:01.250000Z",
    "size": 412,
    "retry_of": None,
    "handled": [],
}
_DONE: Final = {
    "action": "discarded",
    "at": "2026-02-12T08:00:00Z",
    "operator": "grace@example.org",
    "edited": False,
    "outcome": None,
}
DISCARDED: Final = OPEN | {"state": "discarded", "handled": [_DONE]}
PAGE: Final = {"items": [OPEN], "next_cursor": ID}
LETTER: Final = OPEN | {
    "content": {
        "key": {"encoding": "utf-8", "text": "ada@example.org", "cut": False},
        "headers": [
            {
                "name": "content-type",
                "value": {"encoding": "utf-8", "text": "application/cloudevents+json", "cut": False},
            }
        ],
        "value": {"encoding": "utf-8", "text": '{"specversion": "1.0", "id": "1"}', "cut": False},
    }
}
ATTEMPT: Final = {"id": ID, "outcome": "applied", "reason": None, "error": None, "published": True}
ATTEMPTS: Final = {"outcomes": {"applied": 40, "poison": 1}, "published": 40, "not_published": [ID]}
RETRY_ONE: Final = {"dry_run": True, "value": '{"specversion": "1.0", "id": "1"}'}
DISCARD_MANY: Final = {"service": "purchases", "reason": "unknown_type"}
DISCARDED_MANY: Final = {"discarded": 41}
RETRY_MANY: Final = {"service": "purchases", "reason": "unknown_type", "dry_run": False}
