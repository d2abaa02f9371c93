"""The profile service's part of the overview: who is looking, and how they want to see it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.profile.api.profiles import NO_PROFILE
from services.profile.domain.preferences import preferences_of
from services.profile.domain.profile import profile_of
from services.profile.domain.users import User
from services.profile.store import UserStore
from shared.contracts.overview import OverviewUser
from shared.plumbing.internal_api import user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.overview_part import part


def routes(users: UserStore, tokens: InternalTokens) -> APIRouter:
    """`GET /overview`, for the user that the gateway's signed call names."""
    router = APIRouter()
    Email = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.get("/overview")
    async def overview(email: Email) -> Response:
        as_of = datetime.now(UTC)
        known = await users.with_last_login(email)
        if known is None:
            raise NO_PROFILE
        return part({"user": shown(*known).model_dump_json().encode()}, as_of)

    return router


def shown(known: User, last_login: datetime | None) -> OverviewUser:
    """The user as the overview shows them."""
    profile, preferences = profile_of(known).model_dump(), preferences_of(known).model_dump()
    said = preferences | profile | {"last_login": last_login, "has_chosen": bool(known.preferences.chosen)}
    return OverviewUser.model_validate({name: said[name] for name in OverviewUser.model_fields})
