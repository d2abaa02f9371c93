"""What may be kept depends on the set of the choices, not on their order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.build import make_event
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyPreferencesFound
from shared.contracts.profile import PreferencesUpdated
from shared.folds.consent import ALWAYS, NEVER, Choice, Consent, choice_of, consent_of

ADA = "ada@example.org"
START = datetime(2026, 3, 1, tzinfo=UTC)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def choice(hour: int, on: bool, id: str = "e") -> Choice:
    return Choice(ADA, on, at(hour), id)


choices = st.lists(
    st.builds(choice, st.integers(0, 5), st.booleans(), st.sampled_from("abc")),
    max_size=6,
    unique_by=lambda made: (made.time, made.event),
)


def test_who_never_chose_is_tracked() -> None:
    assert consent_of([]) == ALWAYS
    assert consent_of([choice(1, True)]) == ALWAYS


def test_after_off_nothing_is_kept_of_any_time() -> None:
    assert consent_of([choice(1, True), choice(2, False)]) == Consent(NEVER)
    assert not Consent(NEVER).allows(at(0))
    assert not Consent(NEVER).allows(at(99))


def test_after_on_again_it_is_kept_from_then_on() -> None:
    consent = consent_of([choice(2, False), choice(4, True), choice(6, True)])
    assert [consent.allows(at(hour)) for hour in (1, 3, 4, 5)] == [False, False, True, True]


def test_a_second_withdrawal_counts_as_the_first_did() -> None:
    made = [choice(1, False), choice(2, True), choice(3, False)]
    assert consent_of(made) == Consent(NEVER)
    assert consent_of([*made, choice(4, True)]) == Consent(at(4))


def test_of_two_choices_at_one_time_the_greater_id_is_the_later() -> None:
    assert consent_of([choice(1, False, "a"), choice(1, True, "b")]) == Consent(at(1))
    assert consent_of([choice(1, False, "b"), choice(1, True, "a")]) == Consent(NEVER)


@given(choices.flatmap(lambda made: st.tuples(st.just(made), st.permutations(made + made))))
def test_order_and_duplicates_change_nothing(made_and_shuffled: tuple[list[Choice], list[Choice]]) -> None:
    made, shuffled = made_and_shuffled
    assert consent_of(set(made)) == consent_of(shuffled)


def test_only_a_choice_about_tracking_is_one() -> None:
    off = make_event(PreferencesUpdated(user_email=ADA, activity_tracking=False), source="/test", id="e", time=at(1))
    assert choice_of(off) == choice(1, False, "e\n/test")
    assert choice_of(make_event(PreferencesUpdated(user_email=ADA), source="/test")) is None
    assert choice_of(make_event(UserRegistered(user_email=ADA), source="/test")) is None


def test_what_an_old_file_says_of_tracking_is_a_choice() -> None:
    def found(**preferences: object) -> Choice | None:
        data = LegacyPreferencesFound(user_email=ADA, preferences=preferences)
        return choice_of(make_event(data, source="/test", id="e", time=at(1)))

    assert found(activity_tracking=False, theme="dark") == choice(1, False, "e\n/test")
    assert found(activity_tracking=True) == choice(1, True, "e\n/test")
    assert found(activity_tracking="off") is None
    assert found(theme="dark") is None
