"""Doing a fault to the plant, and undoing it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from typing import Final

from tests.chaos.plant import Plant
from tests.chaos.schedule import Episode, Fault
from tests.servers.proxy import Proxy

_DELAY_SECONDS: Final = (0.05, 0.4)  # of each direction: a bad network, or one that nobody can work with


class Faults:
    """Does faults to `plant`, and counts them in `held` by kind, but for those that found their process away already.

    `before_it_forgets` is awaited when a broker that forgets is about to be killed.
    """

    def __init__(self, plant: Plant, before_it_forgets: Callable[[], Awaitable[None]]) -> None:
        self._plant, self._before_it_forgets = plant, before_it_forgets
        self.held: Counter[str] = Counter()

    async def hold(self, episode: Episode) -> None:
        """All faults of an episode, each done and undone at its time."""
        async with asyncio.TaskGroup() as group:
            for fault in episode:
                group.create_task(self._at_its_time(fault))

    async def _at_its_time(self, fault: Fault) -> None:
        await asyncio.sleep(fault.after)
        was_done = await self._do(fault)  # first: others are counted meanwhile
        self.held[fault.kind] += was_done

    async def _do(self, fault: Fault) -> bool:
        """Whether there was anybody to do it to."""
        plant = self._plant
        match fault.kind:
            case "service killed":
                return plant.signal(fault.target, SIGKILL)
            case "service killed while it writes":
                plant.mongo.delay(max(_DELAY_SECONDS))
                await asyncio.sleep(fault.hold)
                was_there = plant.signal(fault.target, SIGKILL)
                await plant.mongo.mend()
                return was_there
            case "service told to end":
                return plant.signal(fault.target, SIGTERM)
            case "service paused":
                was_there = plant.signal(fault.target, SIGSTOP)
                await asyncio.sleep(fault.hold)
                plant.signal(fault.target, SIGCONT)
                return was_there
            case "replica started":
                plant.start_replica(fault.target)
            case "replica taken away":
                await plant.take_away(fault.target, hard=fault.hard)
            case "database killed":
                return plant.signal("mongod", SIGKILL)
            case "broker killed":
                if plant.forgets:
                    await self._before_it_forgets()
                return plant.signal("kafka", SIGKILL)
            case _:
                await _disturb(plant.kafka if fault.target == "kafka" else plant.mongo, fault)
        return True


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
