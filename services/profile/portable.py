"""Who the user is and what they prefer as parts of the file that holds everything about them, and back from it."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from services.profile.api.profiles import NO_PROFILE
from services.profile.domain.changing import Changed
from services.profile.domain.importing import as_change, as_preferences_change, missing_preferences, missing_profile
from services.profile.domain.preferences import change_preferences, preferences_of, preferences_updated
from services.profile.domain.profile import change_profile, profile_of, profile_updated
from services.profile.domain.users import User
from services.profile.session_store import SessionStore
from services.profile.store import UserStore
from shared.contracts.envelope import UserPayload
from shared.contracts.portable import PARTS, PortableProfile, PreferencesItem, ProfileItem
from shared.contracts.profiles import PreferencesChange, ProfileChange
from shared.contracts.times import microseconds
from shared.contracts.types import Section
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.portability import NOT_YOURS, Thing, invalid, items_in, stream_of
from shared.plumbing.problems import json_pointer

AnyItem: TypeAlias = ProfileItem | PreferencesItem
AnyChange: TypeAlias = ProfileChange | PreferencesChange
_ITEMS: Final[TypeAdapter[list[AnyItem]]] = TypeAdapter(list[Annotated[AnyItem, Field(discriminator="part")]])
_TOLD: Final[Mapping[type[AnyChange], tuple[Section, Callable[[Changed], UserPayload]]]] = {
    ProfileChange: ("profile", profile_updated),
    PreferencesChange: ("preferences", preferences_updated),
}


def routes(users: UserStore, sessions: SessionStore, tokens: InternalTokens, told: Callable[[], None]) -> APIRouter:
    """`GET /export`, `POST /imports/check`, `POST /imports`, for the user that the gateway's signed call names.

    Calls `told` after an import: an event may stand in an outbox.
    """
    router = APIRouter()
    Email = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.get("/export")
    async def export(email: Email) -> Response:
        known = await users.find(email)
        if known is None:
            raise NO_PROFILE
        return stream_of(PARTS["profile"], _things(known, sessions))

    @router.post("/imports/check", status_code=204)
    async def check(email: Email, request: Request) -> None:
        await _changes_in(request, email)

    @router.post("/imports")
    async def take(email: Email, request: Request) -> dict[str, int]:
        changes = await _changes_in(request, email)
        added = [await _fill_in(users, email, change) for change in changes]
        told()
        return {"added": sum(added)}

    return router


async def _things(known: User, sessions: SessionStore) -> AsyncIterator[Thing]:
    yield "profile", _json(profile_of(known))
    yield "preferences", _json(preferences_of(known))
    for session in await sessions.of(known.email, datetime.now(UTC)):
        yield "sessions", _json(session)


def _json(model: BaseModel) -> object:
    return model.model_dump(mode="json")


async def _changes_in(request: Request, email: str) -> Sequence[AnyChange]:
    """What the items would make of a user of whom nothing is known. Raises a 403 or 422 problem."""
    changes: list[AnyChange] = []
    for place, each in enumerate(await items_in(request, _ITEMS)):
        try:
            if isinstance(each.item, PortableProfile):
                if each.item.user_email != email:
                    raise NOT_YOURS
                changes.append(as_change(each.item))
            else:
                changes.append(as_preferences_change(each.item))
        except ValidationError as error:
            wrong = error.errors(include_url=False, include_context=False, include_input=False)
            raise invalid((json_pointer([place, "item", *one["loc"]]), one["msg"]) for one in wrong) from None
    return changes


async def _fill_in(users: UserStore, email: str, wanted: AnyChange) -> bool:
    """Whether anything of it was missing."""
    filled = list[str]()

    def decide(known: User) -> Changed:
        at = microseconds(datetime.now(UTC))
        changed = (
            change_profile(known, missing_profile(known, wanted), at)
            if isinstance(wanted, ProfileChange)
            else change_preferences(known, missing_preferences(known, wanted), at)
        )
        filled[:] = changed.names
        return changed

    section, tell = _TOLD[type(wanted)]
    if await users.change(email, section, decide, tell) is None:
        raise NO_PROFILE
    return bool(filled)
