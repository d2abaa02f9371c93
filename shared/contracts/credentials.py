"""Access credentials, and how a publisher encrypts them: the only form in which they are ever on a topic."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

import orjson
from joserfc import jwe
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

KEY_ALGORITHM: Final = "ECDH-ES+A256KW"
CONTENT_ALGORITHM: Final = "A256GCM"
ALGORITHMS: Final = (KEY_ALGORITHM, CONTENT_ALGORITHM)
MAX_VALUE_CHARACTERS: Final = 7_000  # a private RSA key of 8,192 bits has 6,400

_Value = Annotated[SecretStr, Field(max_length=MAX_VALUE_CHARACTERS)]


class AccessCredentials(BaseModel):
    """What a deployment is entered with: one of them at least. Unknown members are ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    username: _Value | None = None
    password: _Value | None = None
    api_key: _Value | None = None
    ssh_key: _Value | None = None

    @model_validator(mode="after")
    def _open_something(self) -> Self:
        if not any((self.username, self.password, self.api_key, self.ssh_key)):
            raise ValueError("should have username, password, api_key or ssh_key")
        return self

    def revealed(self) -> bytes:
        """The credentials as JSON, in the clear: all four members, null where there is none."""
        return orjson.dumps({name: None if value is None else value.get_secret_value() for name, value in self})


def seal_for(public_jwk: Mapping[str, Any], credentials: AccessCredentials) -> str:
    """The compact JWE for `credentials_jwe`. `public_jwk` is a key of the JWK Set at `/.well-known/jwks.json`.

    Raises joserfc.errors.JoseError or ValueError if that is no elliptic-curve key, or none for encryption.
    """
    key = ECKey.import_key(dict(public_jwk))
    header = {"alg": KEY_ALGORITHM, "enc": CONTENT_ALGORITHM} | ({"kid": key.kid} if key.kid else {})
    return jwe.encrypt_compact(header, credentials.revealed(), key, ALGORITHMS)
