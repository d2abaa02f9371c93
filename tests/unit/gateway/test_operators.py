"""Who is an operator: whom the settings name, for as long as they do, or whom an outside issuer says."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from services.gateway.settings import Settings
from services.gateway.tokens import AccessTokens, Identity, has_role
from shared.plumbing.settings import load
from tests.unit.gateway.app import SETTINGS, TOKEN_KEY
from tests.unit.gateway.test_settings import GOOD

GRACE = Identity("grace@example.test", "session-1")
ADA = Identity("ada@example.test", "session-2")
TOKENS = AccessTokens(TOKEN_KEY, {GRACE.user})


def signed(tokens: AccessTokens, who: Identity) -> str:
    return tokens.sign(who, datetime.now(UTC) + timedelta(hours=1)).text


def is_operator(tokens: AccessTokens, text: str) -> bool:
    return asyncio.run(tokens.identify(text)).is_operator


def test_a_token_says_that_it_is_an_operators_and_is_believed_while_the_settings_name_them() -> None:
    token = signed(TOKENS, GRACE)
    claims = jwt.decode(token, OctKey.import_key(TOKEN_KEY.get_secret_value())).claims
    assert claims["roles"] == ["operator"]
    assert is_operator(TOKENS, token)
    assert not is_operator(AccessTokens(TOKEN_KEY), token)


def test_nobody_else_is_one() -> None:
    assert not is_operator(TOKENS, signed(TOKENS, ADA))
    assert not is_operator(TOKENS, signed(AccessTokens(TOKEN_KEY), GRACE)), "a token from before they were named"


@pytest.mark.parametrize("roles", [None, "operator", {"operator": True}, [], ["Operator"], [["operator"]], 7])
def test_a_claim_that_is_no_list_with_the_role_gives_none(roles: object) -> None:
    assert not has_role({"roles": roles}, "operator")


def test_the_setting_takes_emails_in_any_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (GOOD | {"OPERATORS": " Grace@Example.test , ada@example.test,"}).items():
        monkeypatch.setenv(name, value)
    assert load(Settings).operators == {GRACE.user, ADA.user}
    monkeypatch.setenv("OPERATORS", "")
    assert load(Settings).operators == SETTINGS.operators == frozenset()


def test_what_is_no_email_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (GOOD | {"OPERATORS": "grace"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load(Settings)
    said = capsys.readouterr().err
    assert "Setting OPERATORS: should be emails" in said.replace("Value error, ", "")
