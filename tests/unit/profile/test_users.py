"""What the events make of a user: by example, and in any order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from services.profile.domain.folding import folded
from services.profile.domain.preferences import change_preferences, preferences_of
from services.profile.domain.profile import change_profile, profile_of
from services.profile.domain.users import User, fold
from shared.contracts.profiles import PreferencesChange, ProfileChange
from shared.contracts.reading import AnyEvent
from tests.unit.profile.telling import EMAIL, NOBODY, at, found, now, registered


def after(*events: AnyEvent) -> User:
    return folded(NOBODY, events).user


def test_a_registration_makes_a_private_profile_with_sensible_defaults() -> None:
    profile = profile_of(after(registered(0)))
    assert profile.model_dump(exclude_defaults=True) == {
        "user_id": "u-1",
        "user_email": EMAIL,
        "display_name": "ada.lovelace",
        "created_at": at(0),
        "updated_at": at(0),
    }
    assert (profile.timezone, profile.profile_visibility) == ("UTC", "private")


def test_what_was_registered_counts() -> None:
    user = after(registered(0, display_name=" Ada \x07 L. ", country="se", timezone="Asia/Tokyo", language="pt-br"))
    profile = profile_of(user)
    assert (profile.display_name, profile.country, profile.timezone) == ("Ada L.", "SE", "Asia/Tokyo")
    assert preferences_of(user).language == "pt-BR"


@pytest.mark.parametrize(
    "odd",
    [
        {"country": "Sweden"},
        {"country": "ZZ"},
        {"timezone": "Mars/Olympus"},
        {"timezone": ""},
        {"language": "klingon-please"},
        {"display_name": "\x07"},
    ],
)
def test_what_is_odd_is_not_taken_and_hides_nothing_older(odd: dict[str, str]) -> None:
    fine = registered(0, display_name="Ada", country="SE", timezone="Asia/Tokyo", language="sv")
    user = after(fine, registered(1, id="odd", **odd))
    assert profile_of(user) == profile_of(after(fine))
    assert preferences_of(user) == preferences_of(after(fine))


def test_a_long_registered_name_is_cut() -> None:
    assert profile_of(after(registered(0, display_name="x" * 500))).display_name == "x" * 100


@pytest.mark.parametrize(("email", "name"), [("x" * 180 + "@example.test", "x" * 100), ("\u202e@example.test", "User")])
def test_the_default_name_is_a_name(email: str, name: str) -> None:
    assert profile_of(User(email, "u-1", created_at=now(0))).display_name == name


def test_of_two_registrations_the_later_one_counts_field_by_field_and_the_earlier_one_is_the_creation() -> None:
    user = after(registered(5, id="b", display_name="Later"), registered(1, id="a", display_name="Ada", country="SE"))
    profile = profile_of(user)
    assert (profile.display_name, profile.country) == ("Later", "SE")
    assert (profile.created_at, profile.updated_at) == (at(1), at(5))


def test_at_one_time_the_greater_id_counts() -> None:
    names = [registered(0, id=each, display_name=each) for each in ("b", "a")]
    assert [profile_of(after(*order)).display_name for order in (names, names[::-1])] == ["b", "b"]


def test_old_preferences_count_member_by_member_as_far_as_they_are_valid() -> None:
    preferences = preferences_of(
        after(
            found(
                0,
                theme="dark",
                items_per_page=3,
                unknown=True,
                language=None,
                price_range_filter=["10.50", 20],
                cookie_preferences={"analytics": True, "marketing": "yes", "essential": False},
            )
        )
    )
    assert preferences.model_dump(exclude_defaults=True, exclude={"updated_at"}) == {
        "theme": "dark",
        "price_range_filter": (Decimal("10.50"), Decimal(20)),
        "cookie_preferences": {"analytics": True},
    }


def test_old_files_alone_make_nobody() -> None:
    assert after(found(0, theme="dark")).created_at is None


def test_a_registered_language_lies_over_the_old_files_and_a_chosen_one_over_both() -> None:
    user = after(found(9, language="fr"), registered(0, language="sv"))
    assert preferences_of(user).language == "sv"
    chose = change_preferences(user, PreferencesChange(language="de"), now(10)).user
    assert preferences_of(folded(chose, [registered(20, id="later", language="fi")]).user).language == "de"


def test_a_provider_of_an_old_file_yields_to_the_choice() -> None:
    chose = change_preferences(after(registered(0)), PreferencesChange(preferred_providers=["p", "q"]), now(1)).user
    late = folded(chose, [found(0, blocked_providers=["p", "r"])]).user
    preferences = preferences_of(late)
    assert (preferences.preferred_providers, preferences.blocked_providers) == (["p", "q"], ["r"])


def test_an_old_file_that_contradicts_itself_blocks() -> None:
    preferences = preferences_of(after(found(0, preferred_providers=["p", "q"], blocked_providers=["q"])))
    assert (preferences.preferred_providers, preferences.blocked_providers) == (["p"], ["q"])


def test_a_section_that_looks_different_has_a_new_version_and_no_other() -> None:
    first = after(registered(0))
    again = folded(first, [registered(0), registered(0)])
    assert again.user == first
    renamed = folded(first, [registered(1, id="b", display_name="Ada")]).user
    assert renamed.profile.version == first.profile.version + 1
    assert renamed.preferences.version == first.preferences.version
    told = folded(first, [found(1, theme="dark", activity_tracking=False)])
    assert told.names == ["theme", "activity_tracking"]
    assert told.user.preferences.version == first.preferences.version + 1
    assert told.user.profile.version == first.profile.version


def registrations() -> SearchStrategy[AnyEvent]:
    fields = {
        "display_name": st.sampled_from(["Ada", "Bob", "\x00", " "]),
        "country": st.sampled_from(["SE", "de", "nowhere"]),
        "timezone": st.sampled_from(["Asia/Tokyo", "UTC", "Nowhere/Land"]),
        "language": st.sampled_from(["sv", "de", "??"]),
    }
    return st.builds(
        lambda minutes, rank, fields: registered(minutes, rank, **fields),
        st.integers(0, 5),
        st.sampled_from("abc"),
        st.fixed_dictionaries({}, optional=fields),
    )


def findings() -> SearchStrategy[AnyEvent]:
    fields: dict[str, SearchStrategy[Any]] = {
        "theme": st.sampled_from(["dark", "light", "mauve"]),
        "items_per_page": st.sampled_from([10, 20, 1000]),
        "cookie_preferences": st.dictionaries(st.sampled_from(["analytics", "marketing"]), st.booleans()),
        "blocked_providers": st.lists(st.sampled_from(["p", "q"]), max_size=2),
        "preferred_providers": st.lists(st.sampled_from(["p", "q"]), max_size=2),
    }
    return st.builds(
        lambda minutes, rank, fields: found(minutes, rank, **fields),
        st.integers(0, 5),
        st.sampled_from("abc"),
        st.fixed_dictionaries({}, optional=fields),
    )


def histories() -> SearchStrategy[list[AnyEvent]]:
    """Events of which no two have the same identity."""
    events = st.lists(registrations() | findings(), min_size=1, max_size=8)
    return events.map(lambda told: list({(e.time, e.source, e.id): e for e in told}.values()))


profile_edits = st.fixed_dictionaries(
    {},
    optional={
        "display_name": st.sampled_from(["Ada", "Eve"]),
        "country": st.sampled_from([None, "", "SE", "FI"]),
        "social_links": st.none()
        | st.dictionaries(st.sampled_from(["x", "y.z"]), st.sampled_from([None, "https://a.test", "https://b.test"])),
    },
).map(ProfileChange.model_validate)
preferences_edits = st.fixed_dictionaries(
    {},
    optional={
        "theme": st.sampled_from(["dark", "auto"]),
        "cookie_preferences": st.dictionaries(st.sampled_from(["analytics", "marketing"]), st.booleans()),
        "preferred_providers": st.sampled_from([None, ["r"]]),
    },
).map(PreferencesChange.model_validate)
Edit = ProfileChange | PreferencesChange


def seen(user: User, *, times: bool) -> list[dict[str, Any]]:
    left_out = set() if times else {"updated_at"}
    return [shown.model_dump(exclude=left_out) for shown in (profile_of(user), preferences_of(user))]


@given(histories(), st.data())
def test_any_order_and_any_duplicates_give_the_same_user(events: list[AnyEvent], data: st.DataObject) -> None:
    again = [*events, *data.draw(st.lists(st.sampled_from(events), max_size=4))]
    one, other = reduce(fold, events, NOBODY), reduce(fold, data.draw(st.permutations(again)), NOBODY)
    assert one == other
    assert seen(one, times=True) == seen(other, times=True)


def applied(user: User, step: AnyEvent | Edit) -> User:
    if isinstance(step, ProfileChange):
        return change_profile(user, step, now(60)).user
    if isinstance(step, PreferencesChange):
        return change_preferences(user, step, now(60)).user
    return folded(user, [step]).user


@given(histories(), st.lists(profile_edits | preferences_edits, max_size=4), st.data())
def test_edits_between_events_come_to_the_same_whatever_came_when(
    events: list[AnyEvent], edits: Sequence[Edit], data: st.DataObject
) -> None:
    """The edits have an order among themselves; between the events they may be anywhere."""
    places = data.draw(st.permutations([True] * len(edits) + [False] * len(events)))
    shuffled, left = iter(data.draw(st.permutations(events))), iter(edits)
    mixed = reduce(applied, (next(left) if is_edit else next(shuffled) for is_edit in places), NOBODY)
    last = reduce(applied, [*events, *edits], NOBODY)
    assert seen(mixed, times=False) == seen(last, times=False)


def test_what_was_emptied_stays_empty_whatever_is_registered_later() -> None:
    user = change_profile(after(registered(0, country="SE")), ProfileChange(country=""), now(1)).user
    assert profile_of(folded(user, [registered(2, id="b", country="FI")]).user).country is None


def test_a_hidden_registration_is_no_update() -> None:
    user = change_profile(after(registered(0)), ProfileChange(display_name="Eve"), now(1)).user
    assert profile_of(folded(user, [registered(9, id="b", display_name="Ada")]).user).updated_at == at(1)


def test_times_are_exact() -> None:
    time = datetime(2026, 1, 31, 9, 30, 0, 123_457, tzinfo=UTC)
    assert profile_of(after(registered(0).model_copy(update={"time": time}))).created_at == time
