"""The profile: who the user is, what of it others see, and what others let the user see of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from starlette.datastructures import FormData

from services.gateway.pages.choosing import time_zones
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.versions import Json, Saved, by_field, change, differences, read
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.pages.words import N_
from shared.contracts.profiles import MOST_LINKS
from shared.plumbing.problems import ProblemError

PATH: Final = f"{HOME}/profile"
LABELS: Final = {
    "display_name": N_("Display name"),
    "first_name": N_("First name"),
    "last_name": N_("Last name"),
    "avatar_url": N_("Picture"),
    "bio": N_("About you"),
    "company": N_("Company"),
    "job_title": N_("Job title"),
    "country": N_("Country"),
    "timezone": N_("Time zone"),
    "phone": N_("Phone"),
    "website": N_("Website"),
    "profile_visibility": N_("Who may see it"),
    "social_links": N_("Links"),
}
_TEXTS: Final = tuple(name for name in LABELS if name != "social_links")
_NAMELESS_LINK: Final = N_("Name the network, such as github.")
_TWICE: Final = N_("This network is there twice; one address each.")


@dataclass(frozen=True)
class Link:
    """A row of the form."""

    network: str = ""
    address: str = ""


@dataclass(frozen=True)
class Typed:
    """What a form about the profile holds: the texts by field, and the links as rows."""

    texts: Mapping[str, str]
    links: list[Link]
    version: str
    new_row: bool = False
    link_errors: dict[int, str] = field(default_factory=dict)


def routes(pages: Pages) -> APIRouter:
    """`/profile`, and `/profiles/{user_id}` for those of others."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/profile")
    async def profile(visit: Visiting) -> Response:
        saved = await read(visit, "/profile")
        return await _page(visit, saved, _as_typed(saved))

    @router.post("/profile")
    async def change_profile(visit: Visiting) -> Response:
        form = await form_of(visit.request)
        typed, saved = _typed(form), await read(visit, "/profile")
        if "row" in form:
            return await _page(visit, saved, _with_other_rows(typed, str(form["row"])))
        wrong = _wrong_links(typed.links)
        if wrong:
            typed.link_errors.update(wrong)
            return await _page(visit, saved, typed, 422)
        sent = await change(visit, "/profile", _patch(saved.values, typed), typed.version)
        if sent.done:
            return visit.go(PATH, said="profile-saved")
        if sent.status == 412:
            return await _conflict(visit, typed)
        typed.link_errors.update(_errors_of_links(typed.links, sent))
        return await _page(visit, saved, typed, sent.status, sent)

    @router.get("/profiles/{user_id}")
    async def other(visit: Visiting, user_id: str) -> Response:
        me = (await visit.parts.of(visit.identity.user, "profile")).json("user")
        is_me = bool(me) and me["user_id"] == user_id
        card = await _card(visit, user_id)
        if card is None and not is_me:
            raise ProblemError(404, "no-profile", "")
        return visit.page("profile_card.html", card=card, is_me=is_me)

    return router


async def _card(visit: Visit, user_id: str) -> Json | None:
    """What others see of a user, None where that is nothing."""
    try:
        return await visit.ask("profile", f"/profiles/{user_id}")
    except ProblemError as problem:
        if problem.status != 404:
            raise
        return None


async def _page(
    visit: Visit, saved: Saved, typed: Typed, status: int = 200, sent: Sent | None = None, conflict: object = ()
) -> Response:
    return visit.page(
        "profile.html",
        status,
        saved=saved.values,
        card=await _card(visit, saved.values["user_id"]),
        typed=typed,
        labels={name: visit.translations.gettext(label) for name, label in LABELS.items()},
        errors=(by_field(sent) if sent else {}) | ({"social_links": ""} if typed.link_errors else {}),
        failed=status >= 400 and status != 412,
        conflict=conflict,
        most_links=MOST_LINKS,
        countries=visit.show.countries(),
        zones=time_zones(),
    )


async def _conflict(visit: Visit, typed: Typed) -> Response:
    """The same form again, with what was typed; next to it what somebody saved meanwhile."""
    now = await read(visit, "/profile")
    _ = visit.translations.gettext
    mine = {**typed.texts, "social_links": _links_of(typed)}

    def text(name: str, value: object) -> str:
        if isinstance(value, dict):
            return "\n".join(f"{network}: {address}" for network, address in sorted(value.items()))
        if name == "country" and value:
            return visit.show.country(str(value))
        return visit.show.word(str(value)) if name == "profile_visibility" else str(value or "")

    both = differences(LABELS, now.values, mine, lambda name: _(LABELS[name]), text)
    again = Typed(typed.texts, typed.links, now.version)
    return await _page(visit, now, again, 412, conflict=both)


def _as_typed(saved: Saved) -> Typed:
    texts = {name: saved.values[name] or "" for name in _TEXTS}
    return Typed(texts, [Link(*each) for each in saved.values["social_links"].items()], saved.version)


def _typed(form: FormData) -> Typed:
    texts = {name: str(form.get(name, "")).replace("\r\n", "\n").strip() for name in _TEXTS}
    networks, addresses = form.getlist("network"), form.getlist("link")
    links = [
        Link(str(network).strip().lower(), str(address).strip())
        for network, address in zip(networks, addresses, strict=False)
    ]
    return Typed(texts, links, str(form.get("version", "")))


def _with_other_rows(typed: Typed, row: str) -> Typed:
    """With one row more, or without the row of this number."""
    links = [link for number, link in enumerate(typed.links) if str(number) != row]
    is_new = row == "new" and len(links) < MOST_LINKS
    return Typed(typed.texts, [*links, Link()] if is_new else links, typed.version, new_row=is_new)


def _wrong_links(links: list[Link]) -> dict[int, str]:
    """The rows that say nothing clear."""
    named = [link.network for link in links]
    nameless = {number: _NAMELESS_LINK for number, link in enumerate(links) if link.address and not link.network}
    twice = {number: _TWICE for number, name in enumerate(named) if name and name in named[:number]}
    return nameless | twice


def _errors_of_links(links: list[Link], sent: Sent) -> dict[int, str]:
    return {
        number: sent.errors[f"social_links/{link.network}"]
        for number, link in enumerate(links)
        if f"social_links/{link.network}" in sent.errors
    }


def _links_of(typed: Typed) -> dict[str, str]:
    return {link.network: link.address for link in typed.links if link.network and link.address}


def _patch(saved: Json, typed: Typed) -> dict[str, object]:
    """What differs, as a merge patch: a link that is there no more is null."""
    patch: dict[str, object] = {name: text for name, text in typed.texts.items() if text != (saved[name] or "")}
    known, wanted = saved["social_links"], _links_of(typed)
    links = {name: None for name in known if name not in wanted} | {
        name: address for name, address in wanted.items() if known.get(name) != address
    }
    return patch | ({"social_links": links} if links else {})
