"""What is published: valid by the contract, of every type, in sensible proportion."""

from collections import Counter

from mycelium.simulator.diary import Entry
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.reading import Ignored, Poison, Reader
from shared.contracts.topics import CATALOG, IDENTITY, MARKETPLACE, PAYLOADS, WALLET

# Smallest and largest share of all events, in per cent.
SHARES = {
    "user.registered.v1": (0.05, 0.5),
    "user.logged_in.v1": (4, 12),
    "user.logged_out.v1": (3, 11),
    "marketplace.browsed.v1": (8, 18),
    "product.viewed.v1": (15, 32),
    "cart.item_added.v1": (1.5, 6),
    "cart.item_removed.v1": (0.5, 3),
    "purchase.created.v1": (0.7, 4),
    "purchase.status_changed.v1": (1, 6),
    "purchase.service_period_changed.v1": (1, 6),
    "purchase.rated.v1": (0.1, 1.5),
    "deployment.created.v1": (0.2, 2),
    "deployment.status_changed.v1": (1, 6),
    "deployment.health_reported.v1": (15, 40),
    "deployment.scaled.v1": (0.05, 1),
    "support.ticket_opened.v1": (0.05, 0.5),
    "support.ticket_closed.v1": (0.05, 0.5),
    "wallet.transaction_posted.v1": (1.5, 8),
    "wallet.pool_position_changed.v1": (0.3, 3),
    "product.listed.v1": (0.3, 2),
    "product.retired.v1": (0.02, 0.3),
}


def test_each_event_is_read_as_what_it_is_by_a_consumer_of_its_topic(entries: list[Entry]) -> None:
    reader = Reader(PAYLOADS.values())
    for topic, event in entries:
        outcome = reader.read(topic.name, event.subject.encode(), event.to_json(), (CONTENT_TYPE_HEADER,))
        assert not isinstance(outcome, Ignored | Poison), outcome
        assert (outcome.id, outcome.time, outcome.data) == (event.id, event.time, event.data)


def test_other_writers_topics_are_left_alone(entries: list[Entry]) -> None:
    assert {topic for topic, _ in entries} == {IDENTITY, MARKETPLACE, CATALOG, WALLET}


def test_twenty_users_of_ninety_days_are_as_many_events_as_people_would_make(entries: list[Entry]) -> None:
    assert 10_000 <= len(entries) <= 25_000


def test_each_type_has_a_sensible_share(entries: list[Entry]) -> None:
    shares = {name: 100 * n / len(entries) for name, n in Counter(event.type for _, event in entries).items()}
    assert shares.keys() == SHARES.keys()
    assert {name: share for name, share in shares.items() if not SHARES[name][0] <= share <= SHARES[name][1]} == {}


def test_a_session_is_opened_before_it_is_used_and_closed_once_at_most(entries: list[Entry]) -> None:
    opened: set[tuple[str, object]] = set()
    closed: set[tuple[str, object]] = set()
    for _, event in entries:
        session = getattr(event.data, "session_id", None)
        if event.type == "user.logged_in.v1":
            opened.add((event.subject, session))
        elif session:
            assert (event.subject, session) in opened - closed
            if event.type == "user.logged_out.v1":
                closed.add((event.subject, session))
    assert 0.7 * len(opened) < len(closed) < len(opened)
