"""A run of the simulator: the part of the timeline that is due, published at its pace until it ends or is stopped."""

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mycelium.simulator.desk import Desk
from mycelium.simulator.diary import Entry
from mycelium.simulator.moments import to_ms, to_time
from mycelium.simulator.publishing import Publisher
from mycelium.simulator.scenario import Scenario, Stretch
from mycelium.simulator.state import State
from mycelium.simulator.world import World
from shared.plumbing.waiting import set_within

_LEASE = timedelta(seconds=10)
_LIVE_RATE = 1.0  # events a second: less looks dead, more is more than one can read
_WORTH_SETTLING = 0.05  # seconds: in a pause of at least that, what was sent is acknowledged and in the ledger
_BREATHE_EVERY = 500  # events: then the loop may see a signal, and the progress is shown
_FOR_EVER = 1e9  # seconds

Progress = Callable[[datetime], None]


class Run:
    """Publishes one scenario. `rate` is in events a second, 0 for no limit; `stop` ends it early.

    `state` is brought up to date, and saved to `state_file` where there is one. `desk` knows what is published.
    """

    def __init__(
        self,
        scenario: Scenario,
        state: State,
        publisher: Publisher,
        stop: asyncio.Event,
        *,
        rate: float = 0,
        state_file: Path | None = None,
    ) -> None:
        self._scenario, self._state, self._state_file = scenario, state, state_file
        self._publisher, self._stop, self._rate = publisher, stop, rate
        self._world = World(scenario)
        self.desk = Desk(scenario, state.overlay)

    async def history(self, progress: Progress = lambda _: None) -> bool:
        """Publishes what is not published yet of the time up to the scenario's `until`; whether it came to the end.

        `progress` is told now and then how far it has come.
        """
        self.save()
        return await self._publish(self._world.advance(self._scenario.until), self._scenario.until, progress)

    async def live(self, seconds: float, beside: AbstractAsyncContextManager[None] | None = None) -> None:
        """After the history: what was missed up to now, then for so many seconds each event when it happens.

        `beside` is entered for that second part, in which the desk can be asked.
        """
        start = _now()
        if await self._publish(self._world.replay(self._state.stretches, start), start, lambda _: None):
            end = start + timedelta(seconds=min(seconds, _FOR_EVER))
            async with beside or nullcontext():
                await self._stretch(Stretch(start, self._rate or _LIVE_RATE), end)

    async def _publish(self, entries: Iterable[Entry], until: datetime, progress: Progress) -> bool:
        """All of `entries`, which end at `until`, but those published before; whether it was not stopped."""
        began, sent, published = time.monotonic(), 0, self._state.published
        for number, (topic, event) in enumerate(entries):
            if number % _BREATHE_EVERY == 0:
                await asyncio.sleep(0)
                progress(event.time)
            if event.time < published:
                self.desk.pass_on((topic, event))
                continue
            if await self._stopped_within(began + sent / self._rate - time.monotonic() if self._rate else 0):
                await self._settle_at(event.time)
                return False
            await self._send((topic, event))
            sent += 1
        await self._settle_at(max(published, until))
        return True

    async def _stretch(self, stretch: Stretch, end: datetime) -> None:
        self._world.go_live(stretch)
        leased = self._lease(stretch, stretch.start)
        for topic, event in self._world.advance(None):
            wait = (min(event.time, end) - _now()).total_seconds()
            if await self._stopped_within(wait) or event.time >= end:
                break
            if event.time >= leased:
                await self._publisher.settle()
                leased = self._lease(stretch, event.time)
            await self._send((topic, event))
        position = min(event.time, end, _now())
        self._state.lease(stretch.start, stretch.rate, position)
        await self._settle_at(position)

    async def _send(self, entry: Entry) -> None:
        for topic, event in self.desk.pass_on(entry):
            await self._publisher.send(topic, event)

    async def _stopped_within(self, seconds: float) -> bool:
        """Waits for that long (not at all if it is negative); whether the run is to stop."""
        if seconds > _WORTH_SETTLING:
            await self._publisher.settle()
        return self._stop.is_set() if seconds <= 0 else await set_within(self._stop, seconds)

    def _lease(self, stretch: Stretch, position: datetime) -> datetime:
        """Notes that everything before `position` is published, and that the stretch goes on for a lease after it."""
        end = position + _LEASE
        self._state.lease(stretch.start, stretch.rate, end)
        self._state.published = position
        self.save()
        return end

    async def _settle_at(self, position: datetime) -> None:
        await self._publisher.settle()
        self._state.published = position
        self.save()

    def save(self) -> None:
        """Writes down how far it has come, where there is a file for it."""
        if self._state_file:
            self._state.save(self._state_file)


def _now() -> datetime:
    """Now, to the millisecond of the simulated time."""
    return to_time(to_ms(datetime.now(UTC)))
