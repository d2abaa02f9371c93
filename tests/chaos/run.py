"""One run: the plant is started, the load published, the faults done; then everything is compared."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from aiokafka.errors import KafkaError
from pydantic import SecretStr

from shared.plumbing.internal_auth import InternalTokens
from tests.chaos.asking import Viewer
from tests.chaos.check import wrong_of_letters, wrong_of_products, wrong_of_users
from tests.chaos.faults import Faults
from tests.chaos.load import Load, load
from tests.chaos.plant import Broker, Plant, running
from tests.chaos.publishing import Publishing
from tests.chaos.schedule import Episode, schedule
from tests.chaos.topics import Snapshot, snapshot
from tests.chaos.truth import Truth
from tests.leaks import find_leaks
from tests.waiting import eventually

Say = Callable[[str], None]
_DASHBOARD_USER: Final = "dashboard.user@example.org"
_PASSWORD: Final = "correct horse battery staple"
_DATABASE_LOG: Final = "/mongod.log:"  # a query that is interrupted is in it, and nothing can be done about that
_DONE_SECONDS: Final = 600.0
_STEP_SECONDS: Final = 0.2
_SNAPSHOT_TRIES: Final = 5
_SNAPSHOT_SECONDS: Final = 60.0


@dataclass
class Report:
    """What a run held. Times in seconds; `ended` are the processes that ended without being asked to.

    `planned` faults were to be done, `faults` are those that were, by kind; the others found their process away.
    """

    seed: int
    kafka: Broker
    planned: int
    faults: Counter[str] = field(default_factory=Counter)
    records: int = 0
    users: int = 0
    hostile: int = 0
    again: int = 0
    seconds: float = 0.0
    recoveries: list[float] = field(default_factory=list)
    letters: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


async def run(seed: int, faults: int, events: int, kafka: Broker, folder: Path, say: Say) -> Report:
    """Runs it in `folder`. What is wrong at the end is in the report; raises AssertionError if there is no end."""
    episodes = schedule(seed, faults)
    whole = load(seed, events, _DASHBOARD_USER)
    report = Report(seed, kafka, faults)
    report.records, report.users, report.hostile = len(whole.records), len(whole.truths), len(whole.bad)
    say(f"{report.records:,} records of {report.users} users, {report.hostile} of them hostile")
    began = time.monotonic()
    async with running(kafka, folder, say) as plant:
        token = await _sign_up(plant, whole.truths[_DASHBOARD_USER])
        going = _Run(plant, whole, say)
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(going.publishing.run())
            report.recoveries = await going.holds(episodes)
            await going.comes_to_rest()
            publishing.cancel()
        say("all is stored; comparing")
        report.wrong = [*await _wrong_of_users(plant, whole, token), *wrong_of_letters(going.snapshots, whole.bad)]
    report.faults, report.again, report.ended = going.faults.held, going.publishing.again, plant.ended
    report.letters = Counter({service: len(each) for service, each in going.snapshots[-1].letters.items()})
    report.seconds = time.monotonic() - began
    leaks = find_leaks(plant.data.logs, [_PASSWORD, *plant.data.secrets().values()])
    report.wrong += [leak for leak in leaks if _DATABASE_LOG not in leak]
    return report


class _Run:
    """What goes on while it runs. `snapshots` are of each broker that forgot, just before, and of the last one."""

    def __init__(self, plant: Plant, whole: Load, say: Say) -> None:
        self._plant, self._whole, self._say = plant, whole, say
        self.publishing = Publishing(plant.addresses.kafka, whole.records, idempotence=not plant.forgets)
        self.faults = Faults(plant, self._before_it_forgets)
        self.snapshots = list[Snapshot]()
        plant.broker_is_gone, plant.broker_is_there = self._broker_is_gone, self.publishing.broker_is_there
        self.publishing.broker_is_there()

    async def holds(self, episodes: Sequence[Episode]) -> list[float]:
        """Has a part of the records published with each episode; how many seconds everything took to recover."""
        recoveries = list[float]()
        for number, episode in enumerate(episodes, 1):
            part = len(self._whole.records) * number // len(episodes)
            await asyncio.gather(self.faults.hold(episode), self._publishes_meanwhile(part, episode))
            recoveries.append(await self._plant.recovered())
            what = ", ".join(f"{fault.kind} ({fault.target})" for fault in episode)
            done = f"{len(self.publishing.acknowledged):,} records"
            self._say(f"{number}/{len(episodes)}  {done}  {what}: all ready again after {recoveries[-1]:.1f} s")
        return recoveries

    async def _publishes_meanwhile(self, until: int, episode: Episode) -> None:
        """Bit by bit, so that each fault of the episode finds something under way."""
        begin, steps = self.publishing.allowed, int(max(f.after + f.hold for f in episode) / _STEP_SECONDS) + 1
        for step in range(1, steps + 1):
            self.publishing.allow(begin + (until - begin) * step // steps)
            await asyncio.sleep(_STEP_SECONDS)

    async def comes_to_rest(self) -> None:
        """Waits until all is published and stored by one process of each service."""
        for name in self._plant.replicas:
            await self._plant.take_away(name, hard=False)
        await eventually(lambda: self.publishing.is_done, timeout=_DONE_SECONDS, what="all records are published")
        await self._plant.recovered()
        self.snapshots.append(await eventually(self._at_rest, timeout=_DONE_SECONDS, what="all records are stored"))

    async def _at_rest(self) -> Snapshot:
        assert await self._plant.is_at_rest(_DONE_SECONDS), "a service has something left to do"
        found = await self._snapshot()
        assert found.all_is_stored, "a group has not committed all"
        return found

    async def _before_it_forgets(self) -> None:
        self.snapshots.append(await self._snapshot())

    async def _snapshot(self) -> Snapshot:
        """The network may be out of order just then, and a client may wait for an answer that never comes."""
        for _ in range(_SNAPSHOT_TRIES - 1):
            with suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(_SNAPSHOT_SECONDS):
                    return await snapshot(self._plant.addresses.kafka, self._whole.bad)
            self._say("the topics could not be read; again")
        return await snapshot(self._plant.addresses.kafka, self._whole.bad)

    async def _broker_is_gone(self) -> None:
        await self.publishing.broker_is_gone(self.snapshots[-1].stored_up_to if self.snapshots else {})


async def _sign_up(plant: Plant, truth: Truth) -> str:
    """An account, at the gateway, for the user whom the check asks the gateway about; a token for it."""
    api = f"{plant.urls['gateway']}/api/v1"
    credentials = {"email": _DASHBOARD_USER, "password": _PASSWORD}
    account = credentials | {"display_name": truth.name, "country": truth.country, "timezone": truth.zone}
    async with plant.http.post(f"{api}/auth/register", json=account, raise_for_status=True):
        pass
    async with plant.http.post(f"{api}/auth/login", json=credentials, raise_for_status=True) as answer:
        token: str = (await answer.json())["access_token"]
    return token


async def _wrong_of_users(plant: Plant, whole: Load, token: str) -> list[str]:
    tokens = InternalTokens(SecretStr(plant.data.secrets()["INTERNAL_KEY"]))
    viewers = {
        user: Viewer(plant.http, plant.urls.__getitem__, partial(tokens.sign, user=user)) for user in whole.truths
    }
    gateway = f"{plant.urls['gateway']}/api/v1"
    viewers[_DASHBOARD_USER] = Viewer(plant.http, lambda _: gateway, lambda _: token)
    users = await wrong_of_users(viewers, whole.truths, whole.until)
    return [*users, *await wrong_of_products(viewers[_DASHBOARD_USER], whole.catalogue)]
