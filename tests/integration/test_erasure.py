"""Who was erased is gone from every service that reads what happens, and no replay brings anything back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from signal import SIGKILL, SIGTERM

import orjson
import pytest_asyncio
from pydantic import SecretStr

from services.activity.consumer import TOPICS as ACTIVITY_TOPICS
from services.activity.settings import Settings
from services.analytics.consumer import TOPICS as ANALYTICS_TOPICS
from services.purchases.consumer import TOPICS as PURCHASES_TOPICS
from services.purchases.vault.unsealing import Unsealer
from shared.contracts.build import make_event
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.envelope import UserPayload
from shared.contracts.identity import UserErased, UserLoggedIn, UserRegistered
from shared.contracts.marketplace import (
    DeploymentCreated,
    DeploymentCredentialsIssued,
    DeploymentHealthReported,
    ProductViewed,
    PurchaseCreated,
    ResourceAllocation,
)
from shared.contracts.profile import PreferencesUpdated, ProfileUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import IDENTITY, MARKETPLACE, PROFILE, RECEIPTS, WALLET, Topic, dead_letters
from shared.contracts.wallet import WalletPoolPositionChanged, WalletTransactionPosted
from shared.plumbing import mongo
from shared.plumbing.mongo import Database
from shared.plumbing.publish import Publisher, Record
from tests.servers.processes import ServiceProcess, service_process
from tests.servers.running import publishing
from tests.servers.traces import is_read, records_of, rewind, traces_in_databases, traces_in_records
from tests.waiting import eventually

Given = dict[str, object]
NAMES = ("activity", "purchases", "analytics")
IN_ANALYTICS = (
    *("purchases", "deployments", "health", "transactions", "settings"),
    *("days", "sessions", "views", "choices", "users", "notifications", "sign_ins"),
)
LETTERS = [dead_letters(name) for name in NAMES]
_TOPICS = {"activity": ACTIVITY_TOPICS, "purchases": PURCHASES_TOPICS, "analytics": ANALYTICS_TOPICS}
_numbers = count()
SMALL = ResourceAllocation(cpu_cores=1, memory_gb=2, storage_gb=10, bandwidth_mbps=100)


@dataclass
class Person:
    """Somebody with something in every collection, all of it under ids that nobody else has."""

    email: str = field(default_factory=lambda: f"erased{next(_numbers)}.{datetime.now(UTC):%H%M%S%f}@example.org")

    @property
    def mark(self) -> str:
        return self.email.partition("@")[0]

    def life(self, start: datetime, jwe: str | None = None) -> list[tuple[Topic, AnyEvent]]:
        """Events from `start` on, a second apart."""
        user, ids = {"user_email": self.email}, (f"{self.mark}-{what}" for what in ("p", "d", "t", "pool"))
        bought, deployed, paid, pool = ids
        product = {"product_id": "x", "product_name": "X", "product_type": "storage"}
        costs = {"amount": "1", "currency": "TFP", "provider_id": "h", "provider_name": "H"}
        said: list[tuple[Topic, UserPayload]] = [
            (IDENTITY, UserRegistered(**user, timezone="Europe/Stockholm")),
            (IDENTITY, UserLoggedIn(**user, session_id=f"{self.mark}-s")),
            (MARKETPLACE, ProductViewed(**user, product_id="x")),
            (MARKETPLACE, PurchaseCreated.model_validate({**user, **product, **costs, "purchase_id": bought})),
            (
                MARKETPLACE,
                DeploymentCreated(
                    **user,
                    deployment_id=deployed,
                    purchase_id=bought,
                    kind="app",
                    region="eu",
                    resources_allocated=SMALL,
                ),
            ),
            (MARKETPLACE, DeploymentHealthReported(**user, deployment_id=deployed, healthy=False)),
            (
                WALLET,
                WalletTransactionPosted.model_validate(
                    {**user, "transaction_id": paid, "sequence": 1, "kind": "top_up"}
                    | {"amount": "5", "currency": "TFP", "balance_after": "5"}
                ),
            ),
            (
                WALLET,
                WalletPoolPositionChanged.model_validate(
                    {**user, "pool_id": pool, "pool_name": "P", "invested": "1", "current_value": "1"}
                    | {"currency": "TFP", "status": "open"}
                ),
            ),
            (PROFILE, ProfileUpdated(**user, changed=["timezone", "password"], timezone="Europe/Oslo")),
            (PROFILE, PreferencesUpdated(**user, activity_tracking=True, auto_renewal_default=True)),
        ]
        if jwe:
            said.append((MARKETPLACE, DeploymentCredentialsIssued(**user, deployment_id=deployed, credentials_jwe=jwe)))
        return [
            (topic, make_event(payload, source="/life", time=start + timedelta(seconds=number)))
            for number, (topic, payload) in enumerate(said)
        ]


@dataclass
class World:
    """The services as processes, and everybody's end of what they are connected to."""

    publisher: Publisher
    processes: Sequence[ServiceProcess]
    kafka: str
    mongo_url: str
    jwe: str

    async def publish(self, *events: tuple[Topic, AnyEvent]) -> None:
        await self.publisher.records((t.name, e.subject.encode(), e.to_json(), ()) for t, e in events)

    async def erase(self, person: Person, at: datetime) -> str:
        erased = make_event(UserErased(user_email=person.email), source="/idp", time=at)
        await self.publish((IDENTITY, erased))
        return erased.id

    async def receipts(self, erasure_id: str) -> set[str]:
        """The services that answered for the erasure."""
        said = [orjson.loads(r.value)["data"] for r in await records_of(self.kafka, [RECEIPTS]) if r.value]
        return {data["service"] for data in said if data["erasure_id"] == erasure_id}

    async def is_erased(self, erasure_id: str) -> bool:
        return await self.receipts(erasure_id) >= set(NAMES)

    async def traces(self, *people: Person) -> list[str]:
        marks = [person.mark for person in people]
        in_databases = await traces_in_databases(self.mongo_url, NAMES, marks)
        letters = traces_in_records(await records_of(self.kafka, LETTERS), marks)
        return [*in_databases, *(record.topic for record in letters)]

    async def has_nothing_of(self, person: Person) -> bool:
        found = await self.traces(person)
        assert not found, found
        return True

    async def has_everything_of(self, person: Person) -> bool:
        """In every collection that can have something of a user by itself, and the overview of it worked out."""
        places = {trace.partition(":")[0] for trace in await self.traces(person)}
        expected = {"activity.activities", "activity.choices"} | {
            f"purchases.{name}"
            for name in ("purchases", "deployments", "health", "transactions", "pools", "settings", "users")
        }
        expected |= {f"analytics.{name}" for name in IN_ANALYTICS}
        assert places >= expected | {"purchases.data_keys"}, expected - places
        return True

    async def is_through(self) -> bool:
        """Whether all services have stored all that was published."""
        return all([await is_read(self.kafka, name, _TOPICS[name]) for name in NAMES])

    async def replay(self) -> None:
        """Everything from the beginning, with the databases as they are."""
        for process in self.processes:
            await process.signal(SIGTERM)
        for name in NAMES:
            await rewind(self.kafka, name, _TOPICS[name])
        for process in self.processes:
            await process.start()
        for process in self.processes:
            await process.ready()
        await eventually(self.is_through, timeout=60, what="all of it was read again")


@asynccontextmanager
async def _world(kafka: str, mongo_url: str, settings: Given, jwe: str, folder: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publishing(Settings.model_validate(_common(settings))))
        processes = [
            await stack.enter_async_context(service_process(name, settings, folder / f"{name}.log")) for name in NAMES
        ]
        for process in processes:
            await process.start()
        for process in processes:
            await process.ready()
        yield World(publisher, processes, kafka, mongo_url, jwe)


def _common(settings: Given) -> Given:
    return {name: value for name, value in settings.items() if name in Settings.model_fields}


@pytest_asyncio.fixture(loop_scope="session")
async def settings(client_settings: Given, vault_keys: Given, mongo_url: str) -> Given:
    return {**client_settings, **vault_keys, "mongo_url": mongo_url}


@pytest_asyncio.fixture(loop_scope="session")
async def world(kafka: str, mongo_url: str, settings: Given, tmp_path: Path) -> AsyncIterator[World]:
    unsealer = Unsealer.parse(SecretStr(str(settings["credentials_private_jwk"])))
    jwe = seal_for(orjson.loads(unsealer.public_jwks())["keys"][0], AccessCredentials(username=SecretStr("u")))
    async with _world(kafka, mongo_url, settings, jwe, tmp_path) as world:
        yield world


@pytest_asyncio.fixture(loop_scope="session")
async def timelines(mongo_url: str) -> AsyncIterator[Database]:
    client = mongo.connect(mongo_url)
    yield client["activity"]
    client.close()


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


async def test_nothing_is_left_of_who_is_erased_also_after_a_replay_of_everything(world: World) -> None:
    person, other = Person(), Person()
    await world.publish(*person.life(ago(60), world.jwe), *other.life(ago(60), world.jwe))
    await poison(world, person, other)
    await eventually(partial(world.has_everything_of, person), timeout=60)
    await eventually(partial(world.has_everything_of, other), timeout=60)
    await eventually(partial(letters_of, world, person, 6), timeout=60)
    theirs = await eventually(partial(letters_of, world, other, 6), timeout=60)

    erasure = await world.erase(person, ago(0))
    await eventually(partial(world.is_erased, erasure), timeout=60)
    assert await world.traces(person) == []
    await world.has_everything_of(other)
    assert [(r.key, r.value, r.headers, r.timestamp) for r in await letters_of(world, other, 6)] == [
        (r.key, r.value, r.headers, r.timestamp) for r in theirs
    ], "the dead letters of others stay as they came"

    await world.publish(*person.life(ago(-1), world.jwe)[1:])  # without registering
    await poison(world, person, other)
    await eventually(partial(letters_of, world, other, 12), timeout=60)
    await eventually(world.is_through, timeout=60)
    assert await world.traces(person) == [], "they are gone whatever is said of them, and whenever it happened"

    await world.replay()
    assert await world.traces(person) == []
    await world.has_everything_of(other)


async def poison(world: World, *people: Person) -> None:
    """Records that the activity service cannot use, and which name their user in different ways."""
    for person in people:
        escaped = person.email.upper().replace("@", "\\u0040")
        await world.publisher.records(
            [
                (MARKETPLACE.name, person.email.upper().encode(), b"no JSON", ()),
                (IDENTITY.name, None, f'{{"data": {{"user_email": "{escaped}"}}}}'.encode(), (("h", b"\xff"),)),
            ]
        )


async def letters_of(world: World, person: Person, number: int) -> list[Record]:
    """The dead letters that name the person. Every service reads `marketplace.events` and `identity.events`."""
    found = traces_in_records(await records_of(world.kafka, LETTERS), [person.mark])
    assert len(found) >= number, found
    return sorted(found, key=lambda r: (r.topic, r.key or b"", r.value or b""))


async def test_who_registers_anew_has_what_is_new_and_nothing_else(world: World, timelines: Database) -> None:
    person = Person()
    old = person.life(ago(60), world.jwe)
    await world.publish(*old)
    await eventually(partial(world.has_everything_of, person), timeout=60)
    erased_at = ago(30)
    erasure = await world.erase(person, erased_at)
    await eventually(partial(world.is_erased, erasure), timeout=60)
    new = person.life(ago(10), world.jwe)
    await world.publish(*new)
    await eventually(partial(world.has_everything_of, person), timeout=60)

    again = make_event(UserErased(user_email=person.email), source="/idp", id=erasure, time=erased_at)
    await world.publish(*old, (IDENTITY, again))
    await eventually(world.is_through, timeout=60)
    await assert_is_new(timelines, person, new)
    await world.replay()
    await assert_is_new(timelines, person, new)
    await world.has_everything_of(person)


async def test_what_is_read_before_the_new_registration_counts_once_that_is_read(
    world: World, timelines: Database
) -> None:
    person = Person()
    await world.publish(*person.life(ago(60)))
    erasure = await world.erase(person, ago(30))
    await eventually(partial(world.is_erased, erasure), timeout=60)
    (registered, *new), between = person.life(ago(10), world.jwe), person.life(ago(20))[1:]
    await world.publish(*between, *new)
    await poison(world, person)
    await eventually(world.is_through, timeout=60)
    assert await world.traces(person) == []

    await world.publish(registered)
    await eventually(partial(world.has_everything_of, person), timeout=60)
    await eventually(partial(letters_of, world, person, 6), timeout=60)
    await assert_is_new(timelines, person, [registered, *new])
    await eventually(partial(nothing_is_missed, timelines), timeout=60)


async def nothing_is_missed(timelines: Database) -> bool:
    """Of what counts of those who are back."""
    counts = {"$gte": [{"$first": "$$this"}, "$registered_at"]}
    any_counts = {"$anyElementTrue": {"$map": {"input": {"$ifNull": ["$missed", []]}, "in": counts}}}
    missed: dict[str, object] = {"registered_at": {"$ne": None}, "$expr": any_counts}
    return [await timelines.client[name]["tombstones"].count_documents(missed) for name in NAMES] == [0, 0, 0]


async def assert_is_new(timelines: Database, person: Person, life: Sequence[tuple[Topic, AnyEvent]]) -> None:
    ranks = {event.rank for _, event in life}
    kept = [document["event"] async for document in timelines["activities"].find({"user": person.email})]
    assert len(kept) >= 7
    assert set(kept) <= ranks


async def test_erased_under_load_by_two_of_each_that_are_killed(
    settings: Given, kafka: str, mongo_url: str, world: World, timelines: Database, tmp_path: Path
) -> None:
    """Everything is in the topics, mixed, before anybody reads it; the services are killed while they erase."""
    people = [Person() for _ in range(60)]
    for process in world.processes:
        await process.kill()
    lives = [life for n in range(8) for person in people for life in person.life(ago(100 - n), None)]
    await world.publish(*lives)
    erasures = [await world.erase(person, ago(0)) for person in people[:40]]
    await world.publish(*[life for person in people for life in person.life(ago(50))])

    tiny = {**settings, "batch_max_records": 50}
    async with AsyncExitStack() as stack:
        both = [
            await stack.enter_async_context(service_process(name, tiny, tmp_path / f"{name}{n}.log"))
            for name in NAMES
            for n in range(2)
        ]
        for process in both:
            await process.start()
        for _ in range(2):
            await eventually(partial(is_erasing, timelines), timeout=60, interval=0.001)
            for process in both[::2]:
                await process.signal(SIGKILL)
                await process.start()
        for process in both:
            await process.ready()

        async def all_erased() -> bool:
            said = [orjson.loads(r.value)["data"] for r in await records_of(kafka, [RECEIPTS]) if r.value]
            done = {(data["erasure_id"], data["service"]) for data in said}
            return done >= {(erasure, name) for erasure in erasures for name in NAMES}

        await eventually(all_erased, timeout=150, interval=0.5)
        await eventually(world.is_through, timeout=90, interval=0.5)
    assert await world.traces(*people[:40]) == []
    assert {"activity.activities: 1100", "purchases.purchases: 20"} <= set(await world.traces(*people[40:]))


async def is_erasing(timelines: Database) -> bool:
    """Whether a tombstone stands for somebody whose removal is not done."""
    return await timelines["tombstones"].find_one({"erased_at": {"$exists": True}, "done": None}) is not None
