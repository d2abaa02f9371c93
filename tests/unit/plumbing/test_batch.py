"""A batch keeps what can be used apart from what cannot, and lets go of whoever is gone."""

from datetime import datetime

import orjson
import pytest
from aiokafka.structs import ConsumerRecord

from shared.contracts.samples import good_event
from shared.contracts.times import microseconds
from shared.contracts.topics import IDENTITY, MARKETPLACE, Topic
from shared.plumbing.batch import Batch
from shared.plumbing.publish import Record
from shared.plumbing.tombstones import Tombstone
from tests.unit.contracts.records import READER

VIEWED = good_event("product.viewed.v1")
USER: str = VIEWED["subject"]
AT = microseconds(datetime.fromisoformat(VIEWED["time"]))


def record(value: bytes, topic: Topic = MARKETPLACE, user: str = USER) -> Record:
    return ConsumerRecord(
        topic=topic.name,
        partition=0,
        offset=0,
        timestamp=AT // 1_000,
        timestamp_type=0,
        key=user.encode(),
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )


GOOD, BAD = record(orjson.dumps(VIEWED)), record(b"{")


def test_what_cannot_be_used_is_kept_beside_what_can() -> None:
    batch = Batch.of(READER, [BAD, GOOD])
    assert (batch.records, [event.id for event in batch.events]) == ([GOOD], [VIEWED["id"]])
    assert [(bad, why.reason) for bad, why in batch.poison] == [(BAD, "not_json")]
    assert batch.users == {USER}


def test_nothing_of_who_is_gone_is_left() -> None:
    batch = Batch.of(READER, [BAD, GOOD])
    left = batch.without_the_gone({USER: Tombstone(AT - 1)})
    assert (left.events, left.records, left.poison, left.gone) == ([], [], [], 2)
    others = batch.without_the_gone({"somebody.else@example.org": Tombstone(AT - 1)})
    assert (others.events, others.poison, others.gone) == (batch.events, batch.poison, 0)


@pytest.mark.parametrize(("registered_at", "kept"), [(AT - 1, 1), (AT, 1), (AT + 1, 0)])
def test_who_registered_anew_has_what_came_after_it(registered_at: int, kept: int) -> None:
    left = Batch.of(READER, [GOOD]).without_the_gone({USER: Tombstone(AT - 2, registered_at)})
    assert (len(left.events), left.gone) == (kept, 1 - kept)


def test_what_a_later_registration_may_let_in_is_known_by_its_place() -> None:
    batch = Batch.of(READER, [BAD, GOOD])
    here = (AT, MARKETPLACE.name, 0, 0)
    assert batch.missed({USER: Tombstone(AT - 1)}) == {USER: [here, here]}
    assert batch.missed({USER: Tombstone(AT - 2, AT + 1)}) == {USER: [here, here]}, "an earlier one may come"
    assert batch.missed({USER: Tombstone(AT)}) == {}, "it was before the erasure"
    assert batch.missed({USER: Tombstone(AT - 2, AT - 1)}) == {}, "they are back"
    assert batch.missed({"somebody.else@example.org": Tombstone(AT - 1)}) == {}


def test_only_what_is_about_a_user_is_read_again() -> None:
    batch, nobody = Batch.of(READER, [BAD, GOOD]), Batch.of(READER, [])
    again = nobody.followed_by(batch.about({USER}))
    assert (again.events, again.records, again.poison) == (batch.events, batch.records, batch.poison)
    others = nobody.followed_by(batch.about({"somebody.else@example.org"}))
    assert (others.events, others.records, others.poison) == ([], [], [])


def test_an_erasure_is_a_note_and_nothing_to_store() -> None:
    erased = good_event("user.erased.v1")
    batch = Batch.of(READER, [record(orjson.dumps(erased), IDENTITY, erased["subject"])])
    assert [event.id for event in batch.notes] == [erased["id"]]
    assert batch.without_the_gone({}).events == []
