"""What is true of one deployment, told by the events about it in the order of their times."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    ResourceAllocation,
)
from shared.contracts.reading import AnyEvent

_UPTIME_OF: Final = timedelta(days=30)
_EXPECTED_UP: Final = ("running", "scaling", "error")
_NOTHING_OF: Final = timedelta()


class Check(NamedTuple):
    """A health check as it is shown."""

    at: datetime
    healthy: bool
    latency_ms: float | None
    cpu_percent: float | None
    memory_percent: float | None


class Stay(NamedTuple):
    """A status from `start` to `end` (None: until now)."""

    status: str
    start: datetime
    end: datetime | None
    reason: str | None


@dataclass
class Deployed:
    """One deployment. `words` are the ids of the events that say what it is, by what they say."""

    created: DeploymentCreated | None = None
    created_at: datetime | None = None
    resources: ResourceAllocation | None = None
    words: dict[str, str] = field(default_factory=dict)
    last_check: datetime | None = None
    _moves: list[tuple[datetime, str, str | None]] = field(default_factory=list)
    _checks: dict[tuple[datetime, int], Check] = field(default_factory=dict)

    def hear(self, event: AnyEvent) -> None:
        """Takes the next event about it in the order of (time, id)."""
        match event.data:
            case DeploymentCreated() as made:
                self.created, self.created_at, self.resources = made, event.time, made.resources_allocated
                self.words |= {"details": event.id, "resources": event.id}
            case DeploymentScaled() as scaled:
                self.resources = scaled.resources_allocated
                self.words["resources"] = event.id
            case DeploymentStatusChanged() as ran:
                self._moves.append((event.time, ran.status, ran.reason))
                self.words[f"move {event.id}"] = event.id
            case DeploymentHealthReported() as check:
                self._checked(event, check)

    def _checked(self, event: AnyEvent, found: DeploymentHealthReported) -> None:
        """Of a quarter of an hour the worst counts, and of equally bad ones the latest."""
        hour = event.time.replace(minute=0, second=0, microsecond=0)
        quarter = hour, event.time.minute // 15
        known = self._checks.get(quarter)
        if known is None or known.healthy or not found.healthy:
            measured = found.latency_ms, found.cpu_percent, found.memory_percent
            self._checks[quarter] = Check(event.time, found.healthy, *measured)
        self.last_check, self.words["last check"] = event.time, event.id

    @property
    def checks(self) -> list[Check]:
        """The checks that are kept, oldest first."""
        return sorted(self._checks.values())

    @property
    def stays(self) -> list[Stay]:
        """Its statuses, oldest first. Until somebody says otherwise it is deploying."""
        moves = list(self._moves)
        if self.created_at and (not moves or moves[0][0] > self.created_at):
            moves.insert(0, (self.created_at, "deploying", None))
        ends = [at for at, *_ in moves[1:]] + [None]
        return [Stay(status, at, end, reason) for (at, status, reason), end in zip(moves, ends, strict=True)]

    @property
    def shown(self) -> dict[str, Any]:  # Any: its fields
        """What is shown of it, of what does not depend on when one looks. It has to have been created."""
        made, now = self.created, self.stays[-1]
        assert made is not None
        names = ("purchase_id", "kind", "region", "node_id", "deployment_url", "monthly_cost")
        return {name: getattr(made, name) for name in names} | {
            "status": now.status,
            "status_reason": now.reason,
            "resources_allocated": self.resources,
            "last_health_check": self.last_check,
            "created_at": self.created_at,
        }

    @property
    def cost(self) -> Decimal:
        """A month, in TFP."""
        return (self.created and self.created.monthly_cost) or Decimal(0)

    def uptime(self, now: datetime) -> float | None:
        """Per cent of the time in the thirty days before `now` in which it should have been up; None without any."""
        spans = [*self._spans(_EXPECTED_UP, now - _UPTIME_OF, now)]
        expected = sum((end - start for _, start, end in spans), _NOTHING_OF)
        down = sum((self._down(*span) for span in spans), _NOTHING_OF)
        return 100 * (1 - down / expected) if expected else None

    def _spans(
        self, statuses: tuple[str, ...], since: datetime, now: datetime
    ) -> Iterator[tuple[str, datetime, datetime]]:
        for stay in self.stays:
            start, end = max(stay.start, since), min(stay.end or now, now)
            if stay.status in statuses and start < end:
                yield stay.status, start, end

    def _down(self, status: str, start: datetime, end: datetime) -> timedelta:
        """All of it in error, else from each failed check to the next one."""
        if status == "error":
            return end - start
        within = [(check.at, check.healthy) for check in self.checks if start <= check.at < end]
        each = pairwise([*within, (end, True)])
        return sum((until - at for (at, healthy), (until, _) in each if not healthy), _NOTHING_OF)

    def hours_run(self, now: datetime) -> float:
        """Hours in which it was running or being scaled, until `now`."""
        ran = (
            end - start
            for _, start, end in self._spans(("running", "scaling"), datetime.min.replace(tzinfo=now.tzinfo), now)
        )
        return sum(ran, _NOTHING_OF) / timedelta(hours=1)

    def load(self, now: datetime) -> float | None:
        """The greater of the means of CPU and memory, in per cent, on the days that began in the 31 before `now`."""
        days = [
            c
            for c in self.checks
            if c.at.replace(hour=0, minute=0, second=0, microsecond=0) >= now - timedelta(days=31)
        ]
        measured = [[c.cpu_percent for c in days], [c.memory_percent for c in days]]
        known = [[value for value in values if value is not None] for values in measured]
        return max((sum(values) / len(values) for values in known if values), default=None)
