"""Opening what publishers encrypted: a compact JWE, `ECDH-ES+A256KW` and `A256GCM` for a P-256 key of ours."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Final, Literal, Self

import orjson
from joserfc import jwe
from joserfc.jwk import ECKey
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from shared.contracts.credentials import ALGORITHMS, KEY_ALGORITHM, AccessCredentials

MAX_CHARACTERS: Final = 10_000
_REGISTRY = jwe.JWERegistry(algorithms=ALGORITHMS, strict_check_header=False)  # RFC 7516, 4: unknown ones are ignored
_PUBLIC = ("kty", "crv", "x", "y", "kid")
_NOT_A_JWK = (
    "should be an EC P-256 private key for encryption as a JWK, or a JWK Set of such keys, the current one first; "
    "make one with python -m services.purchases.vault.make_keys"
)


class UnusableCredentialsError(Exception):
    """The text is not a JWE that can be opened, or holds no credentials. The message quotes nothing of it."""


class _PrivateJwk(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: str
    y: str
    d: str
    kid: str | None = None
    use: Literal["enc"] = "enc"
    alg: Literal["ECDH-ES+A256KW"] = "ECDH-ES+A256KW"


class _PrivateJwks(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)

    keys: Annotated[list[_PrivateJwk], Field(min_length=1)]


_SETTING: TypeAdapter[_PrivateJwks | _PrivateJwk] = TypeAdapter(_PrivateJwks | _PrivateJwk)


class Unsealer:
    """Opens what was encrypted for any of our keys. The first of them is the one that publishers are given."""

    def __init__(self, keys: Sequence[ECKey]) -> None:
        self._keys = tuple(keys)
        self._public_jwks = orjson.dumps({"keys": [_public(self._keys[0])]})

    @classmethod
    def parse(cls, setting: SecretStr) -> Self:
        """With the keys of a private JWK or JWK Set (JSON). Raises ValueError, which says nothing of the keys."""
        try:
            found = _SETTING.validate_json(setting.get_secret_value())
            jwks = found.keys if isinstance(found, _PrivateJwks) else [found]
            return cls([ECKey.import_key(jwk.model_dump(exclude_none=True)) for jwk in jwks])
        except (ValidationError, ValueError):
            raise ValueError(_NOT_A_JWK) from None

    def public_jwks(self) -> bytes:
        """The JWK Set for publishers, as JSON: the public members of the current key."""
        return self._public_jwks

    def unseal(self, compact_jwe: str) -> AccessCredentials:
        """The credentials in a compact JWE. Raises UnusableCredentialsError."""
        if len(compact_jwe) > MAX_CHARACTERS:
            raise UnusableCredentialsError(f"should have at most {MAX_CHARACTERS} characters")
        plaintext = _first(_opened(compact_jwe, key) for key in self._keys)
        if plaintext is None:
            raise UnusableCredentialsError(
                f"should be a compact JWE ({', '.join(ALGORITHMS)}, no zip) for the key at /.well-known/jwks.json"
            )
        try:
            return AccessCredentials.model_validate_json(plaintext)
        except ValidationError:
            raise UnusableCredentialsError(
                "should hold a JSON object with username, password, api_key or ssh_key, which are strings"
            ) from None


def _opened(compact_jwe: str, key: ECKey) -> bytes | None:
    try:
        return jwe.decrypt_compact(compact_jwe, key, registry=_REGISTRY).plaintext
    except Exception:  # noqa: BLE001  (a stranger's header makes the library raise anything, RecursionError too)
        return None


def _first(found: Iterable[bytes | None]) -> bytes | None:
    return next((each for each in found if each is not None), None)


def _public(key: ECKey) -> dict[str, object]:
    key.ensure_kid()
    return {"use": "enc", "alg": KEY_ALGORITHM, **{name: key[name] for name in _PUBLIC}}


def _usable(setting: SecretStr) -> SecretStr:
    Unsealer.parse(setting)
    return setting


PrivateJwk = Annotated[SecretStr, AfterValidator(_usable)]
