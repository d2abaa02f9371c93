"""What a retention has removed is no longer in any topic: a rebuild keeps what it told, and says so.

Only a broker that can delete records has lost them by a retention; on the embedded one this file is not collected.
"""

import re
from asyncio.subprocess import PIPE

from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from services.activity.consumer import TOPICS
from shared.contracts.identity import UserLoggedIn
from shared.plumbing.mongo import Client
from shared.plumbing.scan import Ends, scan
from tests.servers.living import Person, ago
from tests.servers.rebuilding import rebuild_process, stored
from tests.servers.running import Running


async def expire(kafka: str) -> None:
    """Has the activity service's topics lose all that they hold."""
    ends: Ends = {}
    async for _ in scan(kafka, TOPICS, ends):
        pass
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({partition: RecordsToDelete(end) for partition, end in ends.items() if end})
    await admin.close()


async def ids_of(client: Client, **where: str) -> list[str]:
    return sorted([d["_id"] async for d in client["activity"]["activities"].find(where)])


async def test_what_no_topic_holds_any_more_is_kept_and_the_command_says_so(
    activity_service: Running, client: Client, client_settings: dict[str, object], kafka: str, mongo_url: str
) -> None:
    ada = Person(activity_service)
    for days in (30, 29, 28):
        await ada.tell(UserLoggedIn, ago(days), session_id="old")
    await stored(kafka, "activity")
    await expire(kafka)
    for days in (3, 2, 1):
        await ada.tell(UserLoggedIn, ago(days), session_id="new")
    await stored(kafka, "activity")
    activities = client["activity"]["activities"]
    old, new = [await ids_of(client, user=ada.email, session=session) for session in ("old", "new")]
    await activities.delete_many({"_id": {"$in": [old[0], new[0]]}})
    await activities.update_many({"_id": {"$in": [old[1], new[1]]}}, {"$set": {"description": "spoilt"}})
    run = await rebuild_process(kafka, mongo_url, client_settings, output=PIPE)
    said, wrong = [text.decode() for text in await run.communicate()]
    assert (run.returncode, wrong) == (0, "")
    kept = r"The retention of .*identity\.events.* has passed: what is from before .* UTC and told by no event"
    assert re.search(kept, said), said
    assert await ids_of(client, user=ada.email) == sorted([*old[1:], *new])
    assert await ids_of(client, user=ada.email, description="spoilt") == [old[1]]
