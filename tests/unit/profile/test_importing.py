"""What comes back fills in what is missing, and nothing else."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from services.profile.domain.importing import as_change, as_preferences_change, missing_preferences, missing_profile
from services.profile.domain.preferences import change_preferences, preferences_of
from services.profile.domain.profile import change_profile, profile_of
from services.profile.domain.users import Told, User
from shared.contracts.profiles import PreferencesChange, ProfileChange, UserPreferences, UserProfile

NEW = User("ada@example.org", "id-2", created_at=2_000_000)
OLD = User("ada@example.org", "id-1", created_at=1_000_000, registered={"country": Told("SE", 1, "e")})


def profiled(user: User, **members: Any) -> User:
    return change_profile(user, ProfileChange.model_validate(members), 3_000_000).user


def preferring(user: User, **members: Any) -> User:
    return change_preferences(user, PreferencesChange.model_validate(members), 3_000_000).user


def filled(user: User, shown: UserProfile) -> User:
    return change_profile(user, missing_profile(user, as_change(shown)), 4_000_000).user


def filled_preferences(user: User, shown: UserPreferences) -> User:
    return change_preferences(user, missing_preferences(user, as_preferences_change(shown)), 4_000_000).user


def test_a_new_account_gets_all_of_it() -> None:
    old = profiled(OLD, bio="Writes", phone="+46701234567", social_links={"github": "https://github.com/ada"})
    new = profile_of(filled(NEW, profile_of(old)))
    assert without_times(new) == without_times(profile_of(old))
    preferences = preferences_of(preferring(OLD, theme="dark", price_range_filter=["1.00", "2.50"]))
    assert without_times(preferences_of(filled_preferences(NEW, preferences))) == without_times(preferences)


def without_times(shown: UserProfile | UserPreferences) -> dict[str, object]:
    return shown.model_dump(exclude={"user_id", "created_at", "updated_at"})


@pytest.mark.parametrize("user", [OLD, profiled(OLD, bio="Writes"), profiled(OLD, country=None, display_name="A")])
def test_the_account_that_it_came_from_is_not_changed(user: User) -> None:
    assert filled(user, profile_of(user)) == user
    assert filled_preferences(user, preferences_of(user)) == user


def test_what_was_chosen_or_registered_here_stays() -> None:
    here = profiled(User("ada@example.org", "id-2", 2, {"timezone": Told("Asia/Tokyo", 2, "e")}), bio=None, company="B")
    file = profile_of(profiled(OLD, bio="Old", company="A", timezone="Europe/Paris", job_title="Programmer"))
    shown = profile_of(filled(here, file))
    assert (shown.bio, shown.company, shown.timezone, shown.job_title) == (None, "B", "Asia/Tokyo", "Programmer")


def test_a_provider_stays_on_the_list_that_it_is_on_here() -> None:
    here = preferring(NEW, blocked_providers=["acme"])
    file = preferences_of(preferring(OLD, preferred_providers=["acme", "hypha"]))
    shown = preferences_of(filled_preferences(here, file))
    assert (shown.preferred_providers, shown.blocked_providers) == (["hypha"], ["acme"])


def test_what_no_profile_can_be_is_refused() -> None:
    shown = profile_of(OLD).model_copy(update={"timezone": "Mars/Olympus"})
    with pytest.raises(ValidationError):
        as_change(shown)
    preferences = UserPreferences(items_per_page=1, updated_at=datetime.now(UTC))
    with pytest.raises(ValidationError):
        as_preferences_change(preferences)
