"""The gateway does not start with a setting that is missing or wrong, and never shows a secret."""

import pytest

from services.gateway.settings import Settings
from shared.plumbing.settings import load
from tests.unit.gateway.app import SETTINGS

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "INTERNAL_KEY": "i" * 32,
    "TOKEN_KEY": "t" * 32,
    "ACTIVITY_URL": "http://127.0.0.1:8101",
    "PURCHASES_URL": "http://127.0.0.1:8102",
    "PROFILE_URL": "http://127.0.0.1:8103",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PORT", raising=False)
    return monkeypatch


def test_the_contracts_port_is_the_default(environment: pytest.MonkeyPatch) -> None:
    assert load(Settings).port == 8000


@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    environment.delenv(name)
    with pytest.raises(SystemExit) as ended:
        load(Settings)
    assert ended.value.code == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("TOKEN_KEY", "too short a secret"), ("ACTIVITY_URL", "127.0.0.1:8101"), ("PROFILE_URL", "http://host/path")],
)
def test_what_is_wrong_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, wrong: str
) -> None:
    environment.setenv(name, wrong)
    with pytest.raises(SystemExit):
        load(Settings)
    said = capsys.readouterr().err
    assert name in said
    assert wrong not in said


def test_a_secret_is_not_in_the_repr() -> None:
    assert SETTINGS.token_key.get_secret_value() not in repr(SETTINGS)
    assert SETTINGS.internal_key.get_secret_value() not in repr(SETTINGS)
