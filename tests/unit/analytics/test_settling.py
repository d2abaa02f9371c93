"""What becomes of notices from one look to the next: the same whatever the order, and never a flood."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.analytics.domain.notices import Notice, errors, notice
from services.analytics.domain.settling import MOST, settle
from shared.contracts.notification_views import NotificationCode
from shared.folds import deployment
from shared.folds.facts import Fact
from shared.folds.state import State, empty, merge
from tests.unit.analytics.things import NOW, days_ago

ADA = "ada@example.org"


def made(code: NotificationCode, name: str, days: float, resolved: datetime | None = None) -> Notice:
    return notice(ADA, code, (name,), days_ago(days), {"reason": name}, None, resolved)


def after(
    known: Sequence[Notice], found: Sequence[Notice], now: datetime = NOW, *, weighed: bool = True
) -> list[Notice]:
    """What there is after a look, the newest first."""
    settled = settle(known, found, now, weighed=weighed)
    there = {each.id: each for each in known} | {each.id: each for each in settled.save}
    return sorted((n for n in there.values() if n.id not in settled.remove), key=lambda n: n.at, reverse=True)


def test_what_is_recent_becomes_a_notification_and_a_second_look_changes_nothing() -> None:
    found = [made("deployment_error", "new", 6), made("deployment_error", "old", 8)]
    there = after([], found)
    assert [each.params["reason"] for each in there] == ["new"]
    again = settle(there, found, NOW, weighed=True)
    assert (again.save, again.remove) == ((), frozenset())


def test_what_an_event_said_stays() -> None:
    known = [made("data_exported", "a", 3), made("password_changed", "b", 30)]
    assert after(known, []) == known


def test_what_happened_and_turns_out_not_to_have_is_taken_back_while_it_is_recent() -> None:
    recent, old = made("deployment_error", "recent", 6), made("refund", "old", 8)
    assert after([recent, old], []) == [old]


def test_what_is_old_is_still_resolved() -> None:
    known = made("deployment_error", "a", 20)
    found = made("deployment_error", "a", 20, resolved=days_ago(1))
    assert after([known], [found]) == [found]
    (closed,) = after([made("deployment_unhealthy", "b", 20)], [])
    assert closed.resolved_at == NOW


def test_a_state_keeps_its_time_and_is_resolved_and_open_again() -> None:
    first = made("runway_short", "a", 3)
    (open_,) = after([first], [made("runway_short", "a", 0)])
    assert open_ == first
    assert after([first], [], weighed=False) == [first]
    (closed,) = after([first], [])
    assert (closed.at, closed.resolved_at) == (first.at, NOW)
    assert after([closed], [], NOW + timedelta(days=1)) == [closed]
    assert after([closed], [made("runway_short", "a", 0)]) == [first]


def test_a_state_that_was_over_at_once_is_taken_back() -> None:
    assert after([made("runway_short", "a", 0.001)], []) == []


def test_the_newest_are_kept_and_nothing_comes_and_goes() -> None:
    found = [made("deployment_error", str(n), n / 100) for n in range(MOST + 50)]
    there = after([], found)
    assert len(there) == MOST
    assert there[-1].params["reason"] == str(MOST - 1)
    again = settle(there, found, NOW, weighed=True)
    assert (again.save, again.remove) == ((), frozenset())
    assert after([made("data_exported", "x", 91)], []) == []


def moves(draws: Sequence[tuple[int, bool]]) -> list[Fact]:
    """Moves to error (True) or running of a deployment, each so many hours ago and in an event of its own."""
    return [
        Fact(
            "deployment",
            ADA,
            "d",
            "history",
            {"status": "error" if bad else "running", "reason": None, "command_id": None},
            (0, int((NOW - timedelta(hours=hours)).timestamp() * 1_000_000), f"e{hours}"),
            member=f"{hours}",
        )
        for hours, bad in draws
    ]


def looked_at(state: State) -> list[Notice]:
    where = {"product": "p", "region": "r"}
    return list(errors(ADA, "d", where, deployment.intervals(state)))


HISTORIES = st.lists(
    st.tuples(st.integers(0, 24 * 20), st.booleans()), max_size=20, unique_by=lambda move: move[0]
).flatmap(lambda draws: st.tuples(st.permutations(draws + draws), st.permutations(draws), st.integers(1, 5)))


@given(HISTORIES)
def test_any_order_duplicates_and_looks_in_between_end_in_the_same(
    orders: tuple[list[tuple[int, bool]], list[tuple[int, bool]], int],
) -> None:
    doubled, once, batch = orders
    whole = empty()
    merge(whole, moves(once))
    at_once = after([], looked_at(whole))
    state, there = empty(), list[Notice]()
    for start in range(0, len(doubled), batch):
        merge(state, moves(doubled[start : start + batch]))
        there = after(there, looked_at(state))
    assert there == at_once


@given(HISTORIES, st.sets(st.integers(0, 40)))
def test_what_was_known_keeps_its_id_so_that_what_was_read_stays_read(
    orders: tuple[list[tuple[int, bool]], list[tuple[int, bool]], int], read: set[int]
) -> None:
    """A replay over what is there neither takes anything back for good nor makes it anew under another id."""
    _, once, _ = orders
    state = empty()
    merge(state, moves(once))
    there = after([], looked_at(state))
    replayed = settle(there, looked_at(state), NOW, weighed=True)
    assert (replayed.save, replayed.remove) == ((), frozenset())
    assert {each.id for n, each in enumerate(there) if n in read} <= {
        each.id for each in after(there, looked_at(state))
    }
