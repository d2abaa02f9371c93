"""What decides a simulation: nothing but the values here and the stretches of live time makes a difference to it."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b


@dataclass(frozen=True)
class Scenario:
    """A marketplace of `users` users, and one more for each of `emails`, with a history of `days` up to `until` (UTC).

    `emails` are normalised. Each user has random streams of their own, so that more users do not change the others.
    """

    seed: int
    users: int
    days: int
    until: datetime
    emails: tuple[str, ...] = ()

    @property
    def start(self) -> datetime:
        """When the history begins (UTC)."""
        return self.until - timedelta(days=self.days)

    def stream(self, *names: str | int) -> random.Random:
        """The random stream of that name; it depends on the seed and the name alone."""
        return random.Random("/".join(map(str, (self.seed, *names))))  # noqa: S311  (a simulation, not a secret)

    def namespace(self, name: str) -> str:
        """What the ids of `name` begin with: another seed or another time gives other ids."""
        return _digest(self.seed, self.days, self.until.isoformat(), name)

    @property
    def fingerprint(self) -> str:
        """The same for two scenarios that differ in `until` at most."""
        return _digest(self.seed, self.users, self.days, *self.emails)


@dataclass(frozen=True)
class Stretch:
    """A stretch of live time, in UTC, in which the users are busy: about `rate` events a second over all of them.

    `end` None means that it goes on.
    """

    start: datetime
    rate: float
    end: datetime | None = None


def _digest(*parts: object) -> str:
    return blake2b("|".join(map(str, parts)).encode(), digest_size=6).hexdigest()
