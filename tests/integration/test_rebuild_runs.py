"""A rebuild as an operator runs it: dry, broken off, on the wrong topics; and whom it tells."""

from datetime import UTC, datetime
from pathlib import Path
from signal import SIGKILL

import pytest

from shared.contracts.identity import UserErased
from shared.contracts.topics import UPDATES
from shared.plumbing.mongo import Client
from shared.plumbing.rebuild import NotRebuildableError
from shared.plumbing.topics import ensure_topics
from tests.servers.embedded import embedded_kafka
from tests.servers.living import Person, ago
from tests.servers.rebuilding import activity_plan, differences, lived, rebuild_process, rebuilt, stored, things_of
from tests.servers.running import Running
from tests.servers.traces import records_of
from tests.waiting import eventually

TIMELINE = ("activities", "choices")


async def told(kafka: str, person: Person) -> int:
    """How often the gateways were told that something of the person's is new."""
    return sum(record.key == person.email.encode() for record in await records_of(kafka, [UPDATES]))


async def test_a_dry_run_changes_nothing_and_a_real_one_tells_whose_timeline_it_put_right(
    activity_service: Running, client: Client, client_settings: dict[str, object], kafka: str, mongo_url: str
) -> None:
    ada, bob, cid = [await lived(activity_service, kafka) for _ in range(3)]
    await bob.tell(UserErased, datetime.now(UTC), reason="asked for")
    await stored(kafka, "activity")
    data = client["activity"]
    whole = await things_of(data, ada.email, TIMELINE)
    await data["activities"].delete_many({"user": ada.email, "low": False})
    spoilt = await things_of(data, ada.email, TIMELINE)
    before = [await told(kafka, person) for person in (ada, bob, cid)]
    plan = activity_plan(client, client_settings, mongo_url)
    report = await rebuilt(plan, kafka, client, dry_run=True)
    assert report.left is None
    assert report.found["activities"].missing >= len(whole["activities"]) - len(spoilt["activities"])
    assert differences(await things_of(data, ada.email, TIMELINE), spoilt) == []
    assert [await told(kafka, person) for person in (ada, bob, cid)] == before
    await rebuilt(plan, kafka, client)
    assert differences(await things_of(data, ada.email, TIMELINE), whole) == []
    to_ada, *to_others = [await told(kafka, person) for person in (ada, bob, cid)]
    assert to_ada > before[0]
    assert to_others == before[1:]
    assert await data["activities"].count_documents({"user": bob.email}) == 0
    forbidden = {"user": ada.email, "low": True, "at": {"$lt": int(ago(40).timestamp() * 1e6)}}
    assert await data["activities"].count_documents(forbidden) == 0


async def test_topics_that_were_made_anew_are_refused(
    activity_service: Running,
    client: Client,
    client_settings: dict[str, object],
    kafka: str,
    mongo_url: str,
    tmp_path: Path,
) -> None:
    ada = await lived(activity_service, kafka)
    await stored(kafka, "activity")
    before = await things_of(client["activity"], ada.email, TIMELINE)
    async with embedded_kafka(tmp_path) as other:
        await ensure_topics(other)
        given = {**client_settings, "kafka_bootstrap_servers": other, "kafka_enable_idempotence": False}
        plan = activity_plan(client, given, mongo_url)
        with pytest.raises(NotRebuildableError):
            await rebuilt(plan, other, client)
    assert differences(await things_of(client["activity"], ada.email, TIMELINE), before) == []


async def test_one_that_was_killed_is_gone_on_with(
    activity_service: Running, client: Client, client_settings: dict[str, object], kafka: str, mongo_url: str
) -> None:
    ada = await lived(activity_service, kafka)
    await stored(kafka, "activity")
    data = client["activity"]
    whole = await things_of(data, ada.email, TIMELINE)
    await data["activities"].delete_many({"user": ada.email, "low": False})
    slow = await rebuild_process(kafka, mongo_url, client_settings, "--rate", "10")
    runs = client["activity-rebuild"]["rebuild"]
    await eventually(lambda: runs.find_one({"positions.0": {"$exists": True}}), timeout=60, what="it has begun")
    slow.send_signal(SIGKILL)
    await slow.wait()
    await runs.update_one({}, {"$set": {"until": datetime.now(UTC)}})  # its lease ends, now that nobody renews it
    report = await rebuilt(activity_plan(client, client_settings, mongo_url), kafka, client)
    assert report.resumed
    assert differences(await things_of(data, ada.email, TIMELINE), whole) == []
