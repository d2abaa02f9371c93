"""The preferences: how the dashboard looks, what it tells of, what is recommended, and what may be kept of the user."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response
from starlette.datastructures import FormData

from services.gateway.pages import choosing
from services.gateway.pages.forms import Sent, form_of
from services.gateway.pages.things import whole_number
from services.gateway.pages.versions import Json, Saved, by_field, change, differences, read
from services.gateway.pages.view import HOME
from services.gateway.pages.visits import Pages, Visit
from services.gateway.pages.words import N_

PATH: Final = f"{HOME}/preferences"
LABELS: Final = {
    "theme": N_("Theme"),
    "dashboard_layout": N_("Layout"),
    "language": N_("Language"),
    "items_per_page": N_("Items on a page"),
    "preferred_currency": N_("Currency"),
    "deployment_alerts": N_("Deployments"),
    "billing_alerts": N_("Billing"),
    "security_alerts": N_("Security"),
    "email_notifications": N_("Email"),
    "push_notifications": N_("Announcements on the page"),
    "marketing_emails": N_("News and offers"),
    "default_category_filter": N_("Category"),
    "price_range_filter": N_("Price range"),
    "preferred_providers": N_("Preferred providers"),
    "blocked_providers": N_("Blocked providers"),
    "auto_renewal_default": N_("Renew by itself"),
    "activity_tracking": N_("Keep what I browse and view"),
    "analytics_participation": N_("Take part in comparisons"),
    "data_sharing": N_("Share my data with providers"),
    "cookie_preferences": N_("Cookies"),
}
SWITCHES: Final = (
    "deployment_alerts",
    "billing_alerts",
    "security_alerts",
    "email_notifications",
    "push_notifications",
    "marketing_emails",
    "auto_renewal_default",
    "activity_tracking",
    "analytics_participation",
    "data_sharing",
)
COOKIES: Final = ("analytics", "marketing", "personalization")
_PREFERRED, _BLOCKED = "preferred", "blocked"


def routes(pages: Pages) -> APIRouter:
    """`/preferences`."""
    router = pages.router()
    Visiting = Annotated[Visit, Depends(pages.visit)]  # noqa: N806  (a type)

    @router.get("/preferences")
    async def preferences(visit: Visiting) -> Response:
        saved = await read(visit, "/preferences")
        shown = saved.values | {"language": visit.frame.language or visit.language}
        return await _page(visit, saved.values, shown, saved.version)

    @router.post("/preferences")
    async def change_preferences(visit: Visiting) -> Response:
        form = await form_of(visit.request)
        saved = await read(visit, "/preferences")
        typed, version = typed_in(form, saved.values), str(form.get("version", ""))
        if removes(saved.values, typed) and "sure" not in form:
            return ask_first(visit, form)
        sent = await change(visit, "/preferences", patch_of(saved.values, typed), version)
        if sent.done:
            return visit.go(PATH, said="preferences-saved")
        if sent.status == 412:
            return await _conflict(visit, typed)
        return await _page(visit, saved.values, typed, version, sent.status, sent)

    return router


async def _page(
    visit: Visit,
    saved: Json,
    typed: Json,
    version: str,
    status: int = 200,
    sent: Sent | None = None,
    conflict: object = (),
) -> Response:
    also = [
        provider
        for values in (typed, saved)
        for name in (_PREFERRED, _BLOCKED)
        for provider in values[f"{name}_providers"]
    ]
    return visit.page(
        "preferences.html",
        status,
        typed=typed,
        version=version,
        labels=labels(visit),
        errors=by_field(sent) if sent else {},
        conflict=conflict,
        failed=status >= 400 and status != 412,
        **await options(visit, typed, also),
    )


def labels(visit: Visit) -> dict[str, str]:
    """The names of the fields."""
    return {name: visit.translations.gettext(label) for name, label in LABELS.items()}


async def options(visit: Visit, typed: Json, also: list[str]) -> dict[str, object]:
    """What the fields of preferences have to choose from."""
    market = await choosing.market(visit, also)
    category = typed["default_category_filter"]
    categories = sorted({*market.categories, *([category] if category else [])})
    return {
        "market": market,
        "categories": [(each, visit.show.word(each.replace("-", "_"))) for each in categories],
        "languages": choosing.languages(typed["language"]),
        "currencies": choosing.currencies(visit.locale, typed["preferred_currency"]),
    }


def typed_in(form: FormData, saved: Json) -> dict[str, Json]:
    """The preferences as a form with all their fields has them."""
    return {
        **look_in(form),
        "preferred_currency": str(form.get("preferred_currency", "")).strip(),
        "items_per_page": whole_number(str(form.get("items_per_page", ""))) or 0,
        **taste_in(form, saved),
        **switches_in(form, SWITCHES),
        "cookie_preferences": {"essential": True} | {name: f"cookie_{name}" in form for name in COOKIES},
    }


def look_in(form: FormData) -> dict[str, Json]:
    """How the dashboard is to look and speak."""
    return {name: str(form.get(name, "")).strip() for name in ("theme", "dashboard_layout", "language")}


def taste_in(form: FormData, saved: Json) -> dict[str, Json]:
    """What is to be recommended."""
    low, high = (str(form.get(name, "")).strip() for name in ("lowest", "highest"))
    return {
        "default_category_filter": str(form.get("default_category_filter", "")) or None,
        "price_range_filter": [low or "0", high] if low or high else None,
        **_providers(form, saved),
    }


def switches_in(form: FormData, names: Iterable[str]) -> dict[str, Json]:
    """What is switched on: a browser sends nothing for what is off."""
    return {name: name in form for name in names}


def _providers(form: FormData, saved: Json) -> dict[str, list[str]]:
    """Both lists, in the order in which they are saved; a provider that the form does not show stays where it is."""
    rows = zip(form.getlist("provider"), form.getlist("stance"), strict=False)
    said = {str(provider).strip(): str(stance) for provider, stance in rows if str(provider).strip()}
    found = {}
    for stance in (_PREFERRED, _BLOCKED):
        known = saved[f"{stance}_providers"]
        stay = [provider for provider in known if said.get(provider, stance) == stance]
        found[f"{stance}_providers"] = stay + [p for p, to in said.items() if to == stance and p not in known]
    return found


def removes(saved: Json, typed: Mapping[str, Json]) -> bool:
    """Whether what was kept of the user goes with this choice."""
    return bool(saved["activity_tracking"]) and not typed["activity_tracking"]


def ask_first(visit: Visit, form: FormData) -> Response:
    """Asks whether it is to go; the answer comes with all that the form has."""
    fields = [each for each in form.multi_items() if each[0] != "activity_tracking"]
    return visit.page("preferences_sure.html", fields=fields)


def patch_of(saved: Json, typed: Mapping[str, Json]) -> dict[str, Json]:
    """What differs."""
    return {name: value for name, value in typed.items() if value != saved[name]}


async def _conflict(visit: Visit, typed: Json) -> Response:
    """The same form again, with what was typed; next to it what somebody saved meanwhile."""
    now: Saved = await read(visit, "/preferences")
    _ = visit.translations.gettext

    def text(name: str, value: Json) -> str:
        if isinstance(value, bool) or value is None:
            return _("On") if value else _("Off") if name in SWITCHES else ""
        if isinstance(value, dict):
            return ", ".join(visit.show.word(each) for each in COOKIES if value[each]) or _("Essential only")
        if isinstance(value, list):
            return (" \N{EN DASH} " if name == "price_range_filter" else ", ").join(value)
        return visit.show.word(value) if name in ("theme", "dashboard_layout") else str(value)

    both = differences(LABELS, now.values, typed, lambda name: _(LABELS[name]), text)
    return await _page(visit, now.values, typed, now.version, 412, conflict=both)
