"""Every page, once: where it is, and what makes it the one."""

import re
from collections.abc import Mapping
from typing import Final

from tests.browser.window import HOME, Window

PLAIN: Final[Mapping[str, str]] = {
    "overview": HOME,
    "activity": f"{HOME}/activity",
    "purchases": f"{HOME}/purchases",
    "deployments": f"{HOME}/deployments",
    "profile": f"{HOME}/profile",
    "preferences": f"{HOME}/preferences",
    "analytics": f"{HOME}/analytics",
    "why": f"{HOME}/analytics/why?figure=total_spent",
    "wallet": f"{HOME}/wallet",
    "recommendations": f"{HOME}/recommendations",
    "discover": f"{HOME}/discover",
    "search": f"{HOME}/search?q=cloud",
    "notifications": f"{HOME}/notifications",
    "account": f"{HOME}/account",
    "onboarding": f"{HOME}/onboarding",
    "nowhere": f"{HOME}/nowhere",
}
OF_A_THING: Final[Mapping[str, str]] = {  # the list that leads there
    "purchase": f"{HOME}/purchases",
    "deployment": f"{HOME}/deployments",
    "product": f"{HOME}/discover",
}
OPEN: Final[Mapping[str, str]] = {"login": "/login", "register": "/register"}
NAMES: Final = (*PLAIN, *OF_A_THING)


async def show(window: Window, name: str) -> None:
    """Opens the page that is called so, for who is signed in in the window."""
    if name == "nowhere":
        window.allowed.add(404)
    if name in OF_A_THING:
        path = OF_A_THING[name]
        await window.goto(path)
        link = window.page.locator(f'main a[href*="{path}/"]').first
        await link.click()
        await window.page.wait_for_url(re.compile(re.escape(path) + "/.+"))
    else:
        await window.goto({**PLAIN, **OPEN}[name])
    await window.page.wait_for_load_state("load")
