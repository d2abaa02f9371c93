"""What a client may ask for, and what an account and its sessions tell."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.profile.domain.accounts import Account, logged_out, open_session
from shared.contracts.accounts import Credentials, Registration
from shared.contracts.identity import UserLoggedIn, UserLoggedOut, UserRegistered

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def registration(**fields: object) -> Registration:
    return Registration.model_validate({"email": "ada@example.test", "password": "12345678", **fields})


def test_an_email_is_normalised_at_the_edge() -> None:
    assert registration(email="  Ada@Example.TEST ").email == "ada@example.test"


@pytest.mark.parametrize("password", ["12345678", "x" * 256, "        ", "пароль-пароль", "🔑" * 8])
def test_a_password_is_any_8_to_256_characters(password: str) -> None:
    assert registration(password=password).password.get_secret_value() == password


@pytest.mark.parametrize("password", ["", "1234567", "🔑" * 7, "x" * 257, 12345678, None])
def test_any_other_password_is_refused_without_being_quoted(password: object) -> None:
    with pytest.raises(ValidationError) as refused:
        registration(password=password)
    (error,) = refused.value.errors(include_input=False)
    assert error["loc"] == ("password",)
    assert str(password or "nothing to quote") not in str(refused.value)


def test_an_old_password_may_be_shorter_than_a_new_one() -> None:
    Credentials.model_validate({"email": "ada@example.test", "password": "short"})
    with pytest.raises(ValidationError):
        Credentials.model_validate({"email": "ada@example.test", "password": "x" * 257})


def test_an_unknown_member_is_refused_by_name() -> None:
    with pytest.raises(ValidationError) as refused:
        registration(role="operator")
    assert [error["loc"] for error in refused.value.errors()] == [("role",)]


def test_a_password_is_not_in_the_repr() -> None:
    assert "12345678" not in repr(registration())


def test_an_account_tells_that_its_user_registered_and_nothing_secret() -> None:
    account = Account("ada@example.test", "u-1", "hash", NOW, "Ada", "SE", "Europe/Stockholm")
    told = account.registered()
    assert told == UserRegistered(
        user_email="ada@example.test", display_name="Ada", country="SE", timezone="Europe/Stockholm"
    )
    assert "hash" not in told.model_dump_json()


def test_a_session_lasts_twelve_hours_and_tells_of_its_start_and_end() -> None:
    session = open_session("s-1", "ada@example.test", "browser", NOW)
    assert (session.opened_at, session.expires_at) == (NOW, NOW + timedelta(hours=12))
    assert session.logged_in() == UserLoggedIn(user_email="ada@example.test", session_id="s-1", user_agent="browser")
    assert logged_out("ada@example.test", "s-1") == UserLoggedOut(user_email="ada@example.test", session_id="s-1")
