"""Everything that this service keeps of a user, removed."""

from collections.abc import Set

from services.purchases.credentials import Vault
from services.purchases.store import KINDS
from shared.plumbing.mongo import Database


class Eraser:
    """Removes users from every collection."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._things = [database[keeping.collection] for keeping in KINDS.values()]
        self._users = database["users"]
        self._vault = vault

    async def erase(self, users: Set[str]) -> int:
        """Removes all that is kept of the users; how many documents that was.

        Their keys go first: what was sealed with them cannot be opened any more, also where it was copied to.
        """
        removed = sum([await self._vault.forget(user) for user in users])
        theirs = {"$in": list(users)}
        for collection in self._things:
            removed += (await collection.delete_many({"user": theirs})).deleted_count
        return int(removed + (await self._users.delete_many({"_id": theirs})).deleted_count)
