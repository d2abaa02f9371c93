"""Whether a password is right, for whoever may still ask."""

from pydantic import SecretStr

from services.profile.passwords import Passwords
from services.profile.store import UserStore
from services.profile.throttling import Throttle
from shared.plumbing.problems import ProblemError

WRONG = ProblemError(403, "wrong-credentials", "The email or the password is wrong.")


class Guard:
    """Checks passwords. Who has no account cannot be told from who mistyped, neither by the answer nor by its time."""

    def __init__(self, users: UserStore, passwords: Passwords, throttle: Throttle) -> None:
        self._users = users
        self._passwords = passwords
        self._throttle = throttle

    async def check(self, email: str, password: SecretStr, address: str | None = None) -> str:
        """The hash that the account has for this password, made anew if it was outdated.

        Raises the 403 problem if the password is wrong, 429 after too many that were, 503 if too many wait already.
        """
        await self._throttle.admit(email, address)
        known = await self._users.password_hash(email)
        if not await self._is_right(email, password, known) or known is None:
            await self._throttle.failed(address)
            raise WRONG
        await self._throttle.forget(email)
        return await self._renewed(email, password, known)

    async def still_holds(self, email: str, checked: str) -> bool:
        """Whether the account still has the hash that `check` returned: it may be changed, or erased, meanwhile."""
        return await self._users.password_hash(email) == checked

    async def _is_right(self, email: str, password: SecretStr, known: str | None) -> bool:
        try:
            return await self._passwords.is_right(password, known)
        except ProblemError:
            await self._throttle.not_looked_at(email)
            raise

    async def _renewed(self, email: str, password: SecretStr, known: str) -> str:
        if not self._passwords.is_outdated(known):
            return known
        renewed = await self._passwords.hash(password)
        return renewed if await self._users.replace_password_hash(email, known, renewed) else known
