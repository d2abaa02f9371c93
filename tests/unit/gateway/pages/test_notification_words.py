"""What notifications say, and where they lead."""

import re
from typing import Any, get_args

import pytest

from services.analytics.domain.wording import ABOUT
from services.gateway.pages.notification_words import WORDS, place_of, texts
from services.gateway.pages.view import HOME
from shared.contracts.notification_views import NotificationCode
from tests.unit.gateway.pages.views import show, view

CODES = get_args(NotificationCode)
PARAMS = {
    "product": "Solar",
    "region": "eu",
    "reason": "It is full",
    "provider": "Hypha",
    "message": "Mind it",
    "amount": "12.5",
    "balance": "1200",
    "burn": "3",
    "spent": "284.00",
    "difference": "219.50",
    "currency": "TFP",
    "due_on": "2026-01-31",
    "ends_on": "2026-01-31",
    "out_on": "2026-01-31",
    "month": "2026-01",
    "threshold": "80",
    "items": "12000",
    "where": "Firefox in SE",
    "browser": "Firefox",
    "country": "SE",
}


def said(code: str, **params: str) -> dict[str, Any]:  # Any: JSON
    names = set(re.findall(r"{(\w+)}", ABOUT[code].title + ABOUT[code].body)) | {"currency"}  # type: ignore[index]
    if code == "new_sign_in":
        names |= {"browser", "country"}
    return {
        "code": code,
        "params": {name: value for name, value in PARAMS.items() if name in names} | params,
        "title": "English title",
        "body": "English body",
        "section": "wallet",
        "related_entity_id": None,
        "related_entity_type": None,
    }


def test_every_code_has_words() -> None:
    assert set(WORDS) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_the_params_of_every_code_are_enough(code: str) -> None:
    title, body = texts(view().show, said(code))
    assert "English" not in title + body
    assert "%(" not in title + body


def test_values_are_as_the_user_reads_them() -> None:
    swedish = show("sv-SE")
    title, body = texts(swedish, said("spending_unusual"))
    assert "januari 2026" in title
    assert "284,00\N{NO-BREAK SPACE}TFP" in body
    assert "Sverige" in texts(swedish, said("new_sign_in"))[0]
    assert "12,50\N{NO-BREAK SPACE}TFP" in texts(swedish, said("billing_uncovered"))[1]
    assert "31 januari 2026" in texts(swedish, said("service_ending"))[0]


@pytest.mark.parametrize("params", [{"spent": "much"}, {"month": "soon"}, {"difference": ""}])
def test_what_cannot_be_said_is_said_in_english(params: dict[str, str]) -> None:
    assert texts(view().show, said("spending_unusual", **params)) == ("English title", "English body")


def test_an_unknown_code_is_said_in_english() -> None:
    assert texts(view().show, said("refund") | {"code": "new_one"}) == ("English title", "English body")


def test_each_leads_to_what_it_is_about() -> None:
    about = {"related_entity_id": "dep/1 ?", "related_entity_type": "deployment"}
    assert place_of(said("deployment_error") | about) == f"{HOME}/deployments/dep%2F1%20%3F"
    assert place_of(said("new_sign_in")) == f"{HOME}/account"
    assert place_of(said("runway_short")) == f"{HOME}/wallet"
    command = {"related_entity_id": "c", "related_entity_type": "command"}
    assert place_of(said("request_refused") | command) == f"{HOME}/purchases"
