"""A tombstone says the same whatever comes twice, late or again from the beginning."""

from functools import reduce
from itertools import groupby
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from shared.plumbing.tombstones import Tombstone

Said = tuple[int, Literal["erased", "registered"]]
times = st.integers(1, 30)
said = st.lists(st.tuples(times, st.sampled_from(("erased", "registered"))), max_size=12)
histories = said.map(lambda events: [next(same) for _, same in groupby(sorted(events), key=lambda event: event[0])])


def after(events: list[Said], start: Tombstone | None = None) -> Tombstone | None:
    """A registration of somebody who was never erased leaves no trace."""

    def step(known: Tombstone | None, event: Said) -> Tombstone | None:
        at, what = event
        if known is None:
            return Tombstone(at).carried_out(at) if what == "erased" else None
        return known.erased(at).carried_out(at) if what == "erased" else known.registered(at)

    return reduce(step, events, start)


@given(histories)
def test_gone_from_the_last_erasure_to_the_first_registration_after_it(history: list[Said]) -> None:
    erasures = [at for at, what in history if what == "erased"]
    known = after(history)
    if not erasures:
        assert known is None
        return
    later = [at for at, what in history if what == "registered" and at > max(erasures)]
    assert known is not None
    assert (known.erased_at, known.registered_at) == (max(erasures), min(later, default=None))
    assert known.is_gone == (not later)


@given(histories, st.data())
def test_a_replay_changes_nothing(history: list[Said], data: st.DataObject) -> None:
    known = after(history)
    if known is not None:
        again = data.draw(st.integers(0, len(history)))
        replayed = after(history[:again], known)
        assert replayed == known


@given(histories, times)
def test_what_was_before_an_erasure_stays_forbidden(history: list[Said], at: int) -> None:
    known = after(history)
    if known is not None:
        assert known.forbids(at) >= (at <= known.erased_at)
        assert known.forbids(at) == (known.is_gone or at < (known.registered_at or 0))


@given(histories, times)
def test_an_erasure_that_was_carried_out_stays_so(history: list[Said], at: int) -> None:
    known = after(history)
    if known is not None:
        assert all(known.is_done(when) for when, what in history if what == "erased")
        assert not known.erased(known.erased_at + at).is_done(known.erased_at + at)


@given(histories, times)
def test_nobody_is_let_in_while_they_are_being_erased(history: list[Said], at: int) -> None:
    known = after(history)
    if known is not None and known.is_gone:
        assert known._replace(again=True).reopened(known.erased_at + at).is_gone
        assert known._replace(done=None).reopened(known.erased_at + at).is_gone
        assert not known.reopened(known.erased_at + at).is_gone


def test_what_was_missed_is_kept_until_it_is_stored() -> None:
    early, late = (7, "topic", 0, 7), (9, "topic", 1, 3)
    gone = Tombstone(5).missing([late]).missing([early, late, (4, "topic", 0, 1)])
    assert (gone.missed, gone.made_up_for) == ((early, late), ())
    assert gone.erased(10).missed == (early, late), "an erasure says nothing of what comes after it"
    back = gone.registered(8)
    assert back.made_up_for == (late,)
    assert back.made_good([late]).missed == (early,)
    assert back.missing([(11, "topic", 2, 1)]) == back, "it is not dropped"
    assert back.registered(6).made_up_for == (early, late), "the first registration may come last"
    assert back.registered(6).made_good([early, late]).missed is None


def test_of_many_that_were_missed_the_newest_are_kept_however_often_they_come() -> None:
    many = [(10 + n, "topic", 0, n) for n in range(500)]
    known = Tombstone(5).missing(many)
    assert known.missed == tuple(many[-200:])
    assert known.missing(many) == known


def test_the_count_of_what_was_removed_outlives_a_crash() -> None:
    broken_off = Tombstone(5).removing(3)
    assert broken_off.removing(4).removed == 7
    assert broken_off.carried_out(5).removed == 0
