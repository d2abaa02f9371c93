"""Records that nobody should be able to do harm with: each of them different, so that each can be found again."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.contracts.envelope import CONTENT_TYPE_HEADER, MAX_EVENT_BYTES
from shared.contracts.samples import good_event
from shared.contracts.topics import PAYLOADS, Topic
from shared.contracts.uses import USES

Headers = tuple[tuple[str, bytes], ...]
_CONTENT_TYPE: Final[Headers] = (CONTENT_TYPE_HEADER,)
_SOURCE: Final = "/chaos"


@dataclass(frozen=True)
class Bad:
    """A record that has to be a dead letter, byte for byte, of each of `services`, and to change nothing."""

    what: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    services: frozenset[str]


def bad_records(seed: int, topics: tuple[Topic, ...]) -> Iterator[Bad]:
    """Without end: of each kind and on each topic again and again, in an order that the seed decides."""
    rng = random.Random(f"{seed}/hostile")
    number = 0
    while True:
        turns = [(topic, make) for topic in topics for make in _MAKERS]
        for topic, make in rng.sample(turns, len(turns)):
            number += 1
            yield make(rng, topic, f"bad-{seed}-{number}")


def _of_all(what: str, topic: Topic, mark: str, value: bytes | None, headers: Headers = _CONTENT_TYPE) -> Bad:
    """What no consumer of the topic can use, whatever types it uses."""
    return Bad(what, topic.name, f"{mark}@example.org".encode(), value, headers, frozenset(topic.consumers) & {*USES})


def _of_users(what: str, topic: Topic, event: dict[str, Any], key: bytes) -> Bad:  # Any: JSON
    """What only those can find fault with who use the type; the others pass it by."""
    payload = PAYLOADS[event["type"]]
    services = frozenset(name for name in topic.consumers if payload in USES.get(name, ()))
    return Bad(what, topic.name, key, orjson.dumps(event), _CONTENT_TYPE, services)


def _event(rng: random.Random, topic: Topic, mark: str) -> dict[str, Any]:  # Any: JSON
    """A good event of a type of the topic, with an identity of its own. Nobody has heard of whom it is about."""
    event = good_event(rng.choice(topic.payloads).event_type)
    return event | {"id": mark, "source": _SOURCE}


def _not_json(rng: random.Random, topic: Topic, mark: str) -> Bad:
    whole = orjson.dumps(_event(rng, topic, mark))
    return _of_all("bad JSON", topic, mark, whole[: rng.randrange(1, len(whole) - 1)])


def _deep(rng: random.Random, topic: Topic, mark: str) -> Bad:
    depth = rng.choice((300, 5_000, 100_000))
    return _of_all("deep JSON", topic, mark, b'{"id":"%b","data":' % mark.encode() + b"[" * depth + b"]" * depth + b"}")


def _huge(rng: random.Random, topic: Topic, mark: str) -> Bad:
    event = _event(rng, topic, mark) | {"padding": "x" * (MAX_EVENT_BYTES + rng.randrange(200_000))}
    return _of_all("huge", topic, mark, orjson.dumps(event))


def _binary(rng: random.Random, topic: Topic, mark: str) -> Bad:
    return _of_all("binary", topic, mark, b"\xff" + rng.randbytes(rng.randrange(1, 400)), ())


def _no_value(rng: random.Random, topic: Topic, mark: str) -> Bad:
    return _of_all("null value", topic, mark, None)


def _unknown_type(rng: random.Random, topic: Topic, mark: str) -> Bad:
    event = _event(rng, topic, mark) | {"type": "spaceship.landed.v1"}
    return _of_all("unknown type", topic, mark, orjson.dumps(event))


def _other_version(rng: random.Random, topic: Topic, mark: str) -> Bad:
    event = _event(rng, topic, mark)
    event["type"] = event["type"].removesuffix("1") + str(rng.choice((0, 2, 99)))
    return _of_all("other version", topic, mark, orjson.dumps(event))


def _bad_headers(rng: random.Random, topic: Topic, mark: str) -> Bad:
    headers = (("ce_specversion", b"1.0"), ("ce_id", mark.encode()), ("ce_type", b"\xff\xfe" + rng.randbytes(3)))
    return _of_all("bad headers", topic, mark, b'{"user_email":"nobody@example.org"}', headers)


def _wrong_types(rng: random.Random, topic: Topic, mark: str) -> Bad:
    event = _event(rng, topic, mark)
    wrong: list[object] = [None, 17, "text", [], {"user_email": 17}, True]
    return _of_users("wrong types", topic, event | {"data": rng.choice(wrong)}, event["subject"].encode())


def _wrong_key(rng: random.Random, topic: Topic, mark: str) -> Bad:
    return _of_users("wrong key", topic, _event(rng, topic, mark), rng.choice((b"somebody.else@example.org", b"\xff")))


_MAKERS: Final[tuple[Callable[[random.Random, Topic, str], Bad], ...]] = (
    *(_not_json, _deep, _huge, _binary, _no_value, _unknown_type, _other_version, _bad_headers, _wrong_types),
    _wrong_key,
)
