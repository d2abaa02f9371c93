"""The examples of the contract: one good event of every type, and bad ones with the answer that each must get.

They are files, so that publishers in any language can test with them: `examples/<type>.json` is a whole event in
structured mode, `examples/bad/<type>/<what-is-wrong>.json` is `{"reason", "error", "event"}` and, where it matters, the
`topic` or the record `key` that it is sent with.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shared.contracts.reading import Poison
from shared.contracts.topics import EVENT_TOPICS, TOPICS_OF

EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True, slots=True)
class Sample:
    """A record: what is sent where, with which key. `wrong` is what the reader must say of it, None for a good one."""

    name: str
    topic: str
    key: bytes
    value: bytes
    wrong: Poison | None = None


def good_event(event_type: str) -> dict[str, Any]:
    """The example of `event_type` as a JSON object (Any: it is JSON)."""
    event: dict[str, Any] = orjson.loads((EXAMPLES / f"{event_type}.json").read_bytes())
    return event


def good_samples() -> list[Sample]:
    """One record of every type on every topic that carries it, in the order of the contract."""
    return [_good(topic.name, payload.event_type) for topic in EVENT_TOPICS for payload in topic.payloads]


def bad_samples() -> list[Sample]:
    """Every bad example, in the order of its path."""
    return [_bad(path) for path in sorted(EXAMPLES.glob("bad/*/*.json"))]


def _good(topic: str, event_type: str) -> Sample:
    event = good_event(event_type)
    return Sample(f"{topic}/{event_type}", topic, event["subject"].encode(), orjson.dumps(event))


def _bad(path: Path) -> Sample:
    bad = orjson.loads(path.read_bytes())
    event_type = path.parent.name
    topic = bad.get("topic") or TOPICS_OF[event_type][0]
    key = bad.get("key") or bad["event"].get("subject", "")
    wrong = Poison(bad["reason"], bad["error"])
    return Sample(f"{event_type}/{path.stem}", topic, key.encode(), orjson.dumps(bad["event"]), wrong)
