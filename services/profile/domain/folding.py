"""What the events of a batch make of a user, and what others are to be told of it."""

from collections.abc import Iterable
from dataclasses import replace
from functools import reduce

from services.profile.domain.changing import Changed, differences
from services.profile.domain.preferences import preferences_of
from services.profile.domain.profile import profile_of
from services.profile.domain.users import Choices, User, fold
from shared.contracts.envelope import Event, Payload


def folded(user: User, events: Iterable[Event[Payload]]) -> Changed:
    """The user after the events, and the names of the preferences that are different now.

    A section that looks different, by a time only or by more, has a new version.
    """
    after = reduce(fold, events, user)
    before_preferences, after_preferences = preferences_of(user), preferences_of(after)
    if profile_of(user) != profile_of(after):
        after = replace(after, profile=_next(after.profile))
    if before_preferences != after_preferences:
        after = replace(after, preferences=_next(after.preferences))
    return Changed(after, differences(before_preferences, after_preferences))


def _next(choices: Choices) -> Choices:
    return replace(choices, version=choices.version + 1)
