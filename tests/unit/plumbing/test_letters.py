"""One dead letter: its name, what its record would do now, and how it is published again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from aiokafka.structs import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.operation_views import Handling
from shared.contracts.samples import good_event
from shared.contracts.topics import IDENTITY, MARKETPLACE, UPDATES, dead_letters
from shared.plumbing.letter_ids import HEADER, LetterId
from shared.plumbing.letters import as_it_came, attempted, content_of, letter_of, noted
from shared.plumbing.publish import Record

GOOD = good_event("product.viewed.v1")
KEY = GOOD["subject"].encode()
VALUE = orjson.dumps(GOOD)
AT = "2026-02-11T17:20:01.250001+00:00"
SAID = {
    "dlq_reason": "invalid",
    "dlq_error": "/data/product_id: Field required",
    "dlq_topic": MARKETPLACE.name,
    "dlq_partition": "3",
    "dlq_offset": "1207",
    "dlq_attempts": "2",
    "dlq_at": AT,
}
ID = "activity:marketplace.events:3:1207:1770830401250001"
DONE = Handling(action="discarded", at=datetime.now(UTC), operator="grace", edited=False)


def record(
    value: bytes | None = VALUE,
    said: Mapping[str, str] = SAID,
    came: Sequence[tuple[str, bytes]] = (),
    service: str = "activity",
    **place: Any,
) -> Record:
    headers = (*came, *((name, text.encode()) for name, text in said.items()))
    where = {"partition": 0, "offset": 5, "timestamp": 1_770_830_402_000} | place
    return ConsumerRecord(
        topic=dead_letters(service).name,
        key=KEY,
        value=value,
        headers=headers,
        timestamp_type=0,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        **where,
    )


def test_it_is_called_after_where_the_record_was_and_when_it_became_one_wherever_it_is_moved() -> None:
    letter = letter_of(record(), {})
    assert (letter.id, letter.state, letter.reason, letter.attempts) == (ID, "open", "invalid", 2)
    assert (letter.topic, letter.partition, letter.offset) == (MARKETPLACE.name, 3, 1207)
    assert letter_of(record(partition=4, offset=99, timestamp=1), {}).id == ID


def test_another_record_at_the_same_place_of_a_topic_made_anew_is_another_dead_letter() -> None:
    later = record(said=SAID | {"dlq_at": "2026-02-11T17:20:01.250002+00:00"})
    assert letter_of(later, {ID: [DONE]}).state == "open"
    assert letter_of(record(), {ID: [DONE]}).state == "discarded"
    retried = DONE.model_copy(update={"action": "retried"})
    assert letter_of(record(), {ID: [DONE, retried]}).state == "retried", "what was done last counts"


def test_the_services_headers_count_and_not_those_that_a_publisher_made_up() -> None:
    hostile = [(name, b"made up") for name in SAID]
    assert letter_of(record(came=hostile), {}).id == ID


@pytest.mark.parametrize(
    "wrong",
    [
        {"dlq_topic": "a topic"},
        {"dlq_partition": "-1"},
        {"dlq_offset": "1" * 30},
        {"dlq_at": "2026-02-11T17:20:01"},
        {"dlq_at": "yesterday"},
        {"dlq_topic": "t" * 300},
    ],
)
def test_one_that_does_not_say_where_it_came_from_is_shown_and_cannot_be_retried(wrong: dict[str, str]) -> None:
    letter = letter_of(record(said=SAID | wrong), {})
    assert (letter.topic, letter.partition, letter.offset) == (None, None, None)
    assert letter.id == "activity:activity.dead-letters:0:5:1770830402000000"
    assert attempted(letter, record(), None, again=False).outcome == "no_origin"


@given(st.lists(st.tuples(st.sampled_from([*SAID, HEADER, "other"]), st.none() | st.binary(max_size=12))))
def test_any_headers_make_a_dead_letter(headers: list[tuple[str, bytes | None]]) -> None:
    letter = letter_of(record(said={}, came=headers), {})  # type: ignore[arg-type]  # a value may be missing
    assert LetterId.parse(letter.id)
    assert letter.model_dump_json()


@given(st.text(max_size=40))
def test_no_text_but_an_id_is_one(text: str) -> None:
    assert LetterId.parse(text) is None
    assert LetterId.parse(f"{ID}\n") is None
    assert str(LetterId.parse(ID)) == ID


@pytest.mark.parametrize(
    ("service", "value", "outcome", "reason"),
    [
        ("activity", VALUE, "applied", None),
        ("purchases", VALUE, "ignored", None),
        ("activity", orjson.dumps(GOOD | {"data": {}}), "poison", "invalid"),
        ("activity", b"", "poison", "empty"),
        ("activity", orjson.dumps(GOOD | {"type": "product.viewed.v9"}), "poison", "unknown_type"),
    ],
)
def test_what_it_would_do_now_is_what_its_services_reader_says(
    service: str, value: bytes, outcome: str, reason: str | None
) -> None:
    broken = record(b"broken", service=service)
    attempt = attempted(letter_of(broken, {}), broken, value, again=False)
    assert (attempt.outcome, attempt.reason, attempt.published) == (outcome, reason, False)


def test_a_topic_that_the_service_does_not_read_is_no_origin() -> None:
    for topic in (UPDATES.name, dead_letters("profile").name, "operations.audit"):
        forged = record(said=SAID | {"dlq_topic": topic})
        assert attempted(letter_of(forged, {}), forged, None, again=True).outcome == "no_origin"


def test_what_was_handled_is_tried_again_only_if_that_is_asked_for() -> None:
    letter = letter_of(record(), {ID: [DONE]})
    assert attempted(letter, record(), None, again=False).outcome == "handled_before"
    assert attempted(letter, record(), None, again=True).outcome == "applied"


def test_it_is_published_with_its_key_and_headers_and_the_name_of_what_it_was() -> None:
    came = [("content-type", b"application/json"), ("odd", b"\xff"), (HEADER, b"an earlier one")]
    dead = record(said=SAID | {"dlq_topic": IDENTITY.name}, came=came)
    letter = letter_of(dead, {})
    assert as_it_came(letter, dead, None) == (IDENTITY.name, KEY, VALUE, [*came[:2], (HEADER, letter.id.encode())])
    assert as_it_came(letter, dead, b"edited")[2] == b"edited"
    again = letter_of(record(came=[(HEADER, letter.id.encode())]), {})
    assert again.retry_of == letter.id
    assert letter_of(record(came=came), {}).retry_of is None


def test_the_audit_names_the_operator_and_no_user() -> None:
    letter = letter_of(record(), {})
    note = noted(letter, "grace", attempted(letter, record(), None, again=False), edited=True)
    assert (note.key, note.action, note.operator, note.edited, note.outcome) == (
        ID,
        "retried",
        "grace",
        True,
        "applied",
    )
    assert KEY.decode() not in note.model_dump_json() + letter.model_dump_json()
    assert (noted(letter, "grace").action, noted(letter, "grace").outcome) == ("discarded", None)


def test_the_content_is_bounded_and_never_cuts_a_character() -> None:
    shown = content_of(record("aé".encode(), came=[("odd", b"\xff\xfe"), ("none", b"")]), 2)
    assert shown.value
    assert (shown.value.encoding, shown.value.text, shown.value.cut) == ("utf-8", "a", True)
    assert [(header.name, header.value and header.value.text) for header in shown.headers] == [
        ("odd", "//4="),
        ("none", ""),
    ]
    assert content_of(record(None), 2).value is None
