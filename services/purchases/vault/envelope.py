"""Envelope encryption: AES-256-GCM with a data key for each user, itself encrypted with a key-encrypting key (KEK).

All that says where a ciphertext belongs is authenticated with it, so that one that was moved does not open. Nonces are
random, 96 bits: a key may encrypt 2^32 times (NIST SP 800-38D, 8.3), which neither a user nor all users together do.
"""

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Self

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import AfterValidator, SecretStr

Sealed = dict[str, Any]  # BSON: {"key": the data key's id, "box": nonce and ciphertext}

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_WRONG = (InvalidTag, ValueError)  # the second one where not even a nonce is there
_KEK = re.compile(r"([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/]{43}=)", re.ASCII)
_NOT_KEKS = (
    "should be one or more of id:key with a comma between them, the current one first; an id is of letters, digits and "
    "._- and used once, a key is 32 random bytes in base64; make one with python -m services.purchases.vault.make_keys"
)


class NotOpenableError(Exception):
    """What was sealed is another user's, another deployment's, of a key that was deleted, or not as it was written."""


class KekError(Exception):
    """A data key needs a key-encrypting key that is not in CREDENTIALS_KEKS, or not the one of that id."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A user's own key. `id` tells it from one that the user had before and that was deleted."""

    user: str
    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def generate(cls, user: str) -> Self:
        """A fresh one."""
        return cls(user, secrets.token_hex(16), secrets.token_bytes(KEY_BYTES))

    def seal(self, deployment_id: str, plaintext: bytes) -> Sealed:
        """The credentials of a deployment of the user, encrypted; never twice the same."""
        return {"key": self.id, "box": _encrypt(self.secret, plaintext, self._place(deployment_id))}

    def open(self, deployment_id: str, sealed: Sealed) -> bytes:
        """What was sealed for this user and this deployment. Raises NotOpenableError."""
        try:
            return _decrypt(self.secret, sealed["box"], self._place(deployment_id))
        except _WRONG:
            raise NotOpenableError from None

    def _place(self, deployment_id: str) -> bytes:
        return _bound("deployment", deployment_id, "credentials", self.user, self.id)


class Keks:
    """The key-encrypting keys by id. The first one wraps; all of them unwrap."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = dict(keys)
        self.current, *self.others = self._keys

    @classmethod
    def parse(cls, setting: SecretStr) -> Self:
        """From `id:base64,id:base64`. Raises ValueError, which says nothing of the keys."""
        found = [_KEK.fullmatch(part.strip()) for part in setting.get_secret_value().split(",")]
        keys = {kek[1]: base64.b64decode(kek[2]) for kek in found if kek}
        if len(keys) != len(found):
            raise ValueError(_NOT_KEKS)
        return cls(keys)

    def wrap(self, key: DataKey) -> bytes:
        """The data key, encrypted with the current key."""
        return _encrypt(self._keys[self.current], key.secret, _whose(key.user, key.id, self.current))

    def unwrap(self, user: str, id: str, kek: str, wrapped: bytes) -> DataKey:
        """The data key that was wrapped with the key of the id `kek`. Raises KekError."""
        if kek not in self._keys:
            raise KekError(
                f"the key-encrypting key {kek} is missing; add it to CREDENTIALS_KEKS, after the current one"
            )
        try:
            return DataKey(user, id, _decrypt(self._keys[kek], wrapped, _whose(user, id, kek)))
        except _WRONG:
            raise KekError(f"a data key was not wrapped with the {kek} of CREDENTIALS_KEKS, or was changed") from None


def _whose(user: str, id: str, kek: str) -> bytes:
    return _bound("data key", user, id, kek)


def _bound(*parts: str) -> bytes:
    """The additional data: JSON, so that no two lists of parts give the same bytes."""
    return orjson.dumps(parts)


def _encrypt(key: bytes, plaintext: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound)


def _decrypt(key: bytes, box: bytes, bound: bytes) -> bytes:
    nonce, ciphertext = box[:_NONCE_BYTES], box[_NONCE_BYTES:]
    return AESGCM(key).decrypt(nonce, ciphertext, bound)


def _usable(setting: SecretStr) -> SecretStr:
    Keks.parse(setting)
    return setting


KeyEncryptingKeys = Annotated[SecretStr, AfterValidator(_usable)]
