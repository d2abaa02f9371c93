"""Keys come from the settings: without good ones nothing starts, and nothing shows them."""

import json
import shlex
import subprocess
import sys

import pytest
from joserfc.jwk import ECKey, RSAKey
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.purchases.vault.envelope import Keks, KeyEncryptingKeys
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.unsealing import PrivateJwk, Unsealer
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.plumbing.settings import load

PUBLIC = ECKey.generate_key("P-256").as_dict(private=False)
KEPT = "VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw"


class Settings(BaseSettings):
    """The part of the service's settings that is about credentials."""

    model_config = SettingsConfigDict(frozen=True, hide_input_in_errors=True)

    credentials_private_jwk: PrivateJwk
    credentials_keks: KeyEncryptingKeys


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    made = make_keys()
    for name, value in made.items():
        monkeypatch.setenv(name, value)
    return made


def test_made_keys_are_taken_and_work(keys: dict[str, str]) -> None:
    settings = load(Settings)
    opener = Unsealer.parse(settings.credentials_private_jwk)
    secret = AccessCredentials(api_key=SecretStr("k-123"))
    assert opener.unseal(seal_for(json.loads(opener.public_jwks())["keys"][0], secret)) == secret
    assert Keks.parse(settings.credentials_keks).others == []
    shown = f"{settings} {settings!r} {settings.model_dump()}"
    assert not any(value[:20] in shown or value[-20:] in shown for value in keys.values())


def test_keys_are_made_anew_each_time() -> None:
    first, second = make_keys(), make_keys()
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())
    assert first["CREDENTIALS_KEKS"].split(":")[0] != second["CREDENTIALS_KEKS"].split(":")[0]


def test_the_command_writes_settings_that_a_shell_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "services.purchases.vault.make_keys"]
    written = subprocess.run(command, capture_output=True, text=True, check=True)
    assert written.stderr == ""
    for name, _, value in (word.partition("=") for word in shlex.split(written.stdout)):
        monkeypatch.setenv(name, value)
    load(Settings)


@pytest.mark.parametrize("name", ["CREDENTIALS_PRIVATE_JWK", "CREDENTIALS_KEKS"])
@pytest.mark.usefixtures("keys")
def test_a_missing_key_stops_the_start(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        load(Settings)
    assert f"Setting {name}:" in capsys.readouterr().err


def bob(**other: object) -> str:
    x, y = "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ", "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"
    return json.dumps({"kty": "EC", "crv": "P-256", "x": x, "y": y, "d": KEPT, **other})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CREDENTIALS_PRIVATE_JWK", ""),
        ("CREDENTIALS_PRIVATE_JWK", KEPT),
        ("CREDENTIALS_PRIVATE_JWK", "[]"),
        ("CREDENTIALS_PRIVATE_JWK", '{"keys": []}'),
        ("CREDENTIALS_PRIVATE_JWK", json.dumps({"keys": [PUBLIC]})),
        ("CREDENTIALS_PRIVATE_JWK", json.dumps(PUBLIC)),
        ("CREDENTIALS_PRIVATE_JWK", json.dumps(ECKey.generate_key("P-384").as_dict(private=True))),
        ("CREDENTIALS_PRIVATE_JWK", json.dumps(RSAKey.generate_key(2048).as_dict(private=True))),
        ("CREDENTIALS_PRIVATE_JWK", bob(use="sig")),
        ("CREDENTIALS_PRIVATE_JWK", bob(alg="ECDH-ES")),
        ("CREDENTIALS_PRIVATE_JWK", bob(crv="P-384")),
        ("CREDENTIALS_PRIVATE_JWK", bob(x="f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")),
        ("CREDENTIALS_PRIVATE_JWK", bob(y="*")),
        ("CREDENTIALS_PRIVATE_JWK", bob(d=KEPT[:-4] + "AAAA")),
        ("CREDENTIALS_PRIVATE_JWK", f'{{"keys": [{bob()}, {bob(kty="oct")}]}}'),
        ("CREDENTIALS_KEKS", ""),
        ("CREDENTIALS_KEKS", KEPT),
        ("CREDENTIALS_KEKS", f"k1:{KEPT}"),
    ],
    ids=range(18),
)
@pytest.mark.usefixtures("keys")
def test_a_bad_key_stops_the_start_and_is_not_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load(Settings)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert f"Setting {name}: Value error, should be" in said
    assert KEPT[:-4] not in said
    assert said.count("\n") == 1


def test_a_jwk_set_of_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_PRIVATE_JWK", f'{{"keys": [{bob(kid="b")}]}}')
    monkeypatch.setenv("CREDENTIALS_KEKS", make_keys()["CREDENTIALS_KEKS"])
    opener = Unsealer.parse(load(Settings).credentials_private_jwk)
    assert json.loads(opener.public_jwks())["keys"][0]["kid"] == "b"
