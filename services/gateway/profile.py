"""Who the user is and what they prefer: passed on to the profile service."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Header, Path, Request, Response
from pydantic import BaseModel

from services.gateway.bodies import JsonRoute
from services.gateway.description import (
    BAD_BODY,
    BAD_TOKEN,
    PREFIX,
    UNAVAILABLE,
    Responses,
    answer,
    invalid,
    problem,
)
from services.gateway.passing import passed_on
from services.gateway.services import Services
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.profiles import PreferencesChange, ProfileCard, ProfileChange, UserPreferences, UserProfile

_CARD = {
    "user_id": "0c6a7a52-3d1e-4f6b-9a58-7e2d1c0b9a81",
    "display_name": "Ada",
    "avatar_url": "https://example.org/ada.png",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "bio": "Writes programs for machines that are not built yet.",
    "company": "Analytical Engines",
    "job_title": "Programmer",
    "country": "SE",
    "website": "https://example.org",
    "social_links": {"mastodon": "https://social.example/@ada"},
}
_PROFILE = _CARD | {
    "user_email": "ada@example.org",
    "timezone": "Europe/Stockholm",
    "phone": "+46701234567",
    "profile_visibility": "limited",
    "created_at": "2026-01-02T10:00:00Z",
    "updated_at": "2026-01-31T09:30:00Z",
}
_PREFERENCES = {
    "preferred_currency": "EUR",
    "language": "sv",
    "theme": "dark",
    "dashboard_layout": "cards",
    "items_per_page": 50,
    "email_notifications": True,
    "push_notifications": False,
    "marketing_emails": False,
    "security_alerts": True,
    "deployment_alerts": True,
    "billing_alerts": True,
    "default_category_filter": "energy",
    "price_range_filter": ["0.00", "100.00"],
    "preferred_providers": ["hypha"],
    "blocked_providers": [],
    "auto_renewal_default": False,
    "activity_tracking": True,
    "analytics_participation": True,
    "data_sharing": False,
    "cookie_preferences": {"essential": True, "analytics": False, "marketing": False, "personalization": False},
    "updated_at": "2026-01-31T09:30:00Z",
}
_CHANGED_PROFILE = {"bio": "Writes programs.", "phone": None, "profile_visibility": "limited"}
_CHANGED_PREFERENCES = {"theme": "dark", "activity_tracking": False}

IfMatch = Annotated[
    str | None,
    Header(alias="If-Match", max_length=1_000, description="The `ETag` that the change is meant for; 412 otherwise."),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", max_length=1_000, description="An `ETag` that you have; 304 if it still holds."),
]
_GONE = problem(404, "no-profile", "There is no such profile, or it is not for you to see.")
_READ = (
    _GONE
    | answer(304, "What you have still holds.")
    | invalid("#/If-None-Match", "is too long")
    | BAD_TOKEN
    | UNAVAILABLE
)
_CHANGE = (
    _GONE
    | problem(412, "changed-meanwhile", "It was changed meanwhile; read it again and change that.")
    | BAD_BODY
    | BAD_TOKEN
    | UNAVAILABLE
)


def routes(services: Services, sessions: Sessions) -> APIRouter:
    """`GET` and `PATCH` of `/profile` and `/preferences`, `GET /profiles/{user_id}`."""
    router = APIRouter(prefix=PREFIX, tags=["profile"], route_class=JsonRoute)
    Asking = Annotated[Identity, Depends(sessions.identity)]  # noqa: N806  (a type)

    async def asked(request: Request, identity: Identity, body: BaseModel | None = None) -> Response:
        return (await passed_on(services, "profile", request, identity, body)).response()

    @router.get(
        "/profile",
        response_model=UserProfile,
        summary="Who the user is",
        responses=_tagged(answer(200, "All of it.", _PROFILE)) | _READ,
    )
    async def profile(request: Request, identity: Asking, _given: IfNoneMatch = None) -> Response:
        """`user_id` is how other users may address the profile, as far as `profile_visibility` lets them see it."""
        return await asked(request, identity)

    @router.patch(
        "/profile",
        response_model=UserProfile,
        summary="Change the profile",
        responses=_tagged(answer(200, "All of it, as it is now.", _PROFILE))
        | invalid("#/website", "should be a web address that begins with https:// or http://")
        | _CHANGE,
    )
    async def change_profile(
        request: Request,
        identity: Asking,
        body: Annotated[ProfileChange, Body(openapi_examples={"some": {"value": _CHANGED_PROFILE}})],
        _given: IfMatch = None,
    ) -> Response:
        """A JSON merge patch: what is left out stays as it is, `null` empties what may be empty."""
        return await asked(request, identity, body)

    @router.get(
        "/preferences",
        response_model=UserPreferences,
        summary="What the user prefers",
        responses=_tagged(answer(200, "All of it.", _PREFERENCES)) | _READ,
    )
    async def preferences(request: Request, identity: Asking, _given: IfNoneMatch = None) -> Response:
        """With the defaults of what was never chosen."""
        return await asked(request, identity)

    @router.patch(
        "/preferences",
        response_model=UserPreferences,
        summary="Change the preferences",
        responses=_tagged(answer(200, "All of it, as it is now.", _PREFERENCES))
        | invalid("#/items_per_page", "Input should be less than or equal to 200")
        | _CHANGE,
    )
    async def change_preferences(
        request: Request,
        identity: Asking,
        body: Annotated[PreferencesChange, Body(openapi_examples={"some": {"value": _CHANGED_PREFERENCES}})],
        _given: IfMatch = None,
    ) -> Response:
        """A JSON merge patch. Without `activity_tracking` what is of low impact is not kept, and what was kept goes."""
        return await asked(request, identity, body)

    @router.get(
        "/profiles/{user_id}",
        response_model=ProfileCard,
        response_model_exclude_none=True,
        summary="Another user's profile",
        responses=answer(200, "As far as it may be seen.", _CARD)
        | _GONE
        | invalid("#/user_id", "String should have at most 256 characters")
        | BAD_TOKEN
        | UNAVAILABLE,
    )
    async def card(identity: Asking, user_id: Annotated[str, Path(max_length=256)]) -> Response:
        """The whole card where the profile is public, name and avatar where it is limited."""
        address = f"/profiles/{quote(user_id, safe='')}"
        return (await services.ask("profile", address, user=identity.user)).response()

    return router


def _tagged(responses: Responses) -> Responses:
    header = {"ETag": {"schema": {"type": "string"}, "description": "Its version.", "example": '"7"'}}
    return {status: described | {"headers": header} for status, described in responses.items()}
