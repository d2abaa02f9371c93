"""A deployment as its user sees it, and how much of the time it was up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.contracts.times import rfc3339
from shared.contracts.types import DeploymentStatus
from shared.folds.purchase import money
from shared.folds.state import State, field, members, value

Record = dict[str, Any]  # JSON: money and times are strings

_EXPECTED_UP: Final = frozenset[DeploymentStatus]({"running", "scaling", "error"})
_SERVING: Final = frozenset[DeploymentStatus]({"running", "scaling"})


@dataclass(frozen=True, slots=True)
class Interval:
    """A status from `start` to `end` (None: until now), in microseconds since 1970, and why it came to that."""

    status: DeploymentStatus
    start: int
    end: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Check:
    """What a health check found at `at`, in microseconds since 1970."""

    at: int
    healthy: bool


@dataclass(frozen=True, slots=True)
class Uptime:
    """Microseconds in which the deployment was expected to be up, and of these the ones in which it was."""

    expected: int
    up: int

    @property
    def percentage(self) -> float | None:
        """`up` per cent of `expected`, to two decimals; None if it was never expected to be up."""
        return round(100 * self.up / self.expected, 2) if self.expected else None


def is_listed(state: State) -> bool:
    """Whether the deployment itself has come, and not only something about it."""
    return field(state, "details") is not None


def created_at(state: State) -> int:
    """When the deployment was told of, in microseconds since 1970."""
    at: int = value(state, "told_at", 0)
    return at


def intervals(state: State) -> list[Interval]:
    """The statuses one after the other, oldest first. What was created without a word on its status was deploying."""
    moves = [(move.at, move.value["status"], move.value["reason"]) for move in members(state, "history")]
    started = value(state, "told_at")
    if started is not None and (not moves or moves[0][0] > started):
        moves.insert(0, (started, "deploying", None))
    ends = [at for at, _, _ in moves[1:]] + [None]
    return [Interval(what, at, end, why) for (at, what, why), end in zip(moves, ends, strict=False)]


def status(state: State) -> tuple[DeploymentStatus, str | None]:
    """What the deployment is now, and why."""
    passed = intervals(state)
    return (passed[-1].status, passed[-1].reason) if passed else ("deploying", None)


def uptime(passed: Sequence[Interval], checks: Iterable[Check], start: int, end: int) -> Uptime:
    """How long between `start` and `end` the deployment was expected to be up, and was.

    It is expected to be up while it is running, scaling or in error: not while it is being deployed, was stopped by its
    user or is in planned maintenance. Of that time it was down in error, and from each failed check on until the next
    check of whatever result or the end of the status, because nothing is known of the time between two checks but what
    the first of them found.
    """
    ordered = sorted((check for check in checks if check.at < end), key=lambda check: check.at)
    expected = down = 0
    for interval in passed:
        since, until = max(interval.start, start), end if interval.end is None else min(interval.end, end)
        if since >= until or interval.status not in _EXPECTED_UP:
            continue
        expected += until - since
        down += _down_within(ordered, since, until) if interval.status in _SERVING else until - since
    return Uptime(expected, expected - down)


def _down_within(ordered: Sequence[Check], since: int, until: int) -> int:
    within = [check for check in ordered if since <= check.at < until]
    ends = [check.at for check in within[1:]] + [until]
    return sum(end - check.at for check, end in zip(within, ends, strict=False) if not check.healthy)


def decisive(checks: Iterable[Check]) -> list[Check]:
    """The checks that `uptime` depends on, oldest first: the failed ones, and the one after each of them."""
    ordered = sorted(checks, key=lambda check: check.at)
    return [
        check
        for before, check in zip([None, *ordered], ordered, strict=False)
        if not check.healthy or (before is not None and not before.healthy)
    ]


def info_of(id: str, state: State, uptime_percentage: float | None) -> Record:
    """The `DeploymentInfo` of a listed deployment; the credentials are only in the answer of the reveal endpoint."""
    details = value(state, "details")
    now, reason = status(state)
    last_check, cost = value(state, "last_check"), value(state, "monthly_cost")
    return {
        "deployment_id": id,
        "purchase_id": details["purchase_id"],
        "kind": details["kind"],
        "status": now,
        "status_reason": reason,
        "region": details["region"],
        "node_id": value(state, "node_id"),
        "resources_allocated": value(state, "resources"),
        "uptime_percentage": uptime_percentage,
        "last_health_check": last_check and rfc3339(last_check),
        "deployment_url": value(state, "deployment_url"),
        "monthly_cost": None if cost is None else money(cost),
        "created_at": rfc3339(created_at(state)),
        "access_credentials": None,
    }
