"""What a user may change, and what is told of it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given

from services.profile.domain.changing import Changed, InvalidChangeError
from services.profile.domain.folding import folded
from services.profile.domain.preferences import (
    change_preferences,
    changes_others,
    preferences_of,
    preferences_updated,
)
from services.profile.domain.profile import card_of, change_profile, profile_of, profile_updated
from services.profile.domain.users import User
from shared.contracts.profiles import PreferencesChange, ProfileChange
from tests.unit.profile.telling import EMAIL, NOBODY, at, found, now, registered
from tests.unit.profile.test_users import preferences_edits, profile_edits

ADA = folded(NOBODY, [registered(0, country="SE")]).user


def profile(user: User, minutes: int = 1, **members: Any) -> Changed:  # Any: what a client may send
    return change_profile(user, ProfileChange.model_validate(members), now(minutes))


def preferences(user: User, minutes: int = 1, **members: Any) -> Changed:
    return change_preferences(user, PreferencesChange.model_validate(members), now(minutes))


def test_only_what_was_sent_changes() -> None:
    user = profile(ADA, bio="I count.", first_name="Ada").user
    changed = profile(user, 2, first_name="Augusta")
    assert changed.names == ["first_name"]
    shown = profile_of(changed.user)
    assert (shown.first_name, shown.bio, shown.country) == ("Augusta", "I count.", "SE")
    assert (shown.created_at, shown.updated_at) == (at(0), at(2))
    assert changed.user.profile.version == user.profile.version + 1


@pytest.mark.parametrize("empty", ["", " ", None])
def test_null_and_an_empty_text_empty_and_are_told(empty: str | None) -> None:
    user = profile(ADA, bio="I count.", phone="+46701234567").user
    changed = profile(user, 2, bio=empty, phone=empty, country=empty, website=empty)
    assert changed.names == ["bio", "country", "phone"]
    shown = profile_of(changed.user)
    assert (shown.bio, shown.country, shown.phone) == (None, None, None)


def test_what_is_as_it_was_is_no_change() -> None:
    user = profile(ADA, bio="I count.").user
    assert profile(user, 2, bio=" I count.\x00", country="se").names == []
    assert profile_of(profile(user, 2, bio="I count.").user).updated_at == at(1)
    assert preferences(ADA, 2, price_range_filter=None, theme="auto").names == []
    money = preferences(ADA, price_range_filter=["1.50", "2"]).user
    assert preferences(money, 2, price_range_filter=["1.5", 2]).names == []


def test_a_choice_of_what_holds_anyway_is_kept() -> None:
    user = preferences(ADA, activity_tracking=True).user
    assert user.preferences.version == ADA.preferences.version
    assert preferences_of(folded(user, [found(0, activity_tracking=False)]).user).activity_tracking


def test_social_links_are_patched_one_by_one() -> None:
    user = profile(ADA, social_links={"git.hub": "https://a.test", "x": "https://b.test"}).user
    changed = profile(user, 2, social_links={"x": None, "y": "https://c.test"})
    assert changed.names == ["social_links"]
    assert profile_of(changed.user).social_links == {"git.hub": "https://a.test", "y": "https://c.test"}
    assert profile_of(profile(user, 2, social_links={"x": ""}).user).social_links == {"git.hub": "https://a.test"}
    assert profile_of(profile(user, 2, social_links=None).user).social_links == {}
    assert profile(user, 2, social_links={}).names == []


def test_social_links_are_at_most_twenty_together() -> None:
    user = profile(ADA, social_links={f"n{i}": "https://a.test" for i in range(15)}).user
    with pytest.raises(InvalidChangeError) as refused:
        profile(user, social_links={f"m{i}": "https://a.test" for i in range(6)})
    assert refused.value.fields == ["social_links"]


def test_cookies_are_patched_one_by_one() -> None:
    user = preferences(ADA, cookie_preferences={"analytics": True}).user
    changed = preferences(user, 2, cookie_preferences={"marketing": True, "essential": True})
    assert changed.names == ["cookie_preferences"]
    shown = preferences_of(changed.user).cookie_preferences
    assert shown.model_dump() == {
        "essential": True,
        "analytics": True,
        "marketing": True,
        "personalization": False,
    }


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"preferred_providers": ["b"]}, ["preferred_providers"]),
        ({"blocked_providers": ["a", "b"]}, ["blocked_providers"]),
        (
            {"preferred_providers": ["c"], "blocked_providers": ["c"]},
            ["preferred_providers", "blocked_providers"],
        ),
    ],
)
def test_a_provider_is_not_both_preferred_and_blocked(members: dict[str, Any], fields: list[str]) -> None:
    user = preferences(ADA, preferred_providers=["a"], blocked_providers=["b"]).user
    with pytest.raises(InvalidChangeError) as refused:
        preferences(user, **members)
    assert refused.value.fields == fields
    swapped = preferences(user, preferred_providers=["b"], blocked_providers=None).user
    assert preferences_of(swapped).preferred_providers == ["b"]
    assert preferences(user, theme="dark").names == ["theme"]


def test_a_provider_that_an_old_file_blocks_is_not_preferred_unseen() -> None:
    user = folded(ADA, [found(0, blocked_providers=["p"])]).user
    with pytest.raises(InvalidChangeError):
        preferences(user, preferred_providers=["p"])


def test_a_clock_that_was_put_back_makes_no_earlier_update() -> None:
    user = profile(ADA, 9, bio="a").user
    assert profile_of(profile(user, 3, bio="b").user).updated_at == at(9)


def test_the_event_names_what_changed_and_no_private_value() -> None:
    told = profile_updated(profile(ADA, bio="secret", phone="+46701234567", timezone="Asia/Tokyo"))
    assert told.model_dump() == {
        "user_email": EMAIL,
        "changed": ["bio", "timezone", "phone"],
        "timezone": "Asia/Tokyo",
    }
    chose = preferences_updated(preferences(ADA, language="sv", blocked_providers=["p"], auto_renewal_default=True))
    assert chose.model_dump() == {
        "user_email": EMAIL,
        "changed": ["language", "blocked_providers", "auto_renewal_default"],
        "activity_tracking": True,
        "analytics_participation": True,
        "auto_renewal_default": True,
        "preferred_providers": [],
        "blocked_providers": ["p"],
        "price_range_filter": [],
        "default_category_filter": "",
        "deployment_alerts": True,
        "billing_alerts": True,
        "security_alerts": True,
        "email_notifications": True,
    }


@pytest.mark.parametrize(
    "name", ["activity_tracking", "auto_renewal_default", "blocked_providers", "billing_alerts", "security_alerts"]
)
def test_others_act_on_some_of_them_only(name: str) -> None:
    assert changes_others(["theme", name])
    assert not changes_others(["theme", "language"])


def test_a_card_shows_what_the_visibility_lets_be_seen() -> None:
    user = profile(ADA, bio="I count.", avatar_url="https://a.test/x.png", phone="+46701234567").user
    assert card_of(user) is None
    limited = card_of(profile(user, 2, profile_visibility="limited").user)
    assert limited is not None
    assert limited.model_dump(exclude_defaults=True) == {
        "user_id": "u-1",
        "display_name": "ada.lovelace",
        "avatar_url": "https://a.test/x.png",
    }
    public = card_of(profile(user, 2, profile_visibility="public").user)
    assert public is not None
    assert (public.bio, public.country) == ("I count.", "SE")
    assert EMAIL not in public.model_dump_json()
    assert "+46701234567" not in public.model_dump_json()


@given(profile_edits, profile_edits)
def test_a_patch_of_a_profile_is_idempotent_and_touches_what_it_names_only(
    first: ProfileChange, second: ProfileChange
) -> None:
    user = change_profile(ADA, first, now(1)).user
    once = change_profile(user, second, now(2))
    again = change_profile(once.user, second, now(3))
    assert (again.names, again.user) == ([], once.user)
    assert set(once.names) <= second.members.keys()
    before, after = profile_of(user), profile_of(once.user)
    untouched = set(type(before).model_fields) - set(once.names) - {"updated_at"}
    assert before.model_dump(include=untouched) == after.model_dump(include=untouched)
    assert (after.updated_at == at(2)) == bool(once.names)


@given(preferences_edits, preferences_edits)
def test_a_patch_of_preferences_is_idempotent_and_touches_what_it_names_only(
    first: PreferencesChange, second: PreferencesChange
) -> None:
    user = change_preferences(ADA, first, now(1)).user
    once = change_preferences(user, second, now(2))
    again = change_preferences(once.user, second, now(3))
    assert (again.names, again.user) == ([], once.user)
    assert set(once.names) <= second.members.keys()
    assert (preferences_of(once.user).updated_at == at(2)) == bool(once.names)


def test_exact_prices_stay_exact() -> None:
    user = preferences(ADA, price_range_filter=["0.10", "12345678901234.123456789012345678"]).user
    assert preferences_of(user).price_range_filter == (Decimal("0.10"), Decimal("12345678901234.123456789012345678"))
