"""A rebuild of a service's projection, and what it is held against."""

import asyncio
import sys
from collections.abc import Collection, Mapping
from typing import Any

from mycelium.stack.services import environment
from services.activity import rebuild as activity_rebuild
from services.activity.settings import Settings as ActivitySettings
from shared.contracts.identity import UserLoggedIn, UserRegistered
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.topics import EVENT_TOPICS
from shared.plumbing.mongo import Client, Database, Document
from shared.plumbing.publish import Publisher
from shared.plumbing.rebuild import Plan, Rebuild, Report
from shared.plumbing.rebuild_shadow import database_of
from shared.plumbing.settings import KafkaSettings
from tests.servers.living import Person, ago
from tests.servers.running import Running
from tests.servers.traces import is_read
from tests.waiting import eventually

FAST = 100_000
_VOLATILE = ("version", "outbox", "decisive", "loads", "stored")

Things = dict[str, dict[Any, Document]]


def activity_plan(client: Client, settings: Mapping[str, object], url: str) -> Plan:
    given = ActivitySettings.model_validate({**settings, "mongo_url": url})
    return activity_rebuild.plan(given, client["activity"], database_of(client, "activity"))


async def rebuilt(plan: Plan, kafka: str, client: Client, *, dry_run: bool = False) -> Report:
    publisher = Publisher(plan.service, KafkaSettings(kafka_bootstrap_servers=kafka, kafka_enable_idempotence=False))
    await publisher.start()
    try:
        return await Rebuild(plan, kafka, client, publisher, FAST, lambda *_: None).run(dry_run=dry_run)
    finally:
        await publisher.stop()


async def rebuild_process(
    kafka: str, mongo_url: str, settings: Mapping[str, object], *options: str, output: int | None = None
) -> asyncio.subprocess.Process:
    """`mycelium rebuild activity` as an operator starts it; `output` is as asyncio has it, for both streams."""
    argv = (sys.executable, "-m", "mycelium", "rebuild", "activity", "--kafka", kafka, "--mongo", mongo_url, *options)
    given = environment() | {name.upper(): str(value) for name, value in settings.items()}
    return await asyncio.create_subprocess_exec(*argv, env=given, stdout=output, stderr=output)


async def lived(service: Running, kafka: str) -> Person:
    """Somebody new with a little of everything."""
    person = Person(service)
    await person.tell(UserRegistered, ago(60), display_name="Ada", timezone="Europe/Paris")
    await person.tell(PreferencesUpdated, ago(50), changed=["activity_tracking"], activity_tracking=False)
    await person.tell(PreferencesUpdated, ago(40), changed=["activity_tracking"], activity_tracking=True)
    await stored(kafka, service.name)  # what is not allowed as far as is known is not kept, whatever comes later
    for n in range(8):
        bought = f"b{n}"
        await person.buy(bought, "10.00", ago(35 - n))
        await person.deploy(bought, ago(34 - n), monthly_cost="3.00")
        await person.report_health(bought, ago(3 + n / 10), 20.0, healthy=n % 2 == 0)
        await person.post("100", f"{100 * (n + 1)}", ago(33 - n))
        await person.look(f"p-{n}", ago(20 - n), session=f"s-{n}")
        await person.look(f"p-{n}", ago(45 + n / 10))  # while that was not allowed
        await person.tell(UserLoggedIn, ago(19 - n), session_id=f"s-{n}")
    await person.move("b1", "cancelled", ago(5))
    await person.refund("b2", "4.00", ago(4))
    await person.rate("b3", 4.5, ago(3))
    return person


async def things_of(database: Database, email: str, collections: Collection[str]) -> Things:
    """What is kept of somebody, without what differs between two right ones."""
    where = {"$or": [{"user": email}, {"_id": email}]}
    return {name: {d.pop("_id"): _told(d) async for d in database[name].find(where)} for name in collections}


def _told(document: Document) -> Document:
    told = {name: value for name, value in document.items() if name not in _VOLATILE}
    if "choices" in told:
        told["choices"] = sorted(told["choices"], key=lambda choice: choice["at"])
    return told


def differences(found: Things, expected: Things) -> list[tuple[str, Any, Document | None, Document | None]]:
    """What is not the same in both, a few of them: pytest would take minutes to compare all."""
    return [
        (name, key, things.get(key), expected[name].get(key))
        for name, things in found.items()
        for key in {**things, **expected[name]}
        if things.get(key) != expected[name].get(key)
    ][:3]


async def stored(kafka: str, service: str) -> None:
    topics = [topic for topic in EVENT_TOPICS if service in topic.consumers]
    await eventually(lambda: is_read(kafka, service, topics), timeout=60, interval=0.2, what="everything is read")
