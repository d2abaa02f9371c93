"""Credentials: opened once as they come, kept encrypted for their user and deployment, and opened again to be revealed.

In the clear they are in memory only, while they are sealed or revealed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from services.purchases.vault.data_keys import DataKeys
from services.purchases.vault.envelope import Keks, NotOpenableError, Sealed
from services.purchases.vault.unsealing import Unsealer, UnusableCredentialsError
from shared.contracts.credentials import AccessCredentials
from shared.plumbing.mongo import Database

__all__ = ["Issued", "NotOpenableError", "UnusableCredentialsError", "Vault"]


class Issued(NamedTuple):
    """Credentials as they come: a compact JWE for a deployment of a user (a normalised email)."""

    user: str
    deployment_id: str
    jwe: str


class Vault:
    """Seals what comes, and opens what is kept. Both may raise KekError or pymongo.errors.PyMongoError."""

    def __init__(self, database: Database, keks: Keks, unsealer: Unsealer) -> None:
        self._data_keys = DataKeys(database, keks)
        self._unsealer = unsealer

    async def seal_all(self, issued: Sequence[Issued]) -> list[Sealed | UnusableCredentialsError]:
        """What to store of each, in their order, or why it cannot be used; one question to Mongo for all of them."""
        unsealed = [self._unseal(each.jwe) for each in issued]
        usable = {each.user for each, found in zip(issued, unsealed, strict=True) if isinstance(found, bytes)}
        keys = await self._data_keys.of(usable)
        return [
            keys[each.user].seal(each.deployment_id, found) if isinstance(found, bytes) else found
            for each, found in zip(issued, unsealed, strict=True)
        ]

    async def open(self, user: str, deployment_id: str, sealed: Sealed) -> AccessCredentials:
        """What was sealed for this user and this deployment. Raises NotOpenableError if this was not."""
        key = await self._data_keys.known(user)
        if key is None:
            raise NotOpenableError
        return AccessCredentials.model_validate_json(key.open(deployment_id, sealed))

    async def forget(self, user: str) -> int:
        """Deletes the user's key, so that nothing that was sealed for them can be opened any more, wherever it is.

        How many keys that were: 0 or 1.
        """
        return await self._data_keys.forget(user)

    async def check(self) -> None:
        """For the start: whether the key-encrypting keys fit the data keys in use.

        Raises KekError if not, ConnectionError if the database does not answer.
        """
        await self._data_keys.check()

    def public_jwks(self) -> bytes:
        """The JWK Set that publishers encrypt for, as JSON."""
        return self._unsealer.public_jwks()

    async def check_all(self, issued: Sequence[Issued]) -> list[str | UnusableCredentialsError]:
        """Each as it came, or why it cannot be used. Nothing is stored."""
        found = [self._unseal(each.jwe) for each in issued]
        return [each.jwe if isinstance(f, bytes) else f for each, f in zip(issued, found, strict=True)]

    def _unseal(self, jwe: str) -> bytes | UnusableCredentialsError:
        try:
            return self._unsealer.unseal(jwe).revealed()
        except UnusableCredentialsError as error:
            return error
