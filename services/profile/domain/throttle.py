"""How long who keeps giving wrong passwords has to wait."""

from datetime import datetime, timedelta

LONGEST = timedelta(minutes=15)
REMEMBERED = timedelta(hours=24)
_SHORTEST = timedelta(seconds=1)
_DOUBLINGS = 10  # 1,024 s is more than LONGEST


def wait(failures: int, last_failure: datetime, now: datetime, free: int) -> timedelta:
    """How long from `now` on no password is looked at, after so many failures, the last of them at `last_failure`.

    The first `free` failures cost nothing; the next one 1 s, and each after it twice as long as the one before, up to
    LONGEST. They are forgotten REMEMBERED after the last one. A clock that was put back makes nobody wait longer.
    """
    passed = max(timedelta(0), now - last_failure)
    if failures <= free or passed >= REMEMBERED:
        return timedelta(0)
    delay = min(LONGEST, _SHORTEST * (1 << min(failures - free - 1, _DOUBLINGS)))
    return max(timedelta(0), delay - passed)
