"""The purchases service's settings."""

from services.purchases.vault.envelope import KeyEncryptingKeys
from services.purchases.vault.unsealing import PrivateJwk
from shared.plumbing.settings import ServiceSettings


class Settings(ServiceSettings):
    """`command_limit_seconds` is how long the marketplace may take to answer before a command counts as failed.

    Publishers encrypt credentials for `credentials_private_jwk`; at rest they are protected by `credentials_keks`.
    """

    port: int = 8102
    credentials_private_jwk: PrivateJwk
    credentials_keks: KeyEncryptingKeys
    command_limit_seconds: float = 300.0
