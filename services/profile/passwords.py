"""Passwords as argon2id hashes, made and checked in threads, a bounded number at a time."""

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr

from shared.plumbing.problems import ProblemError

_AT_ONCE = 2  # each takes 19 MiB and a core
_WAITING = 100  # each takes about 50 ms: whoever came later would wait until the gateway has given up
T = TypeVar("T")


class Passwords:
    """Hashes and checks passwords with OWASP's argon2id parameters (m = 19 MiB, t = 2, p = 1).

    Its methods raise a 503 problem where too many callers wait already.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._nobodys_hash = self._hasher.hash("nobody")
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argon2")
        self._waiting = 0

    async def hash(self, password: SecretStr) -> str:
        """The hash of `password` with a salt of its own, in the PHC string format."""
        return await self._in_a_thread(lambda: self._hasher.hash(_text(password)))

    async def is_right(self, password: SecretStr, hash: str | None) -> bool:
        """Whether `password` has this hash. For an unknown user, None: False, after the same time."""
        right = await self._in_a_thread(lambda: self._verify(hash or self._nobodys_hash, _text(password)))
        return right and hash is not None

    def is_outdated(self, hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(hash)

    async def close(self) -> None:
        """Lets the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_a_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise ProblemError(503, "busy", "Too many logins at once; try again.", headers={"Retry-After": "1"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _text(password: SecretStr) -> str:
    """One form for what keyboards may send in several (RFC 8265)."""
    return unicodedata.normalize("NFC", password.get_secret_value())
