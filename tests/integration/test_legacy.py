"""An old file's history shows in the API, once, however often and in however many versions it is imported."""

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from shared.contracts.legacy import LegacyActivityFound
from tests.servers.running import Running
from tests.unit.legacy.files import Json, example, told, transaction
from tests.waiting import eventually

LOGIN = {"activity_type": "Login", "timestamp": "2024-03-07T08:00:00Z", "description": "Signed in"}


async def importing(directory: Path, *arguments: str) -> tuple[int, str]:
    """The exit code of the command, and what it said."""
    environment = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mycelium", "import-legacy", str(directory), *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


def file_of(user: str) -> Json:
    content: Json = orjson.loads(orjson.dumps(example()).replace(b"Ada@Example.org", user.encode()))
    for activity in content["user_activities"]:
        activity["user_email"] = user
    return content


class Shown:
    """What the services show of one user."""

    def __init__(self, activity: Running, purchases: Running, user: str) -> None:
        self._activity, self._purchases, self._user = activity, purchases, user

    async def everything(self) -> Mapping[str, Any]:  # Any: JSON
        paths = ("/purchases", "/wallet", "/wallet/transactions", "/wallet/pools")
        found = {path: await self._purchases.get(path, self._user) for path in paths}
        return found | {"/activities": await self._activity.get("/activities", self._user)}

    async def with_activities(self, number: int) -> Mapping[str, Any]:
        """Everything, once there are so many activities."""

        async def shown() -> Mapping[str, Any]:
            found = await self.everything()
            return found if len(found["/activities"][1]["items"]) >= number else {}

        return await eventually(shown, timeout=60, what=f"{number} activities")


async def test_what_an_old_file_says_is_shown_once(
    activity_service: Running, purchases_service: Running, kafka: str, tmp_path: Path
) -> None:
    user = f"{secrets.token_hex(6)}@example.org"
    shown, path = Shown(activity_service, purchases_service, user), tmp_path / "old.json"
    path.write_bytes(orjson.dumps(file_of(user)))
    assert (await importing(tmp_path, "--kafka", kafka))[0] == 0

    async def wallet_is_there() -> bool:
        return bool((await shown.everything())["/wallet"][1]["transactions"] == 3)

    await eventually(wallet_is_there, timeout=60)
    first = await shown.with_activities(4)  # two of the wallet, the purchase, and the view
    wallet = first["/wallet"][1]
    assert (wallet["balance"], wallet["sequence_gaps"], wallet["difference"]) == ("137.50", [], None)
    [bought] = first["/purchases"][1]["items"]
    assert (bought["id"], bought["product_name"], bought["provider_name"]) == ("tx-2", "Solar Forecast", "Hypha")
    assert (bought["amount"], bought["status"], bought["purchase_date"]) == (
        "42.50",
        "completed",
        "2024-03-02T10:00:00Z",
    )
    [pool] = first["/wallet/pools"][1]["items"]
    assert (pool["pool_id"], pool["current_value"]) == ("pool-green", "21.75")
    kinds = [(item["activity_type"], item["impact_level"]) for item in first["/activities"][1]["items"]]
    assert kinds == [
        ("pool_investment", "high"),
        ("purchase", "high"),
        ("product_view", "low"),
        ("wallet_transaction", "high"),
    ]

    assert (await importing(tmp_path, "--kafka", kafka))[0] == 0
    grown = file_of(user)
    grown["transactions"].append(transaction("tx-9", timestamp="2024-03-07T09:00:00Z", amount="12.50"))
    grown["wallet_balance"] = "150.00"
    grown["user_activities"].append(LOGIN)
    path.write_bytes(orjson.dumps(grown))
    assert (await importing(tmp_path, "--kafka", kafka))[0] == 0
    after = await shown.with_activities(6)
    for name in ("/purchases", "/wallet/transactions", "/activities"):
        items = after[name][1]["items"]
        assert [item for item in items if item in first[name][1]["items"]] == first[name][1]["items"]
    assert len(after["/activities"][1]["items"]) == 6
    assert (after["/wallet"][1]["balance"], after["/wallet"][1]["difference"]) == ("150.00", None)


async def test_what_the_old_file_forbids_to_keep_is_not_kept(
    activity_service: Running, purchases_service: Running, kafka: str, tmp_path: Path
) -> None:
    user = f"{secrets.token_hex(6)}@example.org"
    content = file_of(user)
    content["user_preferences"]["activity_tracking"] = False
    content["user_activities"].append(LOGIN)
    (tmp_path / "old.json").write_bytes(orjson.dumps(content))
    assert (await importing(tmp_path, "--kafka", kafka))[0] == 0
    shown = await Shown(activity_service, purchases_service, user).with_activities(4)
    assert "product_view" not in {item["activity_type"] for item in shown["/activities"][1]["items"]}
    found = [event.data for _, event in told(content) if isinstance(event.data, LegacyActivityFound)]
    assert [data.activity_type for data in found] == ["product_view", "login"]  # it was published, and not kept


async def test_what_the_stack_wrote_names_the_broker_and_a_broken_file_stops_nothing(
    activity_service: Running, purchases_service: Running, kafka: str, tmp_path: Path
) -> None:
    user, directory = f"{secrets.token_hex(6)}@example.org", tmp_path / "user_data"
    directory.mkdir()
    (directory / "a.json").write_bytes(b'{"user_email": "broken@example.org", "transactions": [')
    (directory / "b.json").write_bytes(orjson.dumps(file_of(user)))
    (tmp_path / "stack.json").write_bytes(orjson.dumps({"kafka": kafka}))
    code, said = await importing(directory, "--data-dir", str(tmp_path))
    assert code == 1
    assert "a.json: nothing\n  not read: should be one JSON object" in said
    assert said.endswith("2 files: 1 whole, 0 in part, 1 not at all; 7 events published\n")
    assert "@" not in said
    await Shown(activity_service, purchases_service, user).with_activities(4)


async def test_a_broker_that_is_away_is_said_in_plain_words(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(orjson.dumps(example()))
    code, said = await importing(tmp_path, "--kafka", "127.0.0.1:1")
    assert code == 1
    assert "The broker" in said
    assert "Traceback" not in said
