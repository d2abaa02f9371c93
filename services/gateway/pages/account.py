"""The account: where the user is signed in, their password, their data out and in again, and how they leave."""

import asyncio
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import SecretStr, ValidationError

from services.gateway import cookies
from services.gateway.accounts import begin_erasure
from services.gateway.auth import set_password
from services.gateway.pages.account_words import said_of, where_of
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.uploads import uploaded
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.pages.words import N_
from services.gateway.restoring import Importer
from services.gateway.services import unavailable
from services.gateway.tokens import OutsideIdentity
from shared.contracts.accounts import PasswordCheck
from shared.plumbing.problems import ProblemError

PATH: Final = f"{HOME}/account"
_Id = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,256}$")]
_NOT_FOUND = ProblemError(404, "not-found", "")
_WRONG: Final = N_("The password is wrong.")
_NOT_THE_SAME: Final = N_("The two new passwords are not the same.")
_TOO_OFTEN: Final = N_("There were too many failures. Wait a little, then try again.")
_ERASE_NOT: Final = {
    403: N_("The password is wrong. Nothing was erased."),
    422: N_("Type your password to erase the account. Nothing was erased."),
    429: N_("There were too many failures. Wait a little, then try again. Nothing was erased."),
}
_SIGN_IN_AGAIN: Final = N_(
    "Leaving asks for a sign-in of the last five minutes. Sign out, get a new token from your provider, sign in with "
    "it, and come back here. Nothing was erased."
)
_MOST_ERRORS: Final = 20
_DONE_WITHOUT: Final = (204, 404)  # a session that is gone already has ended


def routes(pages: Pages, importer: Importer) -> APIRouter:
    """`/account` with what it sends forms to, and `/erased/{erasure_id}`, which needs no session."""
    every = APIRouter(include_in_schema=False)
    every.include_router(_of_the_user(pages, importer))
    every.include_router(_of_everybody(pages))
    return every


def _of_the_user(pages: Pages, importer: Importer) -> APIRouter:
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/account")
    async def account(visit: Visiting, items: int | None = None, added: int | None = None) -> Response:
        return await _page(visit, imported=None if items is None or added is None else (items, added))

    @router.get("/account/{form:path}")
    async def after_a_form(visit: Visiting, form: str) -> Response:  # noqa: ARG001  (whichever it was)
        """The address of a form that was sent, loaded anew or come back to."""
        return visit.go(PATH)

    @router.post("/account/sessions/end")
    async def end_others(visit: Visiting) -> Response:
        known = (await visit.ask("profile", "/sessions"))["items"]
        others = [each["id"] for each in known if each["id"] != visit.identity.session_id]
        ended = await asyncio.gather(*(pages.sessions.end(visit.identity, other) for other in others))
        if any(answer.status not in _DONE_WITHOUT for answer in ended):
            raise unavailable("profile")
        return visit.go(f"{PATH}#sessions", said="sessions-ended")

    @router.post("/account/sessions/{session_id}/end")
    async def end(visit: Visiting, session_id: _Id) -> Response:
        ended = await pages.sessions.end(visit.identity, session_id)
        if ended.status == 404:
            raise _NOT_FOUND
        if ended.status != 204:
            raise unavailable("profile")
        return visit.go(f"{PATH}#sessions", said="session-ended")

    @router.post("/account/password")
    async def change_password(visit: Visiting) -> Response:
        if isinstance(visit.identity, OutsideIdentity):
            raise _NOT_FOUND
        form = await form_of(visit.request)
        old, new, again = (str(form.get(name, "")) for name in ("old", "new", "again"))
        if new != again:
            return await _page(visit, 422, errors={"again": _NOT_THE_SAME})
        try:
            changed = await set_password(visit.services, pages.sessions, visit.identity, old, new)
        except ProblemError as problem:
            if problem.status not in (403, 429):
                raise
            errors = {"old": _WRONG if problem.status == 403 else _TOO_OFTEN}
            return await _page(visit, problem.status, errors=errors)
        sent = Sent.of(changed)
        if not sent.done:
            return await _page(visit, sent.status, errors=sent.errors)
        return visit.go(PATH, said="password-changed")

    @router.post("/account/import")
    async def import_(visit: Visiting) -> Response:
        try:
            async with uploaded(visit.request, "file") as file:
                taken = await importer.take(file, visit.identity.user)
        except ProblemError as problem:
            wrong = [said_of(error, visit.translations.gettext) for error in problem.errors[:_MOST_ERRORS]]
            return await _page(visit, problem.status, refused=problem, wrong=wrong)
        return visit.go(f"{PATH}#data", said="imported", items=str(taken.items), added=str(taken.added))

    @router.post("/account/erase")
    async def erase(visit: Visiting) -> Response:
        form = await form_of(visit.request)
        try:
            given = PasswordCheck(password=SecretStr(str(form["password"]))) if form.get("password") else None
            erased = await begin_erasure(visit.services, pages.sessions, visit.identity, given)
        except ValidationError:
            return await _page(visit, 403, kept=_ERASE_NOT[403])
        except ProblemError as problem:
            if problem.status not in _ERASE_NOT:
                raise
            outside = isinstance(visit.identity, OutsideIdentity)
            return await _page(visit, problem.status, kept=_SIGN_IN_AGAIN if outside else _ERASE_NOT[problem.status])
        if erased.status != 202:
            raise unavailable("profile")
        response = visit.go(f"/erased/{orjson.loads(erased.body)['erasure_id']}")
        cookies.forget(response, visit.request)
        return response

    return router


def _of_everybody(pages: Pages) -> APIRouter:
    router = pages.router(prefix="")

    @router.get("/erased/{erasure_id}")
    async def erased(request: Request, erasure_id: _Id) -> Response:
        """Open to who knows the id: there is no account any more that one could be signed in to."""
        answer = await pages.services.ask("profile", f"/erasures/{erasure_id}")
        if answer.status != 200:
            raise _NOT_FOUND
        return pages.guest(request).page("erased.html", erasure=orjson.loads(answer.body))

    return router


async def _page(visit: Visit, status: int = 200, **values: Any) -> Response:  # Any: whatever the template shows
    shown = {"errors": {}, "imported": None, "refused": None, "wrong": [], "kept": None} | values
    sessions = await visit.ask_or_none("profile", "/sessions")
    listed = [
        each | {"current": each["id"] == visit.identity.session_id, "where": where_of(each["user_agent"])}
        for each in (sessions or {"items": []})["items"]
    ]
    return visit.page(
        "account.html",
        status,
        sessions=sorted(listed, key=lambda each: not each["current"]) if sessions else None,
        is_outside=isinstance(visit.identity, OutsideIdentity),
        **shown,
    )
