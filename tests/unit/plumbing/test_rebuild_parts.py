"""What a document should be, and how far back topics go."""

from datetime import UTC, datetime

import pytest
from aiokafka.structs import TopicPartition

from shared.contracts.topics import CATALOG, WALLET
from shared.folds.ported import IMPORTED
from shared.plumbing.fact_store import Keeping
from shared.plumbing.mongo import Document
from shared.plumbing.rebuild_parts import choices, facts, whole
from shared.plumbing.rebuild_topics import Beginning, Reach, reach

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXPECT = facts("purchase", Keeping("purchases"))


def thing(**fields: list[object]) -> Document:
    return {"_id": "k", "user": "u", "id": "i", "version": 3, "fields": fields, "members": {}, "outbox": ["mine"]}


@pytest.mark.parametrize(
    ("live", "shadow", "kept"),
    [
        ([0, 50, "e", "spoilt"], [0, 50, "e", "right"], "right"),
        ([0, 50, "e", "newer but never said"], [0, 40, "e", "right"], "right"),
        ([0, 9, "e", "old"], None, "old"),
        ([0, 50, "e", "never said"], None, None),
        ([IMPORTED, 50, "e", "from a file"], None, "from a file"),
        ([IMPORTED, 50, "e", "from a file"], [0, 1, "e", "right"], "right"),
        ([0, 9, "e", "old"], [0, 8, "e", "older"], "old"),
    ],
)
def test_a_field_is_what_the_topics_say_or_what_they_cannot_say(
    live: list[object], shadow: list[object] | None, kept: str | None
) -> None:
    found = EXPECT(thing(x=live), thing(x=shadow) if shadow else None, 10).document
    assert (found and found["fields"]["x"][3]) == kept
    if found:
        assert (found["version"], found["outbox"]) == (4, ["mine"])


def test_what_one_event_tells_is_there_or_not() -> None:
    expect = whole(lambda d: bool(d["file"]), lambda d: int(d["at"]))
    old, new, file = ({"at": 9, "file": 0}, {"at": 11, "file": 0}, {"at": 11, "file": 1})
    assert expect(old, None, 10) == (old, True)
    assert expect(new, None, 10) == (None, False)
    assert expect(file, None, 10) == (file, False)
    assert expect(new, old, 10) == (old, False)


def test_no_choice_is_taken_away() -> None:
    found = choices({"_id": "u", "choices": [1, 2]}, {"_id": "u", "choices": [2, 3]}, 0).document
    assert found == {"_id": "u", "choices": [1, 2, 3]}


def test_topics_go_back_to_what_was_cut_or_to_when_they_were_made() -> None:
    whole_one, other = TopicPartition("wallet.events", 0), TopicPartition("wallet.events", 1)
    catalog = TopicPartition("marketplace.catalog", 0)
    made = {whole_one: Beginning(0, 70), other: Beginning(0, 90), catalog: Beginning(5, 1)}
    assert reach(made, (WALLET, CATALOG), NOW) == Reach(70, ())
    assert reach(made | {other: Beginning(3, 90)}, (WALLET, CATALOG), NOW) == Reach(90, ("wallet.events",))
    emptied = reach(made | {other: Beginning(3, None)}, (WALLET, CATALOG), NOW)
    assert emptied == Reach(int(NOW.timestamp()) * 1_000_000, ("wallet.events",))
