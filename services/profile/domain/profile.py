"""The profile: what a user's layers come to, what others see of it, and how it is changed."""

from dataclasses import replace

from services.profile.domain.changing import Changed, InvalidChangeError, chosen, differences, renewed
from services.profile.domain.users import User
from shared.contracts.profile import ProfileUpdated
from shared.contracts.profiles import (
    MOST_CHARACTERS_OF_A_NAME,
    MOST_LINKS,
    ProfileCard,
    ProfileChange,
    UserProfile,
    one_line,
)
from shared.contracts.times import as_time

_REGISTERED = {"display_name", "country", "timezone"}
_NAMELESS = "User"
_LIMITED = {"user_id", "display_name", "avatar_url"}


def profile_of(user: User) -> UserProfile:
    """The profile as the user sees it; private until they choose otherwise. `updated_at` is when it last changed."""
    registered = {name: told for name, told in user.registered.items() if name in _REGISTERED}
    hidden = user.profile.chosen.keys()
    since = user.created_at or 0
    changes = [since, user.profile.at, *(told.at for name, told in registered.items() if name not in hidden)]
    said = {name: told.value for name, told in registered.items()} | dict(user.profile.chosen)
    return UserProfile.model_validate(
        {
            "display_name": _default_name(user.email),
            **{name: value for name, value in said.items() if value is not None},
            "user_id": user.user_id,
            "user_email": user.email,
            "created_at": as_time(since),
            "updated_at": as_time(max(changes)),
        }
    )


def _default_name(email: str) -> str:
    name = one_line(email.rpartition("@")[0])
    return name[:MOST_CHARACTERS_OF_A_NAME].strip() or _NAMELESS


def card_of(user: User) -> ProfileCard | None:
    """What another user sees: all of it, the name and the avatar, or nothing, as the user's visibility says."""
    profile = profile_of(user)
    if profile.profile_visibility == "private":
        return None
    shown = set(ProfileCard.model_fields) if profile.profile_visibility == "public" else _LIMITED
    return ProfileCard.model_validate(profile.model_dump(include=shown))


def change_profile(user: User, change: ProfileChange, now: int) -> Changed:
    """The user after the change, made at `now` (microseconds). Raises InvalidChangeError where it does not fit."""
    after = replace(user, profile=chosen(user.profile, change.members))
    if len(after.profile.chosen.get("social_links") or {}) > MOST_LINKS:
        raise InvalidChangeError(["social_links"], f"should be at most {MOST_LINKS}; take one out with null first")
    names = differences(profile_of(user), profile_of(after))
    return Changed(replace(after, profile=renewed(after.profile, now)) if names else after, names)


def profile_updated(changed: Changed) -> ProfileUpdated:
    """What is told of a change: the fields' names, and the time zone, by which others count this user's days."""
    timezone = profile_of(changed.user).timezone
    return ProfileUpdated(user_email=changed.user.email, changed=changed.names, timezone=timezone)
