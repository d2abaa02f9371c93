"""Doing a fault to the plant, and undoing it."""

import asyncio
from collections.abc import Awaitable, Callable
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Final

from tests.chaos.plant import Plant
from tests.chaos.schedule import Episode, Fault
from tests.servers.proxy import Proxy

_DELAY_SECONDS: Final = (0.05, 0.4)  # of each direction: a bad network, or one that nobody can work with


class Faults:
    """Does faults to `plant`. `before_it_forgets` is awaited when a broker that forgets is about to be killed."""

    def __init__(self, plant: Plant, before_it_forgets: Callable[[], Awaitable[None]]) -> None:
        self._plant, self._before_it_forgets = plant, before_it_forgets

    async def hold(self, episode: Episode) -> None:
        """All faults of an episode, each done and undone at its time."""
        async with asyncio.TaskGroup() as group:
            for fault in episode:
                group.create_task(self._at_its_time(fault))

    async def _at_its_time(self, fault: Fault) -> None:
        await asyncio.sleep(fault.after)
        await self._do(fault)

    async def _do(self, fault: Fault) -> None:
        plant = self._plant
        match fault.kind:
            case "service killed":
                plant.signal(fault.target, SIGKILL)
            case "service killed while it writes":
                plant.mongo.delay(_DELAY_SECONDS[True])
                await asyncio.sleep(fault.hold)
                plant.signal(fault.target, SIGKILL)
                await plant.mongo.mend()
            case "service told to end":
                plant.signal(fault.target, SIGTERM)
            case "service paused":
                plant.signal(fault.target, SIGSTOP)
                await asyncio.sleep(fault.hold)
                plant.signal(fault.target, SIGCONT)
            case "replica started":
                plant.start_replica(fault.target)
            case "replica taken away":
                await plant.take_away(fault.target, hard=fault.hard)
            case "database killed":
                plant.signal("mongod", SIGKILL)
            case "broker killed":
                if plant.forgets:
                    await self._before_it_forgets()
                plant.signal("kafka", SIGKILL)
            case _:
                await _disturb(plant.kafka if fault.target == "kafka" else plant.mongo, fault)


async def _disturb(proxy: Proxy, fault: Fault) -> None:
    match fault.kind.split()[-1]:
        case "delayed":
            proxy.delay(_DELAY_SECONDS[fault.hard])
        case "cut":
            await proxy.cut()
        case "hole":
            proxy.black_hole()
        case "closed":
            proxy.half_close("client" if fault.hard else "server")
    await asyncio.sleep(fault.hold)
    await proxy.mend()
