"""What runs for a user: from deploying to its end, with its health and its bad days."""

import random
from dataclasses import dataclass
from decimal import Decimal
from math import cos, pi

from mycelium.simulator.catalogue import Product
from mycelium.simulator.diary import Diary, Process
from mycelium.simulator.moments import DAY, HOUR, MINUTE, SECOND
from mycelium.simulator.persona import Persona
from mycelium.simulator.tables import REGIONS
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentHealthReported,
    DeploymentScaled,
    DeploymentStatusChanged,
    ResourceAllocation,
)
from shared.contracts.types import DeploymentStatus

_HEALTH_EVERY = 10 * HOUR
_EPISODE_EVERY = 16 * DAY
_SIZES = ((1, 2, 20, 100), (2, 4, 40, 250), (4, 8, 80, 500), (8, 16, 160, 1000), (16, 64, 500, 2000))
_LOADS = ((1.5, 6), (10, 14), (35, 45), (72, 70))  # mean per cent of CPU and memory: idle, oversized, normal, hot
_LOAD_SHARES = (0.12, 0.15, 0.60, 0.13)


@dataclass
class Deployment:
    """One deployment as it now is. `load` is the mean per cent of CPU and memory that it uses; `held` says that it has
    been stopped and does not come back into service by itself."""

    id: str
    product: Product
    size: int
    load: tuple[float, float]
    peak_hour: float
    status: DeploymentStatus = "deploying"
    held: bool = False
    ended: bool = False

    @property
    def resources(self) -> ResourceAllocation:
        """What its size allots to it."""
        cpu, memory, storage, bandwidth = _SIZES[self.size]
        return ResourceAllocation(cpu_cores=cpu, memory_gb=memory, storage_gb=storage, bandwidth_mbps=bandwidth)


class Deployments:
    """A user's deployments; `live` holds those that have not ended."""

    def __init__(self, diary: Diary, persona: Persona, rng: random.Random) -> None:
        self._diary, self._persona, self._rng = diary, persona, rng
        self.live: list[Deployment] = []

    def create(self, purchase_id: str, product: Product, monthly_cost: Decimal) -> Deployment:
        """Deploys what was bought; it runs some minutes later."""
        rng = self._rng
        deployment = Deployment(
            id=self._diary.fresh_id("dep"),
            product=product,
            size=rng.choices(range(len(_SIZES)), (4, 5, 3, 1.5, 0.5))[0],
            load=rng.choices(_LOADS, _LOAD_SHARES)[0],
            peak_hour=rng.uniform(8, 20),
        )
        self._diary.write(
            DeploymentCreated(
                user_email=self._persona.email,
                deployment_id=deployment.id,
                purchase_id=purchase_id,
                kind="app" if product.category.product_type == "application" else "service",
                region=rng.choice(REGIONS),
                node_id=f"{product.provider.id}-node-{rng.randint(1, 40)}",
                resources_allocated=deployment.resources,
                deployment_url=f"https://{deployment.id}.{product.provider.id}.example.org",
                monthly_cost=monthly_cost,
            )
        )
        self.live.append(deployment)
        self._diary.start(self._life(deployment))
        return deployment

    def stop(self, deployment: Deployment, reason: str) -> None:
        """Stops it until it is resumed."""
        deployment.held = True
        self._move(deployment, "stopped", reason)

    def resume(self, deployment: Deployment) -> None:
        """Starts a stopped one again."""
        deployment.held = False
        self._move(deployment, "running", "started again")

    def end(self, deployment: Deployment, reason: str) -> None:
        """Stops it for good."""
        self.live.remove(deployment)
        deployment.held = deployment.ended = True
        if deployment.status != "stopped":
            self._move(deployment, "stopped", reason)

    def check(self, deployment: Deployment) -> None:
        """Reports the health of one that is running or in error; of another there is nothing to report."""
        if deployment.status not in ("running", "error"):
            return
        rng, healthy = self._rng, deployment.status == "running"
        cpu, memory = deployment.load
        hour = self._diary.now % DAY / HOUR
        day = 1 + 0.35 * cos(2 * pi * (hour - deployment.peak_hour) / 24)
        slow = 1 + (5 - deployment.product.provider.quality) / 2
        self._diary.write(
            DeploymentHealthReported(
                user_email=self._persona.email,
                deployment_id=deployment.id,
                healthy=healthy and rng.random() > 0.005,
                latency_ms=round(rng.lognormvariate(3.2, 0.4) * slow * (1 if healthy else 20), 1),
                cpu_percent=round(min(100.0, cpu * day * rng.lognormvariate(0, 0.2)), 1) if healthy else 0.0,
                memory_percent=round(min(100.0, memory * rng.lognormvariate(0, 0.08)), 1) if healthy else 0.0,
            )
        )

    def _life(self, deployment: Deployment) -> Process:
        yield int(self._rng.uniform(40, 300) * SECOND)
        if self._rng.random() < 0.03:
            yield from self._episode(deployment, "error", "the image could not be started", 20 * MINUTE)
        elif not deployment.held:
            self._move(deployment, "running", "deployed")
        self._diary.start(self._health(deployment))
        while not deployment.ended:
            yield MINUTE + int(self._rng.expovariate(1 / _EPISODE_EVERY))
            if deployment.status == "running":
                yield from self._bad_day(deployment)

    def _bad_day(self, deployment: Deployment) -> Process:
        poor = 6 * (5 - deployment.product.provider.quality)
        kind = self._rng.choices(("error", "maintenance", "stopped", "scaling"), (poor, 4, 1.5, 2))[0]
        if kind == "error":
            yield from self._episode(deployment, "error", "the node does not answer", 2 * HOUR)
        elif kind == "maintenance":
            yield from self._episode(deployment, "maintenance", "planned maintenance of the node", HOUR)
        elif kind == "stopped":
            yield from self._episode(deployment, "stopped", "stopped by the user", 18 * HOUR)
        else:
            yield from self._scale(deployment)

    def _episode(self, deployment: Deployment, status: DeploymentStatus, reason: str, typical: int) -> Process:
        """Out of service for about `typical` milliseconds, unless something else happens to it before."""
        if deployment.held:
            return
        self._move(deployment, status, reason)
        yield MINUTE
        if deployment.status == status:
            self.check(deployment)
        yield int(typical * self._rng.lognormvariate(0, 0.6))
        if deployment.status == status and not deployment.held:
            self._move(deployment, "running", "back in service")

    def _scale(self, deployment: Deployment) -> Process:
        self._move(deployment, "scaling", "new resources")
        yield int(self._rng.uniform(1, 8) * MINUTE)
        if deployment.status != "scaling":
            return
        wanted = deployment.size + (1 if deployment.load[0] > 20 else -1)
        deployment.size = min(max(wanted, 0), len(_SIZES) - 1)
        self._diary.write(
            DeploymentScaled(
                user_email=self._persona.email,
                deployment_id=deployment.id,
                resources_allocated=deployment.resources,
            )
        )
        self._move(deployment, "running", "scaled")

    def _health(self, deployment: Deployment) -> Process:
        while not deployment.ended:
            self.check(deployment)
            yield int(_HEALTH_EVERY * self._rng.uniform(0.75, 1.25))

    def _move(self, deployment: Deployment, status: DeploymentStatus, reason: str) -> None:
        deployment.status = status
        self._diary.write(
            DeploymentStatusChanged(
                user_email=self._persona.email, deployment_id=deployment.id, status=status, reason=reason
            )
        )
