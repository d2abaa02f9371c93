"""The gateway does not start with a setting that is missing or wrong, and never shows a secret."""

import pytest

from services.gateway.settings import Settings
from shared.plumbing.settings import load
from tests.unit.gateway.app import SETTINGS, TOKEN_KEY

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092",
    "INTERNAL_KEY": "i" * 32,
    "TOKEN_KEY": "t" * 32,
    "EXPORT_KEY": "e" * 32,
    "ACTIVITY_URL": "http://127.0.0.1:8101",
    "PURCHASES_URL": "http://127.0.0.1:8102",
    "PROFILE_URL": "http://127.0.0.1:8103",
    "ANALYTICS_URL": "http://analytics:8104",
}
OIDC = {"OIDC_ISSUER": "https://id.example.org/realm", "OIDC_AUDIENCE": "dashboard", "TOKEN_KEY": ""}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    for name in ("PORT", "OIDC_ISSUER", "OIDC_AUDIENCE", "TRUSTED_PROXIES"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """What is said when the settings are refused."""
    with pytest.raises(SystemExit) as ended:
        load(Settings)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_the_contracts_port_is_the_default_and_no_proxy_is_trusted(environment: pytest.MonkeyPatch) -> None:
    settings = load(Settings)
    assert (settings.port, settings.trusted_proxies, settings.oidc_issuer) == (8000, "", None)


@pytest.mark.parametrize("value", [None, ""])
@pytest.mark.parametrize("name", GOOD)
def test_what_is_missing_is_named(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None
) -> None:
    if value is None:
        environment.delenv(name)
    else:
        environment.setenv(name, value)
    assert name in refused(capsys)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("TOKEN_KEY", "too short a secret"), ("ACTIVITY_URL", "127.0.0.1:8101"), ("PROFILE_URL", "http://host/path")],
)
def test_what_is_wrong_is_named_and_not_shown(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, wrong: str
) -> None:
    environment.setenv(name, wrong)
    said = refused(capsys)
    assert name in said
    assert wrong not in said


@pytest.mark.parametrize("issuer", ["https://id.example.org", "https://id.example.org/a/b/", "http://127.0.0.1:8080"])
def test_an_outside_issuer_takes_the_place_of_the_key(environment: pytest.MonkeyPatch, issuer: str) -> None:
    for name, value in (OIDC | {"OIDC_ISSUER": issuer}).items():
        environment.setenv(name, value)
    settings = load(Settings)
    assert (settings.oidc_issuer, settings.oidc_audience, settings.token_key) == (issuer, "dashboard", None)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"OIDC_AUDIENCE": ""}, "OIDC_AUDIENCE"),
        ({"OIDC_ISSUER": ""}, "OIDC_AUDIENCE"),
        ({"TOKEN_KEY": "t" * 32}, "TOKEN_KEY"),
        ({"OIDC_ISSUER": "http://id.example.org"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://127.0.0.1.example.org"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://localhost@example.org"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://localhost:x@example.org"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "https://id.example.org/?a=b"}, "OIDC_ISSUER"),
    ],
)
def test_half_an_issuer_is_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changed: dict[str, str], named: str
) -> None:
    for name, value in (OIDC | changed).items():
        environment.setenv(name, value)
    assert f"Setting {named}" in refused(capsys)


def test_a_secret_is_not_in_the_repr() -> None:
    assert TOKEN_KEY.get_secret_value() not in repr(SETTINGS)
    assert SETTINGS.internal_key.get_secret_value() not in repr(SETTINGS)
