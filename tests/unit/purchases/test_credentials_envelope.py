"""A ciphertext opens for the user, the deployment and the key that it was made for, and for nothing else."""

import secrets
import traceback
from base64 import b64encode
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from services.purchases.vault.envelope import DataKey, KekError, Keks, NotOpenableError
from shared.folds.facts import Fact
from shared.folds.state import empty, merge

KEY = DataKey.generate("ada@example.org")
names = st.text(st.characters(codec="utf-8"), max_size=20)
KEK = secrets.token_bytes(32)


def keks(*ids: str, key: bytes = KEK) -> Keks:
    return Keks(dict.fromkeys(ids, key))


def text(key: bytes) -> str:
    return b64encode(key).decode()


@given(names, names, st.binary(max_size=200))
def test_what_is_sealed_is_opened(user: str, deployment: str, plaintext: bytes) -> None:
    key = DataKey.generate(user)
    sealed = key.seal(deployment, plaintext)
    assert key.open(deployment, sealed) == plaintext
    assert len(plaintext) < 4 or plaintext not in sealed["box"]


def test_the_same_is_never_sealed_twice_in_the_same_way() -> None:
    boxes = {KEY.seal("d", b"same")["box"] for _ in range(100)}
    assert len({box[:12] for box in boxes}) == 100
    assert len({box[12:] for box in boxes}) == 100


def test_an_event_that_comes_again_changes_nothing_although_it_is_sealed_in_another_way() -> None:
    once, again = (
        Fact("deployment", KEY.user, "d", "credentials", KEY.seal("d", b"same"), (0, 1, "event\nsource"))
        for _ in range(2)
    )
    state = empty()
    assert merge(state, [once])
    assert not merge(state, [again, once, again])
    assert state["fields"]["credentials"][3] == once.value


@given(names, names, names, names)
def test_it_opens_nowhere_else(user: str, key: str, deployment: str, other: str) -> None:
    """The secret is the same in both places: it is what is bound to the ciphertext that counts."""
    assume(other not in (user, key, deployment))
    here = (user, key, deployment)
    assert opens(here, here)
    for there in ((other, key, deployment), (user, other, deployment), (user, key, other)):
        assert not opens(here, there)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        (("a", "bc", "d"), ("ab", "c", "d")),
        (("a", "b,c", "d"), ("a,b", "c", "d")),
        (("a", 'b","c', "d"), ('a","b', "c", "d")),
        (("a", "b", "c"), ("c", "b", "a")),
    ],
)
def test_parts_cannot_be_shifted_into_each_other(here: tuple[str, str, str], there: tuple[str, str, str]) -> None:
    assert not opens(here, there)


def opens(here: tuple[str, str, str], there: tuple[str, str, str]) -> bool:
    """Whether what is sealed for a user, a key's id and a deployment opens for others with the same secret."""
    (user, key, deployment), (other_user, other_key, other_deployment) = here, there
    sealed = DataKey(user, key, KEY.secret).seal(deployment, b"plain")
    try:
        return DataKey(other_user, other_key, KEY.secret).open(other_deployment, sealed) == b"plain"
    except NotOpenableError:
        return False


@given(st.data())
def test_it_does_not_open_when_a_bit_is_changed_or_bytes_are_missing(data: st.DataObject) -> None:
    box = KEY.seal("d", b"secret")["box"]
    place, bit = data.draw(st.integers(0, len(box) - 1)), data.draw(st.integers(0, 7))
    changed = box[:place] + bytes([box[place] ^ 1 << bit]) + box[place + 1 :]
    for wrong in (changed, box[:place]):
        with pytest.raises(NotOpenableError):
            KEY.open("d", {"key": KEY.id, "box": wrong})


def test_a_data_key_is_unwrapped_with_any_key_and_wrapped_with_the_first() -> None:
    old = Keks({"old": KEK})
    both = Keks({"new": secrets.token_bytes(32), "old": KEK})
    wrapped = old.wrap(KEY)
    assert KEY.secret not in wrapped
    assert both.unwrap(KEY.user, KEY.id, "old", wrapped) == KEY
    assert both.unwrap(KEY.user, KEY.id, "new", both.wrap(KEY)) == KEY
    with pytest.raises(KekError):
        both.unwrap(KEY.user, KEY.id, "old", both.wrap(KEY))


@pytest.mark.parametrize("other", [{"user": "bo@example.org"}, {"id": "another"}, {"kek": "k2"}], ids=str)
def test_a_wrapped_data_key_is_its_users_and_its_key_encrypting_keys(other: dict[str, str]) -> None:
    place = {"user": KEY.user, "id": KEY.id, "kek": "k1"}
    same_secrets = keks("k1", "k2")
    wrapped = same_secrets.wrap(KEY)
    assert same_secrets.unwrap(**place, wrapped=wrapped) == KEY
    with pytest.raises(KekError):
        same_secrets.unwrap(**{**place, **other}, wrapped=wrapped)


def test_a_missing_key_encrypting_key_is_named_and_none_is_shown() -> None:
    with pytest.raises(KekError, match="k1 is missing") as missing:
        keks("k2").unwrap(KEY.user, KEY.id, "k1", keks("k1").wrap(KEY))
    with pytest.raises(KekError, match="k1") as wrong:
        keks("k1", key=secrets.token_bytes(32)).unwrap(KEY.user, KEY.id, "k1", keks("k1").wrap(KEY))
    for caught in (missing, wrong):
        shown = "".join(traceback.format_exception(caught.value))
        assert KEY.user not in shown
        assert KEY.secret.hex() not in shown
        assert text(KEK) not in shown


def test_no_key_is_in_a_repr() -> None:
    shown = f"{KEY} {replace(KEY)!r} {keks('k1')!r}"
    assert repr(KEY.secret)[2:-1] not in shown
    assert "secret" not in shown
    assert repr(KEK)[2:-1] not in shown


def test_keys_are_read_in_their_order() -> None:
    found = Keks.parse(SecretStr(f"k2:{text(KEK)}, k1:{text(secrets.token_bytes(32))}"))
    assert (found.current, found.others) == ("k2", ["k1"])
    assert found.unwrap(KEY.user, KEY.id, "k2", keks("k2").wrap(KEY)) == KEY


@pytest.mark.parametrize(
    "setting",
    [
        "",
        ",",
        text(KEK),
        f":{text(KEK)}",
        f"k 1:{text(KEK)}",
        f"k1:{text(KEK[:16])}",
        f"k1:{text(KEK + KEK)}",
        f"k1:{KEK.hex()}",
        f"k1:{text(KEK)},",
        f"k1:{text(KEK)},k1:{text(secrets.token_bytes(32))}",
    ],
    ids=range(10),
)
def test_keys_that_are_not_as_they_should_be_are_refused_and_not_quoted(setting: str) -> None:
    with pytest.raises(ValueError, match="id:key") as caught:
        Keks.parse(SecretStr(setting))
    assert text(KEK)[:20] not in f"{caught.value} {caught.value!r}"
