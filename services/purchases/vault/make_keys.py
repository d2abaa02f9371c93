"""`python -m services.purchases.vault.make_keys`: fresh keys, as the settings in which the service is given them."""

import secrets
import sys
from base64 import b64encode

import orjson
from joserfc.jwk import ECKey

from services.purchases.vault.envelope import KEY_BYTES


def make_keys() -> dict[str, str]:
    """CREDENTIALS_PRIVATE_JWK and CREDENTIALS_KEKS: the key that publishers encrypt for, and a key-encrypting key."""
    private = ECKey.generate_key("P-256", auto_kid=True).as_dict(private=True)
    kek = b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    return {
        "CREDENTIALS_PRIVATE_JWK": orjson.dumps(private).decode(),
        "CREDENTIALS_KEKS": f"{secrets.token_hex(4)}:{kek}",
    }


if __name__ == "__main__":
    sys.stdout.writelines(f"{name}='{value}'\n" for name, value in make_keys().items())
