"""The profile and the preferences of a user, and what others see of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel

from services.profile.api.conditions import check_unchanged, etag, is_known
from services.profile.domain.changing import Changed, InvalidChangeError
from services.profile.domain.preferences import change_preferences, preferences_of, preferences_updated
from services.profile.domain.profile import card_of, change_profile, profile_of, profile_updated
from services.profile.domain.users import Choices, User
from services.profile.store import UserStore
from shared.contracts.accounts import ExportDone, ImportDone
from shared.contracts.envelope import UserPayload
from shared.contracts.profile import DataExported, DataImported
from shared.contracts.profiles import PreferencesChange, ProfileChange
from shared.contracts.times import microseconds
from shared.contracts.types import Section
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.problems import ProblemError

C = TypeVar("C", ProfileChange, PreferencesChange)
IfMatch = Annotated[str | None, Header(alias="if-match")]
IfNoneMatch = Annotated[str | None, Header(alias="if-none-match")]
NO_PROFILE = ProblemError(404, "no-profile", "There is no such profile, or it is not for you to see.")


@dataclass(frozen=True)
class _Part(Generic[C]):
    """A part of the user that is read and changed by itself."""

    section: Section
    choices: Callable[[User], Choices]
    shown: Callable[[User], BaseModel]
    change: Callable[[User, C, int], Changed]
    told: Callable[[Changed], UserPayload]

    def answer(self, user: User, if_none_match: str | None = None) -> Response:
        """The whole part, or that it is still the one that the client has."""
        version = self.choices(user).version
        headers = {"ETag": etag(version)}
        if is_known(if_none_match, version):
            return Response(None, 304, headers)
        return Response(self.shown(user).model_dump_json(), 200, headers, "application/json")


_PROFILE = _Part[ProfileChange]("profile", lambda user: user.profile, profile_of, change_profile, profile_updated)
_PREFERENCES = _Part[PreferencesChange](
    "preferences", lambda user: user.preferences, preferences_of, change_preferences, preferences_updated
)


def routes(users: UserStore, tokens: InternalTokens, told: Callable[[], None]) -> APIRouter:
    """Reads and changes; calls `told` after each change: an event stands in an outbox."""
    router = APIRouter()
    Email = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    async def patch(part: _Part[C], email: str, change: C, if_match: str | None) -> Response:
        def decide(user: User) -> Changed:
            check_unchanged(if_match, part.choices(user).version)
            return part.change(user, change, microseconds(datetime.now(UTC)))

        try:
            changed = _found(await users.change(email, part.section, decide, part.told))
        except InvalidChangeError as error:
            raise _invalid(error) from None
        told()
        return part.answer(changed)

    @router.get("/profile")
    async def profile(email: Email, if_none_match: IfNoneMatch = None) -> Response:
        return _PROFILE.answer(_found(await users.find(email)), if_none_match)

    @router.patch("/profile")
    async def patch_profile(email: Email, change: ProfileChange, if_match: IfMatch = None) -> Response:
        return await patch(_PROFILE, email, change, if_match)

    @router.get("/preferences")
    async def preferences(email: Email, if_none_match: IfNoneMatch = None) -> Response:
        return _PREFERENCES.answer(_found(await users.find(email)), if_none_match)

    @router.patch("/preferences")
    async def patch_preferences(email: Email, change: PreferencesChange, if_match: IfMatch = None) -> Response:
        return await patch(_PREFERENCES, email, change, if_match)

    @router.get("/profiles/{user_id}")
    async def card(_email: Email, user_id: str) -> Response:
        shown = card_of(_found(await users.find_by_id(user_id)))
        if shown is None:
            raise NO_PROFILE
        return Response(shown.model_dump_json(), media_type="application/json")

    @router.post("/exports", status_code=204)
    async def exported(email: Email, done: ExportDone) -> None:
        await tell(DataExported(user_email=email, items=done.items))

    @router.post("/imports/done", status_code=204)
    async def imported(email: Email, done: ImportDone) -> None:
        await tell(DataImported(user_email=email, items=done.items, added=done.added))

    async def tell(payload: UserPayload) -> None:
        if not await users.tell(payload):
            raise NO_PROFILE
        told()

    return router


def _found(user: User | None) -> User:
    if user is None:
        raise NO_PROFILE
    return user


def _invalid(error: InvalidChangeError) -> ProblemError:
    errors = [{"pointer": f"#/{field}", "detail": error.detail} for field in error.fields]
    return ProblemError(422, "invalid", "Some fields are not valid; see errors.", errors=errors)
