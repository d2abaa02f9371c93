"""The two modes of a CloudEvent, and events that are built, written and read again."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from bson import Decimal128, encode
from bson.codec_options import CodecOptions, TypeRegistry
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.contracts.build import make_event
from shared.contracts.envelope import CONTENT_TYPE_HEADER, Event, Headers, Payload
from shared.contracts.export import event_schema
from shared.contracts.marketplace import CartItemAdded, ProductViewed
from shared.contracts.reading import AnyEvent, Poison
from shared.contracts.topics import PAYLOADS, TOPICS_OF
from tests.unit.contracts.records import GOOD, READER, Json, accepted, outcome, paths, replaced
from tests.unit.contracts.strategies import events

SCHEMAS = {name: Draft202012Validator(event_schema(payload)) for name, payload in PAYLOADS.items()}
BSON: CodecOptions[dict[str, Json]] = CodecOptions(
    type_registry=TypeRegistry(fallback_encoder=lambda value: Decimal128(value))  # raises for all but decimals
)
VIEWED = GOOD["product.viewed.v1"]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@settings(max_examples=10)
@given(data=st.data())
def test_what_the_schema_allows_is_read_and_written_again(payload: type[Payload], data: st.DataObject) -> None:
    event = accepted(data.draw(events(payload)))
    built = make_event(
        event.data,
        source=event.source,
        id=event.id,
        time=event.time,
        traceparent=event.traceparent,
        tracestate=event.tracestate,
    )
    written = orjson.loads(built.to_json())
    assert accepted(written).model_dump() == event.model_dump() | {"subject": event.data.key}
    SCHEMAS[payload.event_type].validate(written)


@settings(max_examples=80)
@given(data=st.data(), name=st.sampled_from(sorted(PAYLOADS)))
def test_binary_mode_says_the_same_as_structured_mode(data: st.DataObject, name: str) -> None:
    event = data.draw(events(PAYLOADS[name]))
    assert _read_binary(event) == accepted(event)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"application/json",
        b"application/json; charset=utf-8",
        b"application/vnd.mycelium+json",
        b"APPLICATION/JSON",
    ],
)
def test_binary_mode_takes_any_json_content_type_and_header_case(content_type: bytes | None) -> None:
    more = [("Content-Type", content_type)] if content_type else []
    headers = [(name.upper(), value) for name, value in _binary_headers(VIEWED)] + more
    assert _read(orjson.dumps(VIEWED["data"]), headers) == accepted(VIEWED)


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([("content-type", b"text/plain")], b"{}"),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]"),
        ([("content-type", b"application/json")], b"{"),
        ([("ce_subject", b"\xff")], b"{}"),
        ([], b'{}, "type": "user.erased.v1"'),
    ],
)
def test_binary_mode_that_cannot_be_an_event(headers: Headers, value: bytes) -> None:
    read = _read(value, [*_binary_headers(VIEWED), *headers])
    assert isinstance(read, Poison)
    assert read.reason == "not_a_cloudevent"


@pytest.mark.parametrize("content_type", ["application/cloudevents+json", "Application/CloudEvents+JSON;charset=utf-8"])
def test_structured_mode_is_told_by_its_content_type(content_type: str) -> None:
    headers = [("ce_specversion", b"1.0"), ("Content-Type", content_type.encode())]
    assert accepted(VIEWED, headers) == accepted(VIEWED)


def test_a_record_without_headers_is_taken_for_structured_mode() -> None:
    assert accepted(VIEWED, []) == accepted(VIEWED)


@settings(max_examples=80)
@given(data=st.data(), name=st.sampled_from(sorted(PAYLOADS)))
def test_every_accepted_event_can_be_stored(data: st.DataObject, name: str) -> None:
    assert encode(accepted(data.draw(events(PAYLOADS[name]))).model_dump(), codec_options=BSON)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_a_whole_number_that_cannot_be_stored_is_refused(number: int) -> None:
    texts = str(number).encode()
    for event in GOOD.values():
        for path in paths(event):
            value = orjson.dumps(replaced(event, path, "number here")).replace(b'"number here"', texts)
            read = READER.read(TOPICS_OF[event["type"]][0], event["subject"].encode(), value, [CONTENT_TYPE_HEADER])
            assert isinstance(read, Poison) or encode(read.model_dump(), codec_options=BSON), path  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "a" * 65])
def test_a_member_name_that_cannot_be_stored_is_refused(name: str) -> None:
    read = outcome(replaced(GOOD["activity.reported.v1"], ("data", "metadata"), {name: 1}))
    assert isinstance(read, Poison)
    assert read.error.startswith("/data/metadata: should be an object")


def test_a_built_event_is_about_its_user_and_has_an_identity_and_a_time() -> None:
    data = ProductViewed(user_email=" Ada@Example.org ", product_id="prod-1")
    first, second = make_event(data, source="/shop"), make_event(data, source="/shop")
    assert first.subject == "ada@example.org"
    assert first.type == "product.viewed.v1"
    assert first.id != second.id
    assert abs((datetime.now(UTC) - first.time).total_seconds()) < 60


def test_an_event_with_a_time_of_no_zone_cannot_be_built() -> None:
    data = ProductViewed(user_email="ada@example.org", product_id="prod-1")
    with pytest.raises(ValidationError, match="RFC 3339"):
        make_event(data, source="/shop", time=datetime(2026, 1, 31))  # noqa: DTZ001  (that is the point)


def test_what_was_left_out_is_not_written_and_money_is_written_plainly() -> None:
    data = CartItemAdded(user_email="ada@example.org", product_id="prod-1", quantity=1, price=Decimal("1E-7"))
    written = orjson.loads(make_event(data, source="/shop").to_json())
    assert written["data"] == data.model_dump(exclude_none=True) | {"price": "0.0000001"}
    assert "traceparent" not in written


def _read_binary(event: Json) -> AnyEvent | Poison:
    return _read(orjson.dumps(event["data"]), [*_binary_headers(event), ("content-type", b"application/json")])


def _binary_headers(event: Json) -> list[tuple[str, bytes]]:
    attributes = {name: value for name, value in event.items() if name != "data" and value is not None}
    return [(f"ce_{name}", value.encode()) for name, value in attributes.items()]


def _read(value: bytes, headers: Headers) -> AnyEvent | Poison:
    event_type = next(text.decode() for name, text in headers if name.lower() == "ce_type" and text)
    subject = next(text for name, text in headers if name.lower() == "ce_subject")
    read = READER.read(TOPICS_OF[event_type][0], subject, value, headers)
    assert isinstance(read, Event | Poison)
    return read
