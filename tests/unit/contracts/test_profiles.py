"""What may stand in a profile and in preferences: cleaned, or refused by name."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.contracts.profiles import PreferencesChange, ProfileChange, UserPreferences, UserProfile, cleaned, one_line


def profile(**members: Any) -> dict[str, Any]:  # Any: what a client may send
    return ProfileChange.model_validate(members).members


def preferences(**members: Any) -> dict[str, Any]:
    return PreferencesChange.model_validate(members).members


@pytest.mark.parametrize(
    ("member", "sent", "kept"),
    [
        ("display_name", "  Ada \x00\t Lovelace\n", "Ada Lovelace"),
        ("display_name", "e\u0301", "\u00e9"),
        ("display_name", "e\x07\u0301", "\u00e9"),
        ("first_name", "\u202eadA", "adA"),
        ("bio", " one\r\n\ttwo\x1b[31m ", "one\n\ttwo[31m"),
        ("bio", "", None),
        ("company", " \x07 ", None),
        ("country", "se", "SE"),
        ("phone", "+46 (70) 123-45.67", "+46701234567"),
        ("website", "http://a.test:8080/x?y#z", "http://a.test:8080/x?y#z"),
        ("website", "https://\u00fcber.test/", "https://\u00fcber.test/"),
        (
            "social_links",
            {"git.hub": "https://a.test", "x": "", "y": None},
            {"git.hub": "https://a.test", "x": None, "y": None},
        ),
    ],
)
def test_what_is_kept_of_a_profile_is_clean(member: str, sent: Any, kept: Any) -> None:
    assert profile(**{member: sent}) == {member: kept}


@pytest.mark.parametrize(
    ("member", "sent"),
    [
        ("display_name", None),
        ("display_name", "x" * 101),
        ("first_name", 7),
        ("bio", "x" * 1_001),
        ("website", "javascript:alert(1)"),
        ("website", "//a.test"),
        ("website", "https://"),
        ("website", "https://user:password@a.test"),
        ("website", "https://a.test/ b"),
        ("website", "https://a.test/\u202e"),
        ("website", "https://a.test:99999"),
        ("website", "https://[::1"),
        ("website", "https://a.test/" + "x" * 2_048),
        ("avatar_url", "data:image/png;base64,AAAA"),
        ("phone", "0701234567"),
        ("phone", "+4670123456789012"),
        ("phone", "+46\u0667\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667"),
        ("country", "EU"),
        ("country", "SWE"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("timezone", "localtime"),
        ("profile_visibility", "hidden"),
        ("social_links", {"Git Hub": "https://a.test"}),
        ("social_links", {"x": "a.test"}),
        ("social_links", {f"n{n}": "https://a.test" for n in range(21)}),
        ("user_id", "mine"),
        ("created_at", "2026-01-31T09:30:00Z"),
    ],
)
def test_anything_else_of_a_profile_is_refused_by_name(member: str, sent: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        profile(**{member: sent})
    assert {error["loc"][0] for error in refused.value.errors()} == {member}


@pytest.mark.parametrize(
    ("member", "sent", "kept"),
    [
        ("language", "pt-br", "pt-BR"),
        ("preferred_currency", "TFP", "TFP"),
        ("items_per_page", 200, 200),
        ("default_category_filter", " ai \n models ", "ai models"),
        ("preferred_providers", ["p", "q", "p"], ["p", "q"]),
        ("blocked_providers", None, None),
        ("cookie_preferences", {"analytics": True}, {"analytics": True}),
    ],
)
def test_what_is_kept_of_preferences_is_clean(member: str, sent: Any, kept: Any) -> None:
    assert preferences(**{member: sent}) == {member: kept}


@pytest.mark.parametrize(
    ("member", "sent"),
    [
        ("items_per_page", 4),
        ("items_per_page", 201),
        ("items_per_page", 50.0),
        ("items_per_page", True),
        ("language", "klingon-please"),
        ("language", ""),
        ("preferred_currency", "eur"),
        ("preferred_currency", "DOGE"),
        ("price_range_filter", ["2", "1"]),
        ("price_range_filter", ["-1", "1"]),
        ("price_range_filter", ["1"]),
        ("price_range_filter", ["1", "2", "3"]),
        ("theme", "Dark"),
        ("email_notifications", "yes"),
        ("activity_tracking", None),
        ("preferred_providers", [""]),
        ("preferred_providers", [f"p{n}" for n in range(201)]),
        ("cookie_preferences", {"essential": False}),
        ("cookie_preferences", {"tracking": True}),
        ("updated_at", "2026-01-31T09:30:00Z"),
    ],
)
def test_anything_else_of_preferences_is_refused_by_name(member: str, sent: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        preferences(**{member: sent})
    assert {error["loc"][0] for error in refused.value.errors()} == {member}


def test_whatever_is_shown_can_be_changed_but_for_who_and_when() -> None:
    assert UserProfile.model_fields.keys() - ProfileChange.model_fields.keys() == {
        "user_id",
        "user_email",
        "created_at",
        "updated_at",
    }
    assert UserPreferences.model_fields.keys() - PreferencesChange.model_fields.keys() == {"updated_at"}


@given(st.text(st.characters(codec=None)))
def test_clean_text_stays_as_it_is_and_can_be_written_anywhere(text: str) -> None:
    for clean in (cleaned(text), one_line(text)):
        assert cleaned(clean) == clean
        clean.encode()
        assert not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in clean)
    assert "\n" not in one_line(text)
    assert one_line(one_line(text)) == one_line(text)
