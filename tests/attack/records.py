"""Hostile records: the contract's examples, made strange, as hypothesis makes them up."""

import copy
import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.samples import good_event
from shared.contracts.topics import EVENT_TOPICS
from tests.servers.header_names import AnyName

Json = Any  # JSON, by its nature
Steps = tuple[str | int, ...]
Headers = list[tuple[str, bytes]]

# One event of somebody who leaves, per kind, is for a user of their own: see `targets`.
TYPES = [(topic.name, payload.event_type) for topic in EVENT_TOPICS for payload in topic.payloads]

TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202e",
    "\ufeff",
    "é" * 200,
    "x" * 257,
    "x" * 20_000,
    "﷽" * 500,
    "<script>alert(1)</script>",
    "{{7*7}}",
    "%s%n",
    "$where",
    "a.b",
    "../../etc/passwd",
    "' OR 1=1 --",
    "\r\nX: y",
    "null",
    "NaN",
    "0",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "__proto__",
    "constructor",
    "\t\n\x0b\x7f\x85",
]
TIMES = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-14:00",
    "1969-12-31T23:59:59.999999Z",
    "2016-12-31T23:59:60Z",
    "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01",
    "2026-01-01T24:00:00Z",
    "2026-01-01t00:00:00z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T00:00:00.123456789123Z",
    "2262-04-11T23:47:16.854775807Z",
    "1000-01-01T00:00:00+23:59",
]
NUMBERS = [
    0,
    -0.0,
    -1,
    1,
    2**31 - 1,
    2**31,
    2**53,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**30,
    10**400,
    0.1,
    5e-324,
    1e-310,
    1e308,
    1e-8,
    float("nan"),
    float("inf"),
    float("-inf"),
    3.5,
    4.3,
    100,
    100.00000001,
    1e15 + 0.3,
]
AMOUNTS = [
    "0",
    "-0",
    "0.00",
    "-1",
    "1E+2",
    "1e-18",
    "9999999999999999.999999999999999999",
    "-9999999999999999",
    "1" * 17,
    "0.000000000000000001",
    "00012.50",
    "+5",
    "1e99",
    "١٢",
    "NaN",
    "Infinity",
    "12,50",
    " 5 ",
]
OTHERS: list[Json] = [None, True, False, [], {}, [[]], [{}], {"": None}, {"$gt": ""}, {"_id": 1}, ["x"] * 1_000]
THINGS = {"purchase_id", "deployment_id", "transaction_id", "product_id", "pool_id", "ticket_id"}


@dataclass(frozen=True)
class Hostile:
    """A record to put on `topic`."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


def deep(depth: int, inner: Json) -> Json:
    """`inner`, in so many arrays and objects."""
    for level in range(depth):
        inner = [inner] if level % 2 else {"a": inner}
    return inner


def paths(value: Json, here: Steps = ()) -> Iterator[Steps]:
    """Where there is something in a JSON value, from the inside out; not the value itself."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in inner:
        yield from paths(member, (*here, name))
        yield (*here, name)


def about(value: Json, old: str, new: str) -> Json:
    """`value` with `new` in the place of every text that is `old`."""
    if isinstance(value, dict):
        return {name: about(member, old, new) for name, member in value.items()}
    if isinstance(value, list):
        return [about(member, old, new) for member in value]
    return new if value == old else value


def _is_time(text: str) -> bool:
    return text[:4].isdigit() and "T" in text


def _is_amount(text: str) -> bool:
    return text.lstrip("-").replace(".", "", 1).isdigit()


def _like(value: Json) -> SearchStrategy[Json]:
    """Strange values of the same kind: many of them are valid."""
    if isinstance(value, str) and _is_time(value):
        return st.sampled_from(TIMES) | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
    if isinstance(value, str) and _is_amount(value):
        return st.sampled_from(AMOUNTS) | st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str)
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int | float):
        return st.sampled_from(NUMBERS) | st.integers() | st.floats(0, 100)
    if isinstance(value, str):
        return st.sampled_from(TEXTS) | st.text(min_size=1, max_size=40)
    return st.sampled_from(OTHERS)


def _anything() -> SearchStrategy[Json]:
    return st.sampled_from([*TEXTS, *TIMES, *NUMBERS, *AMOUNTS, *OTHERS, deep(40, 1), deep(500, 1)])


@st.composite
def _mutated(draw: DrawFn, event: Json) -> Json:
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
        inside = [("data", *path) for path in paths(event.get("data"))]  # most of what is there to get wrong
        *above, last = draw(st.sampled_from([*paths(event), *inside * 3]))
        holder = event
        for step in above:
            holder = holder[step]
        match draw(st.sampled_from(["like", "like", "like", "like", "any", "drop", "add"])):
            case "like":
                holder[last] = copy.deepcopy(draw(_like(holder[last])))
            case "any":
                holder[last] = copy.deepcopy(draw(_anything()))
            case "drop":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(TEXTS))] = copy.deepcopy(draw(_anything()))
    return event


@st.composite
def _encoded(draw: DrawFn, value: Json) -> bytes:
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        text = text[:-1] + ', "id": "twice"}'
    raw = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 14)):
        return raw
    place = draw(st.integers(0, len(raw)))
    spoiled = [
        raw[:place],
        raw[:place] + b"\xff" + raw[place:],
        raw * 2,
        b"\xef\xbb\xbf" + raw,
        text.encode("utf-16", "surrogatepass"),
        gzip.compress(raw),
        b"",
        b"\0" * 100,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        draw(st.binary(max_size=50)),
    ]
    return draw(st.sampled_from(spoiled))


@st.composite
def _headers(draw: DrawFn, event: Json) -> tuple[Headers, bool]:
    """The headers, and whether the value is to be the data alone."""
    odd: Headers = draw(
        st.sampled_from(
            [
                *[[]] * 20,
                [("", b"")],
                [("x", b"\xff\xfe")],
                [(AnyName("x"), b"1")],
                [("é\0", b"1")],
                [("x", b"y" * 10_000)],
                [("x", b"")] * 300,
                [("content-type", b"\xff")],
                [("content-type", b"text/plain")],
                [("ce_specversion", b"\xff")],
                [("Content-Type", b"application/cloudevents-batch+json")],
                [("traceparent", b"\xff")],
                [("dlq_reason", b"x")],
                [
                    ("dlq_topic", b"identity.events"),
                    ("dlq_partition", b"-1"),
                    ("dlq_offset", b"x"),
                    ("dlq_at", b"\xff"),
                ],
            ]
        )
    )
    if draw(st.integers(0, 3)):
        return [*odd, *draw(st.sampled_from([[CONTENT_TYPE_HEADER], []]))], False
    attributes = {name.encode("utf-8", "replace").decode(): event[name] for name in event if name != "data"}
    binary = [(f"ce_{name}", str(member).encode("utf-8", "surrogatepass")) for name, member in attributes.items()]
    return [*draw(st.permutations(binary)), ("content-type", b"application/json"), *odd], True


@st.composite
def hostile(draw: DrawFn, user: str, types: Sequence[tuple[str, str]]) -> Hostile:
    """A record about `user`, of one of `types`: pairs of a topic and an event type."""
    topic, event_type = draw(st.sampled_from(types))
    good = good_event(event_type)
    event = about(good, good["data"].get("user_email", ""), user)
    if draw(st.integers(0, 3)):
        event["id"] = draw(st.uuids()).hex  # else many events have one identity
    for name in sorted(event["data"].keys() & THINGS):
        event = about(event, event["data"][name], f"{name}-{draw(st.integers(0, 9))}")
    key = event["subject"].encode()
    event = draw(_mutated(event))
    headers, binary = draw(_headers(event))
    value = draw(_encoded(event.get("data") if binary else event))
    keys = [key] * 40 + [None, b"", b"\xff\xfe", b"somebody@else.example", key.upper(), b" " + key, b"k" * 10_000]
    return Hostile(topic, draw(st.sampled_from(keys)), value, headers)


def made_up(strategy: SearchStrategy[Hostile], number: int, from_seed: int) -> list[Hostile]:
    """So many of them: the same ones for the same seed."""
    found: list[Hostile] = []

    def keep(record: Hostile) -> None:
        found.append(record)

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
    runs = settings(max_examples=number, database=None, phases=[Phase.generate], suppress_health_check=checks)
    seed(from_seed)(runs(given(strategy)(keep)))()
    return found


def at_the_edge(user: str) -> list[Hostile]:
    """Valid events about `user` with the largest and the smallest of everything, many of each kind."""
    found = []
    for number, (topic, event_type) in enumerate(TYPES * 6):
        good = good_event(event_type)
        if "user_email" not in good["data"] or event_type == "user.erased.v1":
            continue
        event = _stretched(about(good, good["data"]["user_email"], user), number)
        event |= {"id": f"edge-{number}", "specversion": "1.0"}
        found.append(Hostile(topic, user.encode(), json.dumps(event).encode(), [CONTENT_TYPE_HEADER]))
    return found


def _stretched(value: Json, number: int) -> Json:
    """Every time, amount and number in it at one of its edges, every id one of a few."""
    times, amounts = (TIMES[0], TIMES[2], TIMES[4], "2026-10-01T00:00:00Z"), (AMOUNTS[6], AMOUNTS[9], "12.5")
    if isinstance(value, dict):
        return {
            name: f"{name}-edge-{number % 20}" if name in THINGS else _stretched(member, number)
            for name, member in value.items()
        }
    if isinstance(value, str) and _is_time(value):
        return times[number % len(times)]
    if isinstance(value, str) and _is_amount(value):
        return amounts[number % len(amounts)]
    if isinstance(value, float):
        return (1e308, 5e-324, value)[number % 3]
    return value
