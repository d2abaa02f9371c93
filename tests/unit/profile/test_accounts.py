"""What a client may ask for."""

import pytest
from pydantic import ValidationError

from shared.contracts.accounts import Credentials, Registration


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
