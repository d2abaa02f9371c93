"""A user's whole way through a stack: they come, settle in, change their mind, take their data along, leave, return."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest_asyncio

from mycelium.stack.broker import CLIENT_SETTINGS
from shared.contracts.topics import (
    GATEWAY,
    IDENTITY,
    MARKETPLACE,
    PROFILE,
    PURCHASES,
    SERVICES,
    TOPICS,
    WALLET,
    dead_letters,
)
from shared.plumbing.publish import Publisher, Record
from shared.plumbing.settings import ProcessSettings
from tests.servers.dashboard import API, Reply, Site
from tests.servers.running import publishing
from tests.servers.traces import is_read, records_of, traces_in_databases, traces_in_records
from tests.servers.up import Up, mycelium_up
from tests.waiting import eventually

Json = dict[str, Any]  # Any: JSON
OLD, NEW = "correct horse battery", "staple correct horse"
OF_USERS = (IDENTITY, MARKETPLACE, WALLET, PROFILE, PURCHASES, GATEWAY)
LETTERS = [dead_letters(service) for service in SERVICES]
READ_BY = {service: [topic for topic in TOPICS if service in topic.consumers] for service in SERVICES}
OF_THE_MOMENT = ("activity_patterns", "last_calculated", "deployment_stats")  # of the figures
LASTING = ("total_deployments", "active_deployments", "monthly_costs")  # the others grow while something runs
LISTS = ("/purchases", "/deployments", "/wallet/transactions", "/wallet/pools")


@dataclass
class Leaver:
    """The user, at a stack that may be another one after a while. `marks` are texts that nothing but they have."""

    http: aiohttp.ClientSession
    up: Up
    name: str = "ada.lovelace"
    password: str = OLD
    token: str = ""
    marks: list[str] = field(default_factory=list)

    @property
    def email(self) -> str:
        return f"{self.name}@example.test"

    async def ask(self, method: str, path: str, body: object = None, *, token: str | None = None, **how: Any) -> Reply:
        """What the gateway answers, whatever it is."""
        site = Site(self.up.stack["gateway"], self.http)
        return await site.ask(method, f"{API}{path}", token=self.token if token is None else token, json=body, **how)

    async def get(self, path: str) -> Any:
        """What is there."""
        reply = await self.ask("GET", path)
        assert reply.status == 200, reply.body
        return reply.json

    async def does(self, status: int, method: str, path: str, body: object = None) -> Any:
        """What came of something that is answered by `status`."""
        reply = await self.ask(method, path, body)
        assert reply.status == status, reply.body
        return reply.json

    async def register(self) -> None:
        account = {"email": self.email, "password": self.password, "display_name": self.name, "country": "BE"}
        await self.does(201, "POST", "/auth/register", account)

    async def log_in(self) -> str:
        """A token of a new session."""
        account = {"email": self.email, "password": self.password}
        token: str = (await self.does(200, "POST", "/auth/login", account))["access_token"]
        return token

    async def timeline(self, *types: str) -> list[Json]:
        """The newest activities of these types, of all types if none is named."""
        query = "&".join(["limit=200", *(f"type={each}" for each in types)])
        items: list[Json] = (await self.get(f"/activities?{query}"))["items"]
        return items

    async def sees(self, type: str, number: int, says: str = "") -> list[Json]:
        """Waits until the timeline has so many activities of a type, `says` in each."""

        async def seen() -> list[Json]:
            found = [item for item in await self.timeline(type) if says in item["description"]]
            return found if len(found) == number else []

        return await eventually(seen, timeout=60, what=f"{number} of {type} in the timeline")

    async def views(self, product: str) -> None:
        """Reports that they look at a product, as the pages do."""
        seen = {"activity_type": "product_view", "description": f"Looked at {product}", "related_entity_id": product}
        await self.does(202, "POST", "/activities", seen | {"related_entity_type": "product"})

    async def history(self) -> Json:
        """What they bought, run and paid, and what that comes to."""
        usage = await self.get("/analytics/usage")
        figures = {name: value for name, value in usage.items() if name not in OF_THE_MOMENT}
        figures |= {name: usage["deployment_stats"][name] for name in LASTING}
        lists = {path: (await self.get(f"{path}?limit=200"))["items"] for path in LISTS}
        return lists | {"figures": figures}


@pytest_asyncio.fixture(loop_scope="session")
async def up(tmp_path: Path) -> AsyncIterator[Up]:
    """A stack of this test's own, which it ends and starts again."""
    async with mycelium_up(tmp_path / "data", "--no-demo") as up:
        await up.is_up()
        yield up


async def test_come_settle_in_take_all_along_leave_and_come_back(http: aiohttp.ClientSession, up: Up) -> None:
    ada = Leaver(http, up)
    await signs_up_and_in(ada)
    await sets_up(ada)
    await lives(ada)
    await changes_their_mind(ada)
    await changes_the_password(ada)
    file, before = await takes_a_copy_and_puts_it_back(ada)
    await poisons(ada)
    said = await records_about(ada)
    await leaves(ada)
    await nothing_is_left_of(ada)
    await replay(ada, said)
    await nothing_is_left_of(ada)

    assert await up.stop() == 0
    assert traces_in_files(up.data, ada.marks) == []
    async with mycelium_up(up.data, "--no-demo") as again:
        await again.is_up()
        ada.up = again
        await replay(ada, said)
        await nothing_is_left_of(ada)
        await comes_back(ada)
        await replay(ada, said)
        await is_new(ada)
        await brings_it_back(ada, file, before)
        assert await again.stop() == 0


async def signs_up_and_in(ada: Leaver) -> None:
    await ada.register()
    assert (await ada.ask("POST", "/auth/login", {"email": ada.email, "password": NEW})).status == 401
    ada.token = await ada.log_in()
    phone = await ada.log_in()
    sessions = (await ada.get("/sessions"))["items"]
    [other] = [session["id"] for session in sessions if not session["current"]]
    await ada.does(204, "DELETE", f"/sessions/{other}")
    assert (await ada.ask("GET", "/profile", token=phone)).status == 401
    assert len((await ada.get("/sessions"))["items"]) == 1
    await ada.sees("login", 2)
    await ada.sees("logout", 1)
    ada.marks += [ada.name, phone, ada.token, other, *(session["id"] for session in sessions)]


async def sets_up(ada: Leaver) -> None:
    profile = await ada.ask("GET", "/profile")
    assert (profile.json["display_name"], profile.json["country"]) == (ada.name, "BE")
    card = {"bio": f"The bio of {ada.name}.", "timezone": "Europe/Brussels", "profile_visibility": "public"}
    fits = {"If-Match": profile.headers["ETag"]}
    assert (await ada.ask("PATCH", "/profile", card, headers=fits)).status == 200
    assert (await ada.ask("PATCH", "/profile", card, headers=fits)).status == 412
    await ada.does(200, "PATCH", "/preferences", {"theme": "dark", "items_per_page": 25})
    await ada.sees("profile_update", 1)
    await ada.sees("preferences_update", 1)
    ada.marks += [profile.json["user_id"]]


async def lives(ada: Leaver) -> None:
    """Two months at the marketplace, a budget, and a rating of their own."""
    who = ("--users", "0", "--user", ada.email, "--seed", "1", "--kafka", ada.up.stack["kafka"])
    when = ("--days", "60", "--until", "2025-09-01T00:00:00Z")  # always the same two
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mycelium", "simulate", *who, *when),
        env={**os.environ, **CLIENT_SETTINGS},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0
    await everything_is_read(ada)
    bought = await ada.get("/purchases?limit=200")
    assert len(bought["items"]) >= 3
    await ada.does(200, "PUT", "/analytics/budget", {"monthly_limit": "60", "currency": "TFP"})
    rated = len(await ada.timeline("service_rating"))
    first = bought["items"][-1]["id"]
    await ada.does(200, "PUT", f"/purchases/{first}/rating", {"rating": 4, "review": f"Says {ada.name}."})
    await ada.sees("service_rating", rated + 1)
    assert (await ada.get("/analytics/usage"))["total_purchases"] >= 1
    ids = {"/purchases": "id", "/deployments": "deployment_id", "/wallet/transactions": "transaction_id"}
    history = await ada.history()
    ada.marks += [item[name] for path, name in ids.items() for item in history[path]]


async def changes_their_mind(ada: Leaver) -> None:
    """Consent off: what is of low impact goes and does not come back; on again: it is kept from then on."""
    assert await ada.timeline("product_view", "marketplace_browse")
    await ada.does(200, "PATCH", "/preferences", {"activity_tracking": False})
    await ada.sees("preferences_update", 2)
    await eventually(lambda: has_none(ada, "product_view", "marketplace_browse"), what="low activities are gone")
    await ada.views("forbidden")
    await everything_is_read(ada)
    assert await ada.timeline("product_view", "marketplace_browse") == []
    await ada.does(200, "PATCH", "/preferences", {"activity_tracking": True})
    await ada.sees("preferences_update", 3)
    await ada.views("allowed")
    await ada.sees("product_view", 1, "allowed")
    assert len(await ada.timeline("product_view")) == 1


async def has_none(ada: Leaver, *types: str) -> bool:
    return not await ada.timeline(*types)


async def changes_the_password(ada: Leaver) -> None:
    phone = await ada.log_in()
    assert (await ada.ask("POST", "/auth/password", {"old": NEW, "new": OLD})).status == 403
    await ada.does(204, "POST", "/auth/password", {"old": OLD, "new": NEW})
    assert (await ada.ask("GET", "/profile", token=phone)).status == 401
    assert (await ada.ask("POST", "/auth/login", {"email": ada.email, "password": OLD})).status == 401
    ada.password = NEW
    await ada.sees("profile_update", 2)
    ada.marks.append(phone)


async def takes_a_copy_and_puts_it_back(ada: Leaver) -> tuple[bytes, Json]:
    """The file, and what is shown then."""
    copy = await ada.ask("GET", "/export")
    assert copy.status == 200
    counts = copy.json["manifest"]["counts"]
    assert {part for part, items in counts.items() if items} >= counts.keys() - {"commands", "health"}, counts
    await ada.sees("data_export", 1)
    before = await ada.history()
    assert await imported(ada, copy.body) == 0
    await ada.sees("data_import", 1)
    assert await ada.history() == before
    return copy.body, before


async def imported(ada: Leaver, file: bytes) -> int:
    """How much was not there, of a file that was taken in."""
    site = Site(ada.up.stack["gateway"], ada.http)
    how = {"headers": {"Content-Type": "application/json"}, "data": file}
    reply = await site.ask("POST", f"{API}/import", token=ada.token, **how)
    assert reply.status == 200, reply.body
    added: int = reply.json["added"]
    return added


async def poisons(ada: Leaver) -> None:
    """A record about them that nobody can use."""
    async with publisher_of(ada.up) as publisher:
        await publisher.records([(MARKETPLACE.name, ada.email.encode(), b"no JSON", ())])

    async def is_kept() -> bool:
        letters = await records_of(ada.up.stack["kafka"], LETTERS)
        return {r.topic for r in traces_in_records(letters, ada.marks)} >= {"activity.dead-letters"}

    await eventually(is_kept, timeout=60, what="the dead letter")


async def records_about(ada: Leaver) -> Sequence[Record]:
    """All that the topics of users hold of them."""
    await everything_is_read(ada)
    said = traces_in_records(await records_of(ada.up.stack["kafka"], OF_USERS), ada.marks)
    assert {record.topic for record in said} == {topic.name for topic in OF_USERS}
    return said


async def leaves(ada: Leaver) -> None:
    """The password is asked, the token is dead at once, and every service answers."""
    other = await ada.log_in()
    assert (await ada.ask("DELETE", "/account", {"password": OLD})).status == 403
    await ada.get("/profile")
    left = await ada.ask("DELETE", "/account", {"password": ada.password})
    assert left.status == 202
    for dead in (ada.token, other):
        assert (await ada.ask("GET", "/profile", token=dead)).status == 401
    assert (await ada.ask("POST", "/auth/login", {"email": ada.email, "password": ada.password})).status == 401
    ada.token = ""
    assert left.headers["Location"] == f"{API}/erasures/{left.json['erasure_id']}"
    assert left.json["state"] in ("pending", "completed")

    async def completed() -> Json:
        state: Json = await ada.get(f"/erasures/{left.json['erasure_id']}")
        return state if state["state"] == "completed" else {}

    done = await eventually(completed, timeout=60, what="every service has answered")
    assert {service for service, at in done["services"].items() if at} == set(SERVICES)


async def nothing_is_left_of(ada: Leaver) -> None:
    stack = ada.up.stack
    assert await traces_in_databases(stack["mongo"], SERVICES, ada.marks) == []
    letters = traces_in_records(await records_of(stack["kafka"], LETTERS), ada.marks)
    assert [letter.topic for letter in letters] == []


def traces_in_files(data: Path, marks: Sequence[str]) -> list[str]:
    """The logs and what is carried over to the next start."""
    files = [*(data / "logs").iterdir(), data / "carried.jsonl"]
    return [f"{file.name}: {mark}" for file in files for mark in marks if mark.encode() in file.read_bytes()]


async def replay(ada: Leaver, said: Sequence[Record]) -> None:
    """All of it again, as it was."""
    async with publisher_of(ada.up) as publisher:
        await publisher.records((r.topic, r.key, r.value or b"", r.headers) for r in said)
    await everything_is_read(ada)


def publisher_of(up: Up) -> AbstractAsyncContextManager[Publisher]:
    settings = {"port": 1, "kafka_bootstrap_servers": up.stack["kafka"], "internal_key": "x" * 32}
    return publishing(ProcessSettings.model_validate(settings | {"kafka_enable_idempotence": False}))


async def everything_is_read(ada: Leaver) -> None:
    for service, topics in READ_BY.items():
        read = partial(is_read, ada.up.stack["kafka"], service, topics)
        await eventually(read, timeout=60, what=f"{service} has stored all of it")


async def comes_back(ada: Leaver) -> None:
    await ada.register()
    ada.token = await ada.log_in()
    await is_new(ada)


async def is_new(ada: Leaver) -> None:
    """Nothing but what they did since they came back."""
    history = await ada.history()
    assert [history[path] for path in LISTS] == [[]] * len(LISTS)
    await ada.sees("login", 1)
    assert {item["activity_type"] for item in await ada.timeline()} == {"login"}
    profile, preferences = await ada.get("/profile"), await ada.get("/preferences")
    assert (profile["bio"], profile["profile_visibility"], preferences["theme"]) == (None, "private", "auto")
    assert profile["user_id"] not in ada.marks
    assert history["figures"]["total_purchases"] == 0
    assert (await ada.ask("GET", "/analytics/budget")).status == 404


async def brings_it_back(ada: Leaver, file: bytes, before: Json) -> None:
    assert await imported(ada, file) > 0
    assert await ada.history() == before
    parts = orjson.loads(file)["parts"]
    assert (await ada.get("/profile"))["bio"] == parts["profile"][0]["bio"]
    assert (await ada.get("/preferences"))["theme"] == "dark"
    assert (await ada.get("/analytics/budget"))["monthly_limit"] == "60.00"
    assert {item["id"] for item in await ada.timeline()} >= {item["id"] for item in parts["activities"]}
    assert await imported(ada, file) == 0
