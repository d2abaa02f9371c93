"""Whatever is on a topic, the reader has one answer for it, and no answer quotes the record."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.envelope import CONTENT_TYPE_HEADER, MAX_EVENT_BYTES, Event, Headers
from shared.contracts.marketplace import ProductViewed
from shared.contracts.reading import Ignored, Poison, PoisonReason, Reader
from shared.contracts.topics import EVENT_TOPICS, PAYLOADS, Topic
from tests.unit.contracts.records import GOOD, READER, Json, accepted, outcome, paths, replaced
from tests.unit.contracts.strategies import events, json_values

VIEWED = GOOD["product.viewed.v1"]
KEY = VIEWED["subject"].encode()


@st.composite
def _spoilt(draw: st.DrawFn) -> Json:
    event = GOOD[draw(st.sampled_from(sorted(GOOD)))]
    return replaced(event, draw(st.sampled_from(list(paths(event)))), draw(json_values()))


_bytes = st.none() | st.binary()
_json = (json_values() | _spoilt()).map(lambda value: json.dumps(value).encode())
_names = st.sampled_from(["content-type", "Content-Type", "ce_specversion", "ce_id", "ce_type", "ce_data", "ce_time"])
_texts = st.sampled_from([b"1.0", b"application/json", b"application/cloudevents+json", b"user.erased.v1"])
_headers = st.lists(st.tuples(_names | st.text(), st.none() | st.binary() | _texts), max_size=8)


@settings(max_examples=200)
@given(
    topic=st.sampled_from(EVENT_TOPICS),
    key=st.none() | st.binary(),
    value=st.none() | st.binary() | _json,
    headers=_headers,
)
def test_any_record_has_an_outcome(topic: Topic, key: bytes | None, value: bytes | None, headers: Headers) -> None:
    assert isinstance(READER.read(topic.name, key, value, headers), Event | Poison)


@settings(max_examples=200)
@given(event=_spoilt())
def test_a_spoilt_event_is_read_or_refused(event: Json) -> None:
    assert isinstance(outcome(event), Event | Poison)


@pytest.mark.parametrize("event", GOOD.values(), ids=GOOD.keys())
def test_an_error_quotes_nothing_of_the_record(event: Json) -> None:
    secret = "s3cret"
    for path in paths(event):
        for by in (secret, [secret], {secret: secret}, {secret: [secret]}):
            read = outcome(replaced(event, path, by))
            assert not (isinstance(read, Poison) and secret in read.error), path


NOT_JSON: list[bytes] = [
    b"{",
    b"\xff\xfe",
    b" ",
    b"\xef\xbb\xbf{}",
    b"[" * 100_000,
    b'{"type":' * 5_000,
    b'{"type": "\\ud800"}',
    orjson.dumps(VIEWED) + b"{}",
]


@pytest.mark.parametrize("value", NOT_JSON, ids=lambda value: value[:12].decode(errors="replace"))
def test_what_is_not_one_json_text(value: bytes) -> None:
    assert _reason("marketplace.events", KEY, value) == "not_json"


@pytest.mark.parametrize("value", [b"[]", b"null", b"5", b'"event"', b"{}", b'{"id": "1"}', b'[{"type": "a"}]'])
def test_json_that_is_no_cloudevent(value: bytes) -> None:
    assert _reason("marketplace.events", KEY, value) == "not_a_cloudevent"


@pytest.mark.parametrize(
    "event_type", ["", "product.viewed", "product.viewed.v2", "PRODUCT.VIEWED.V1", None, 1, [], {}]
)
def test_a_type_that_the_contract_does_not_have(event_type: Json) -> None:
    assert _reason("marketplace.events", KEY, orjson.dumps(VIEWED | {"type": event_type})) == "unknown_type"


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value(value: bytes | None) -> None:
    assert _reason("marketplace.events", KEY, value) == "empty"


def test_the_size_of_an_event_has_a_limit() -> None:
    event = orjson.dumps(VIEWED)
    largest = event + b" " * (MAX_EVENT_BYTES - len(event))
    assert isinstance(READER.read("marketplace.events", KEY, largest, []), Event)
    assert _reason("marketplace.events", KEY, largest + b" ") == "too_large"


@pytest.mark.parametrize("key", [None, b"", b"\xff", b"bola.ade@example.org", b"prod-a100-slice"])
def test_a_key_that_is_not_the_subject(key: bytes | None) -> None:
    assert _reason("marketplace.events", key, orjson.dumps(VIEWED)) == "key_mismatch"


@pytest.mark.parametrize("written", [KEY.decode().upper(), f" {KEY.decode()}\t"])
def test_a_key_or_subject_is_compared_as_emails_are(written: str) -> None:
    event = VIEWED | {"subject": written}
    assert isinstance(READER.read("marketplace.events", written.encode(), orjson.dumps(event), []), Event)


def test_an_event_is_refused_on_a_topic_that_does_not_carry_it() -> None:
    assert _reason("wallet.events", KEY, orjson.dumps(VIEWED)) == "wrong_topic"


def test_a_reader_ignores_what_it_has_no_use_for_but_not_on_a_wrong_topic() -> None:
    reader = Reader([ProductViewed])
    browsed = orjson.dumps(GOOD["marketplace.browsed.v1"])
    assert reader.read("marketplace.events", KEY, browsed, []) == Ignored("marketplace.browsed.v1")
    assert isinstance(reader.read("marketplace.events", KEY, orjson.dumps(VIEWED), []), Event)
    assert _reason("wallet.events", KEY, browsed, reader) == "wrong_topic"


@settings(max_examples=80)
@given(data=st.data(), name=st.sampled_from(sorted(PAYLOADS)), unknown=json_values())
def test_unknown_members_are_ignored(data: st.DataObject, name: str, unknown: Json) -> None:
    event = data.draw(events(PAYLOADS[name]))
    more = event | {"unknown": unknown, "data": event["data"] | {"unknown": unknown}}
    assert accepted(more) == accepted(event)


def test_a_malformed_trace_context_is_dropped_and_a_good_one_kept() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert accepted(VIEWED | {"traceparent": trace}).traceparent == trace
    assert accepted(VIEWED | {"traceparent": "00-none"}).traceparent is None
    assert accepted(VIEWED | {"traceparent": 7}).traceparent is None


def _reason(topic: str, key: bytes | None, value: bytes | None, reader: Reader = READER) -> PoisonReason:
    read = reader.read(topic, key, value, [CONTENT_TYPE_HEADER])
    assert isinstance(read, Poison)
    return read.reason
