"""What of a profile or of preferences that come back is missing here. Nothing that is known is changed."""

from collections.abc import Collection
from typing import TypeVar

from services.profile.domain.preferences import preferences_of
from services.profile.domain.profile import profile_of
from services.profile.domain.users import User
from shared.contracts.profiles import PreferencesChange, ProfileChange, UserPreferences, UserProfile

C = TypeVar("C", ProfileChange, PreferencesChange)
_OTHER_LIST = {"preferred_providers": "blocked_providers", "blocked_providers": "preferred_providers"}


def as_change(shown: UserProfile) -> ProfileChange:
    """The change that makes a profile look like this one. Raises pydantic.ValidationError for what none can be."""
    return ProfileChange.model_validate_json(shown.model_dump_json(include=set(ProfileChange.model_fields)))


def as_preferences_change(shown: UserPreferences) -> PreferencesChange:
    """The change that makes preferences look like these. Raises pydantic.ValidationError for what none can be."""
    return PreferencesChange.model_validate_json(shown.model_dump_json(include=set(PreferencesChange.model_fields)))


def missing_profile(user: User, wanted: ProfileChange) -> ProfileChange:
    """The part of `wanted` that the user neither chose here nor gave when they registered."""
    known = user.profile.chosen.keys() | user.registered.keys()
    return _missing(as_change(profile_of(user)), wanted, known)


def missing_preferences(user: User, wanted: PreferencesChange) -> PreferencesChange:
    """The part of `wanted` that the user neither chose here nor had in old files; no provider leaves its list."""
    now = as_preferences_change(preferences_of(user))
    known = user.preferences.chosen.keys() | user.found.keys() | user.registered.keys()
    missing = _missing(now, wanted, known)
    kept = {other: getattr(now, other) or [] for other in _OTHER_LIST if other not in missing.model_fields_set}
    fitting = {
        name: [one for one in getattr(missing, name) or [] if one not in kept.get(other, ())]
        for name, other in _OTHER_LIST.items()
        if name in missing.model_fields_set
    }
    return missing.model_copy(update=fitting)


def _missing(now: C, wanted: C, known: Collection[str]) -> C:
    before = now.members
    names = [name for name, value in wanted.members.items() if name not in known and value != before[name]]
    return type(wanted).model_construct(**{name: getattr(wanted, name) for name in names})
