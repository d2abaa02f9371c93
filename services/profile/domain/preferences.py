"""The preferences: what a user's layers come to, and how they are changed."""

from collections.abc import Mapping
from dataclasses import replace

from services.profile.domain.changing import Changed, InvalidChangeError, chosen, differences, renewed
from services.profile.domain.users import User, Value, patched
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.profiles import PreferencesChange, UserPreferences
from shared.contracts.times import as_time

_PREFERRED, _BLOCKED = "preferred_providers", "blocked_providers"
_TOLD = {
    "activity_tracking",
    "analytics_participation",
    "auto_renewal_default",
    "preferred_providers",
    "blocked_providers",
    "price_range_filter",
    "default_category_filter",
    "deployment_alerts",
    "billing_alerts",
    "security_alerts",
    "email_notifications",
}


def preferences_of(user: User) -> UserPreferences:
    """The preferences in effect. `updated_at` is when they last changed."""
    below = {**user.found, **{name: told for name, told in user.registered.items() if name == "language"}}
    mine = user.preferences.chosen
    values = patched({name: told.value for name, told in below.items()}, mine)
    seen = [told.at for name, told in below.items() if name not in mine or isinstance(told.value, dict)]
    since = user.created_at or 0
    return UserPreferences.model_validate(
        {
            **_without_both(values, mine),
            "updated_at": as_time(max(since, user.preferences.at, *seen)),
        }
    )


def _without_both(values: Mapping[str, Value], mine: Mapping[str, Value]) -> dict[str, Value]:
    """An old file may name a provider on a list although the user has it on the other: what the user chose counts."""
    given = {name: value for name, value in values.items() if value is not None}
    yields, stays = (_BLOCKED, _PREFERRED) if _PREFERRED in mine and _BLOCKED not in mine else (_PREFERRED, _BLOCKED)
    if yields in given:
        given[yields] = [provider for provider in given[yields] if provider not in given.get(stays, [])]
    return given


def change_preferences(user: User, change: PreferencesChange, now: int) -> Changed:
    """The user after the change, made at `now` (microseconds). Raises InvalidChangeError where it does not fit."""
    before = preferences_of(user)
    _check_providers(before, change.members)
    after = replace(user, preferences=chosen(user.preferences, change.members))
    names = differences(before, preferences_of(after))
    return Changed(replace(after, preferences=renewed(after.preferences, now)) if names else after, names)


def _check_providers(before: UserPreferences, members: Mapping[str, Value]) -> None:
    fields = [name for name in (_PREFERRED, _BLOCKED) if name in members]
    lists = (members.get(name, getattr(before, name)) or [] for name in (_PREFERRED, _BLOCKED))
    if fields and set.intersection(*map(set, lists)):
        raise InvalidChangeError(
            fields, "a provider cannot be both preferred and blocked; take it off one of the lists"
        )


def preferences_updated(changed: Changed) -> PreferencesUpdated:
    """What is told of a change: the fields' names, and the choices that other services act on."""
    preferences = preferences_of(changed.user)
    told = preferences.model_dump(include=_TOLD) | {
        "price_range_filter": list(preferences.price_range_filter or ()),
        "default_category_filter": preferences.default_category_filter or "",
    }
    return PreferencesUpdated(user_email=changed.user.email, changed=changed.names, **told)


def changes_others(names: list[str]) -> bool:
    """Whether other services act on one of these preferences."""
    return not _TOLD.isdisjoint(names)
