"""Who the user of an old file is, what they prefer, and what they did."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from babel import Locale
from pydantic import ValidationError

from mycelium.legacy.shapes import MisfitError, Record, plain_metadata, snake, time_of, variant, why
from shared.contracts.identity import UserRegistered
from shared.contracts.legacy import LegacyActivityFound, LegacyPreferencesFound
from shared.contracts.profiles import PreferencesChange, ProfileChange

_PERSON: Final[Mapping[str, str]] = {"name": "display_name", "country": "country", "timezone": "timezone"}
_ENUMS: Final = frozenset({"theme", "dashboard_layout"})

Problems = list[str]


def registered(user: str, members: Record, problems: Problems) -> UserRegistered:
    """The account. A member that cannot be read is left out and noted."""
    known: dict[str, Any] = {}
    for old, new in _PERSON.items():
        value = members.get(old)
        if value is None:
            continue
        value = (
            _countries().get(value.strip().casefold(), value) if old == "country" and isinstance(value, str) else value
        )
        try:
            known[new] = getattr(ProfileChange.model_validate({new: value}), new)
        except ValidationError as error:
            problems.append(f"{old}: {_message(error)}")
    return UserRegistered(user_email=user, **known)


@cache
def _countries() -> Mapping[str, str]:
    """The codes by the English names, as people wrote them."""
    return {name.casefold(): code for code, name in Locale("en").territories.items() if len(code) == 2}


def preferences(user: str, record: Record, problems: Problems) -> LegacyPreferencesFound | None:
    """The preferences that can be read, each as this dashboard writes it; None if there are none."""
    kept: dict[str, Any] = {}
    for name in PreferencesChange.model_fields:
        if record.get(name) is None:
            continue
        try:
            kept[name] = _checked({name: _modern(name, record[name])})[name]
        except ValidationError as error:
            problems.append(f"user_preferences: {name}: {_message(error)}")
    try:
        _checked(kept)
    except ValidationError as error:
        problems.append(f"user_preferences: {_message(error)}")
        kept = {name: value for name, value in kept.items() if name not in ("preferred_providers", "blocked_providers")}
    return LegacyPreferencesFound(user_email=user, preferences=kept) if kept else None


def _checked(members: Mapping[str, Any]) -> dict[str, Any]:
    change = PreferencesChange.model_validate(members)
    return change.model_dump(mode="json", include=set(members))


def _modern(name: str, value: object) -> object:
    """An enum's name in snake_case; the essential cookies, which could be switched off, are always on."""
    if name in _ENUMS and isinstance(value, str):
        return snake(value)
    if name == "cookie_preferences" and isinstance(value, dict):
        fields = ("analytics", "marketing", "personalization")
        return {name: value[name] for name in fields if name in value}
    return value


def _message(error: ValidationError) -> str:
    """What is wrong, by itself: the member was named before."""
    return error.errors(include_url=False, include_context=False, include_input=False)[0]["msg"].removeprefix(
        "Value error, "
    )


def activity_of(user: str, record: Record) -> tuple[LegacyActivityFound, datetime, int]:
    """The activity, its time, and how many members of its metadata are left out. Raises MisfitError."""
    at = time_of(record, "timestamp", "created_at")
    if at is None:
        raise MisfitError("timestamp: is missing")
    metadata, left_out = plain_metadata(record)
    try:
        kind = variant(record.get("activity_type"))[0]
    except MisfitError as error:
        raise MisfitError(f"activity_type: {error}") from None
    names = ("description", "related_entity_id", "related_entity_type", "session_id")
    given = {name: record.get(name) for name in names}
    try:
        found = LegacyActivityFound.model_validate(
            {**given, "user_email": user, "activity_type": kind, "metadata": metadata}
        )
    except ValidationError as error:
        raise MisfitError(why(error)) from None
    return found, at, left_out


def balance_of(members: Record) -> object:
    """The wallet's balance as the file has it; None where it has none."""
    wallet = members.get("wallet")
    inner = wallet.get("balance") if isinstance(wallet, dict) else None
    given = members.get("wallet_balance", inner)
    return str(given) if isinstance(given, Decimal) else given
