"""Keeps those who ask from waiting, one after the other, for a service that does not answer."""

import time
from collections.abc import Callable
from typing import Final

FAILURES_TO_OPEN: Final = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0


class Breaker:
    """Opens after so many failures in a row, and then lets one question through after each pause.

    A pause is twice as long as the one before, within bounds. A question that is let through and never comes to an end
    holds nobody up: after the pause there is another one.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE_SECONDS
        self._tried_at = self._next_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether questions are refused, but for one now and then."""
        return self._failures >= FAILURES_TO_OPEN

    def lets_through(self) -> bool:
        """Whether a question may be asked now; in an open breaker it is then the one that is tried."""
        now = self._clock()
        if not self.is_open:
            return True
        if now < self._next_at:
            return False
        self._tried_at, self._next_at = now, now + self._pause
        return True

    def succeeded(self) -> None:
        """A question was answered."""
        self._failures, self._pause = 0, FIRST_PAUSE_SECONDS

    def failed(self, asked_at: float) -> None:
        """A question of this time was not answered. Of those that were under way when it opened only that counts."""
        if not self.is_open:
            self._failures += 1
            self._tried_at = self._clock()
            self._next_at = self._tried_at + self._pause
        elif asked_at >= self._tried_at:
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            self._next_at = self._clock() + self._pause
