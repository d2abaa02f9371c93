"""The harness's own parts: the seed decides the faults, and whatever is lost, doubled or changed is told."""

from collections import Counter

from aiokafka.structs import TopicPartition

from shared.contracts.topics import EVENT_TOPICS
from tests.chaos.check import wrong_of_letters
from tests.chaos.hostile import Bad
from tests.chaos.load import Outgoing, load
from tests.chaos.schedule import ROUND, schedule
from tests.chaos.topics import Letter, Snapshot

PLACE = TopicPartition("identity.events", 3)


def test_the_seed_alone_decides_the_faults() -> None:
    assert schedule(7, 60) == schedule(7, 60) != schedule(8, 60)


def test_every_round_holds_every_kind_of_fault() -> None:
    held = Counter(fault.kind for episode in schedule(3, 4 * len(ROUND)) for fault in episode)
    assert held.keys() == {*ROUND}
    assert held.total() == 4 * len(ROUND)


def test_no_server_is_hit_twice_at_once_and_only_what_runs_is_taken_away() -> None:
    replicas = set[str]()
    for episode in schedule(5, 300):
        servers = Counter(fault.target for fault in episode if fault.target in ("kafka", "mongod"))
        assert all(number == 1 for number in servers.values())
        for fault in episode:
            if fault.kind == "replica started":
                assert fault.target not in replicas
                replicas.add(fault.target)
            elif fault.kind == "replica taken away":
                replicas.remove(fault.target)


def test_the_same_seed_publishes_the_same_records() -> None:
    one, two = (load(4, 500, "one@example.org") for _ in range(2))
    assert one.records == two.records
    assert len(one.bad) == len({*one.records} & {*one.bad}) == 100
    assert {record.topic for record in one.bad} <= {topic.name for topic in EVENT_TOPICS}


def record(value: bytes) -> Outgoing:
    return Outgoing(PLACE.topic, b"key", value, (("content-type", b"x"),))


LOST, KEPT = record(b"{"), record(b"[")
BAD = {each: Bad("bad JSON", PLACE.topic, b"key", each.value, (), frozenset({"profile"})) for each in (LOST, KEPT)}


def snapshot(*letters: Letter, committed: int = 2) -> Snapshot:
    """A broker that held both records, and what became of them."""
    found = {(PLACE, 0): LOST, (PLACE, 1): KEPT}
    return Snapshot({"profile": {PLACE: committed}}, {PLACE: 2}, found, {"profile": [*letters]})


def letter(of: Outgoing, offset: int) -> Letter:
    return Letter(of, (PLACE, offset), "not_json")


def test_dead_letters_that_are_there_are_right_also_if_they_are_there_twice() -> None:
    assert wrong_of_letters([snapshot(letter(LOST, 0), letter(KEPT, 1), letter(KEPT, 1))], BAD) == []


def test_a_dead_letter_that_is_missing_is_told() -> None:
    assert len(wrong_of_letters([snapshot(letter(KEPT, 1))], BAD)) == 1


def test_what_a_broker_forgot_before_it_was_committed_need_not_be_a_dead_letter_there() -> None:
    whole = snapshot(letter(LOST, 0), letter(KEPT, 1))
    assert wrong_of_letters([snapshot(letter(LOST, 0), committed=1), whole], BAD) == []
    assert len(wrong_of_letters([snapshot(letter(KEPT, 1), committed=1), whole], BAD)) == 1


def test_a_dead_letter_that_is_not_byte_for_byte_what_was_sent_is_told() -> None:
    changed = letter(KEPT._replace(value=b"[ "), 1)
    assert len(wrong_of_letters([snapshot(letter(LOST, 0), changed)], BAD)) == 1


def test_a_good_record_among_the_dead_letters_is_told() -> None:
    good = letter(record(b"{}"), 7)
    assert len(wrong_of_letters([snapshot(letter(LOST, 0), letter(KEPT, 1), good)], BAD)) == 1


def test_a_hostile_record_that_no_topic_ever_held_is_told() -> None:
    assert len(wrong_of_letters([snapshot(letter(LOST, 0), letter(KEPT, 1))], BAD | {record(b"x"): BAD[LOST]})) == 1
