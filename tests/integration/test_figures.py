"""What /metrics says, against what is so. One process at a time: the figures are of the process."""

import math
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families as families
from pydantic import SecretStr

from mycelium.stack.ports import free_ports
from services.profile.consumer import TOPICS
from services.profile.main import build_app
from services.profile.settings import Settings
from services.purchases.vault.data_keys import DataKeys
from services.purchases.vault.envelope import Keks
from services.purchases.vault.make_keys import make_keys
from services.purchases.vault.rewrapping import Rewrapper
from shared.plumbing import metrics, mongo
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database
from tests.integration.test_profile import register
from tests.servers.dashboard import Site, ready, site
from tests.waiting import eventually

Figures = dict[str, float]


async def figures_of(app: Site) -> Figures:
    """All that /metrics says, by name, with the label `check` behind it where there is one."""
    text = (await app.ask("GET", "/metrics")).body.decode()
    samples = [sample for family in families(text) for sample in family.samples]
    return {" ".join([s.name, *(s.labels[n] for n in ("check",) if n in s.labels)]): s.value for s in samples}


async def until(app: Site, holds: Callable[[Figures], bool], what: str) -> Figures:
    found: Figures = {}

    async def is_so() -> bool:
        found.update(await figures_of(app))
        return holds(found)

    await eventually(is_so, what=what)
    return found


async def test_a_process_that_is_well(profile_settings: Settings) -> None:
    async with site(build_app(profile_settings)) as profile:
        await ready(profile)
        held = sum(topic.partitions for topic in TOPICS)
        found = await until(
            profile,
            lambda f: f["mycelium_assigned_partitions"] == held and f["mycelium_consumer_lag_records"] == 0,
            "all partitions are held, and nothing waits",
        )
        assert {found[f"mycelium_check_ok {check}"] for check in ("start", "mongo", "kafka")} == {1}
        await until(profile, lambda f: f["mycelium_outbox_age_seconds"] < 2.5, "the outbox was found empty")


async def test_a_process_whose_broker_is_away(profile_settings: Settings) -> None:
    (nothing_listens,) = free_ports(1)
    alone = profile_settings.model_copy(update={"kafka_bootstrap_servers": f"127.0.0.1:{nothing_listens}"})
    tokens = InternalTokens(profile_settings.internal_key)
    async with site(build_app(alone)) as profile:
        assert (await register(profile, tokens, f"{uuid4().hex}@example.test")).status == 201
        found = await until(
            profile,
            lambda f: f["mycelium_outbox_pending"] >= 1 and f["mycelium_outbox_age_seconds"] > 2.5,
            "what the user did waits, and ages",
        )
        assert (found["mycelium_check_ok mongo"], found["mycelium_check_ok kafka"]) == (1, 0)
        assert math.isnan(found["mycelium_consumer_lag_records"])
        assert found["mycelium_assigned_partitions"] == 0
    async with site(build_app(profile_settings)) as profile:
        await until(
            profile,
            lambda f: f["mycelium_outbox_pending"] == 0 and f["mycelium_outbox_age_seconds"] < 2.5,
            "it is published",
        )


@pytest.mark.parametrize("asked_for", ["here", "elsewhere"])
async def test_an_erasure_that_is_not_done(profile_settings: Settings, client: mongo.Client, asked_for: str) -> None:
    now = datetime.now(UTC)
    long_ago = now - timedelta(hours=2)
    kept: dict[str, dict[str, object]] = {
        "here": {"requested_at": long_ago, "done": {}},
        "elsewhere": {"done": {"activity": long_ago, "purchases": now}},
    }
    async with site(build_app(profile_settings)) as profile:
        erasures, own = client["profile"]["erasures"], {"_id": secrets.token_urlsafe(24)}
        await ready(profile)
        before = await figures_of(profile)
        await erasures.insert_one(kept[asked_for] | own | {"outbox": []})
        found = await figures_of(profile)
        assert found["mycelium_erasures_unfinished"] == before["mycelium_erasures_unfinished"] + 1
        assert 7_200 <= found["mycelium_erasure_age_seconds"] < 7_300
        await erasures.update_one(own, {"$set": {"completed_at": datetime.now(UTC)}})
        after = await figures_of(profile)
        assert after["mycelium_erasures_unfinished"] == before["mycelium_erasures_unfinished"]
        assert after["mycelium_erasure_age_seconds"] < 7_200


async def test_keys_that_need_an_older_kek(database: Database) -> None:
    keys = DataKeys(database, Keks.parse(SecretStr(make_keys()["CREDENTIALS_KEKS"])))
    await database["data_keys"].create_index("kek", name="kek")
    await database["data_keys"].insert_one({"_id": uuid4().hex, "kek": "an older one", "wrapped": b""})
    count = await Rewrapper(keys).pending()
    assert count
    [said] = metrics.KEYS_TO_REWRAP.collect()
    assert said.samples[0].value == count
