"""The activity service as a publisher and the gateway see it, on a real broker and a real mongod."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer

from shared.contracts.build import make_event
from shared.contracts.dashboard import ActivityReported
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.identity import UserLoggedIn, UserRegistered
from shared.contracts.marketplace import MarketplaceBrowsed, ProductViewed, PurchaseCreated, PurchaseDetails
from shared.contracts.profile import PreferencesUpdated
from shared.contracts.reading import AnyEvent
from shared.contracts.topics import GATEWAY, IDENTITY, MARKETPLACE, PROFILE, UPDATES, WALLET, dead_letters
from shared.contracts.wallet import WalletTransactionPosted
from tests.servers.header_names import AnyName, sending_any_names
from tests.servers.running import Running, arrived
from tests.waiting import eventually

NOW = datetime.now(UTC).replace(microsecond=123_456)
_numbers = count(1)


@pytest.fixture
def user() -> str:
    return f"reader{next(_numbers)}@example.org"


def ago(minutes: int) -> datetime:
    return NOW - timedelta(minutes=minutes)


def login(user: str, minutes: int, session: str = "s-1") -> AnyEvent:
    return make_event(UserLoggedIn(user_email=user, session_id=session), source="/id", time=ago(minutes))


def view(user: str, minutes: int, name: str = "Vault") -> AnyEvent:
    data = ProductViewed(user_email=user, product_id=f"p-{minutes}", product_name=name, session_id="s-1")
    return make_event(data, source="/shop", time=ago(minutes))


async def items(service: Running, user: str, **params: Any) -> list[dict[str, Any]]:
    status, page = await service.get("/activities", user, params)
    assert status == 200, page
    found: list[dict[str, Any]] = page["items"]
    return found


async def shows(service: Running, user: str, number: int) -> list[dict[str, Any]]:
    async def enough() -> list[dict[str, Any]]:
        shown = await items(service, user, limit=200)
        return shown if len(shown) >= number else []

    found: list[dict[str, Any]] = await eventually(enough, what=f"{number} activities")
    assert len(found) == number
    return found


async def test_an_event_becomes_an_activity(activity_service: Running, user: str) -> None:
    await activity_service.publish(MARKETPLACE, view(user, 5))
    (shown,) = await shows(activity_service, user, 1)
    assert len(shown.pop("id")) == 32
    assert shown == {
        "user_email": user,
        "activity_type": "product_view",
        "description": "Viewed Vault",
        "timestamp": ago(5).isoformat().replace("+00:00", "Z"),
        "metadata": {"product_name": "Vault"},
        "related_entity_id": "p-5",
        "related_entity_type": "product",
        "impact_level": "low",
        "session_id": "s-1",
    }


async def test_the_gateways_of_a_user_are_told_what_changed(activity_service: Running, user: str, kafka: str) -> None:
    await activity_service.publish(MARKETPLACE, view(user, 5))
    (record,) = await arrived(kafka, UPDATES.name, lambda record: record.key == user.encode())
    told = orjson.loads(record.value or b"")
    assert (told["type"], told["subject"]) == ("section.changed.v1", user)
    assert told["data"]["section"] == "activity"


async def test_an_event_that_comes_again_changes_nothing(activity_service: Running, user: str) -> None:
    event = view(user, 5)
    await activity_service.publish(MARKETPLACE, event, event, view(user, 3), event)
    await shows(activity_service, user, 2)


async def test_a_purchase_by_itself_and_in_the_wallet_is_one(activity_service: Running, user: str) -> None:
    details = {
        "purchase_id": f"pur-{user}",
        "product_id": "p",
        "product_name": "Vault",
        "product_type": "storage",
        "provider_id": "h",
        "provider_name": "Hypha",
        "amount": "5",
        "currency": "TFP",
    }
    bought = PurchaseCreated.model_validate({"user_email": user, **details})
    paid = WalletTransactionPosted.model_validate(
        {
            "user_email": user,
            "transaction_id": "tx",
            "sequence": 1,
            "kind": "purchase",
            "amount": "-5",
            "currency": "TFP",
            "balance_after": "0",
            "purchase": PurchaseDetails.model_validate(details),
        }
    )
    await activity_service.publish(WALLET, make_event(paid, source="/wallet"))
    await activity_service.publish(MARKETPLACE, make_event(bought, source="/shop"), view(user, 1))
    assert [a["activity_type"] for a in await shows(activity_service, user, 2)] == ["purchase", "product_view"]


async def test_what_a_page_reports_is_shown(activity_service: Running, user: str) -> None:
    reported = ActivityReported(user_email=user, activity_type="cart_add", metadata={"colour": "green"})
    await activity_service.publish(GATEWAY, make_event(reported, source="/gateway"))
    (shown,) = await shows(activity_service, user, 1)
    assert (shown["activity_type"], shown["metadata"]) == ("cart_add", {"colour": "green"})


async def test_withdrawn_consent_removes_browsing_and_keeps_the_rest(activity_service: Running, user: str) -> None:
    await activity_service.publish(MARKETPLACE, view(user, 9), view(user, 8))
    await activity_service.publish(IDENTITY, login(user, 7))
    await shows(activity_service, user, 3)
    off = PreferencesUpdated(user_email=user, activity_tracking=False)
    await activity_service.publish(PROFILE, make_event(off, source="/profile", time=ago(6)))
    types = ["preferences_update", "login"]
    await eventually(lambda: has_types(activity_service, user, types))
    await activity_service.publish(MARKETPLACE, view(user, 5))
    await activity_service.publish(IDENTITY, login(user, 4))
    await eventually(lambda: has_types(activity_service, user, ["login", *types]))


async def has_types(service: Running, user: str, types: list[str]) -> bool:
    return [a["activity_type"] for a in await items(service, user)] == types


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def reader(activity_service: Running) -> str:
    """A user with a varied history: 12 views (every second of a Lamp), 6 logins, a search."""
    user = "varied@example.org"
    views = [view(user, minutes, "Lamp 100%" if minutes % 2 else "Vault") for minutes in range(1, 13)]
    logins = [login(user, minutes, f"s-{minutes}") for minutes in range(20, 26)]
    search = MarketplaceBrowsed(user_email=user, query="Größe (XL)", results=3)
    await activity_service.publish(MARKETPLACE, *views, make_event(search, source="/shop", time=ago(60 * 24 * 3)))
    await activity_service.publish(IDENTITY, *logins)
    await shows(activity_service, user, 19)
    return user


@pytest.mark.parametrize(
    ("params", "number"),
    [
        ({}, 19),
        ({"type": "login"}, 6),
        ({"type": ["login", "marketplace_browse"]}, 7),
        ({"impact": "low"}, 13),
        ({"impact": "high"}, 0),
        ({"q": "lamp 100%"}, 6),
        ({"q": "GRÖSSE"}, 0),
        ({"q": "grÖße (xl)"}, 1),
        ({"q": ".*"}, 0),
        ({"q": "p-3"}, 1),
        ({"session_id": "s-20"}, 1),
        ({"from": ago(22).isoformat(), "to": ago(20).isoformat()}, 3),
        ({"from": (NOW - timedelta(days=2)).date().isoformat()}, 18),
        ({"to": (NOW - timedelta(days=2)).date().isoformat()}, 1),
        ({"type": "product_view", "q": "vault", "from": ago(4).isoformat()}, 2),
    ],
)
async def test_filters(activity_service: Running, reader: str, params: dict[str, Any], number: int) -> None:
    assert len(await items(activity_service, reader, **params)) == number


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"limit": 0}, "#/limit"),
        ({"limit": 201}, "#/limit"),
        ({"limit": "many"}, "#/limit"),
        ({"type": "dance"}, "#/type/0"),
        ({"impact": "huge"}, "#/impact"),
        ({"from": "yesterday"}, "#/from"),
        ({"to": "2026-01-01T00:00:00"}, "#/to"),
        ({"q": "x" * 201}, "#/q"),
        ({"q": "a\x00b"}, "#/q"),
    ],
)
async def test_a_wrong_question_is_told_which_field(
    activity_service: Running, user: str, params: dict[str, Any], pointer: str
) -> None:
    status, problem = await activity_service.get("/activities", user, params)
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def walked(service: Running, user: str, limit: int, **params: Any) -> list[str]:
    """The ids of all pages, one page after the other."""
    shown: list[str] = []
    cursor = None
    while True:
        wanted = {**params, "limit": limit, **({"cursor": cursor} if cursor else {})}
        _, page = await service.get("/activities", user, wanted)
        shown += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            return shown


@pytest.mark.parametrize("limit", [1, 7, 18, 19, 20])
async def test_pages_neither_skip_nor_repeat(activity_service: Running, reader: str, limit: int) -> None:
    everything = [item["id"] for item in await items(activity_service, reader, limit=200)]
    assert await walked(activity_service, reader, limit) == everything
    logins = [item["id"] for item in await items(activity_service, reader, type="login")]
    assert await walked(activity_service, reader, limit, type="login") == logins


async def test_pages_are_stable_while_new_items_arrive(activity_service: Running, user: str) -> None:
    await activity_service.publish(IDENTITY, *(login(user, minutes) for minutes in range(10, 20)))
    before = [item["id"] for item in await shows(activity_service, user, 10)]
    _, first = await activity_service.get("/activities", user, {"limit": 4})
    await activity_service.publish(IDENTITY, *(login(user, minutes) for minutes in range(5)))
    await shows(activity_service, user, 15)
    _, rest = await activity_service.get("/activities", user, {"limit": 200, "cursor": first["next_cursor"]})
    assert [item["id"] for item in first["items"] + rest["items"]] == before


async def test_activities_of_one_moment_are_paged_one_by_one(activity_service: Running, user: str) -> None:
    at_once = [make_event(UserLoggedIn(user_email=user, session_id=f"{n}"), source="/id", time=NOW) for n in range(9)]
    await activity_service.publish(IDENTITY, *at_once)
    everything = [item["id"] for item in await shows(activity_service, user, 9)]
    assert await walked(activity_service, user, 2) == everything


@pytest.mark.parametrize("cursor", ["x", "", "AAAA", "é", "../..", "A" * 44])
async def test_a_made_up_cursor_is_refused(activity_service: Running, user: str, cursor: str) -> None:
    status, problem = await activity_service.get("/activities", user, {"cursor": cursor})
    assert (status, problem["type"]) == (400, "urn:mycelium:problem:bad-cursor")


async def test_a_cursor_of_another_user_is_refused(activity_service: Running, reader: str, user: str) -> None:
    _, page = await activity_service.get("/activities", reader, {"limit": 1})
    status, _ = await activity_service.get("/activities", user, {"cursor": page["next_cursor"]})
    assert status == 400


async def test_a_timeline_holds_the_newest_thousand(activity_service: Running, user: str) -> None:
    events = [login(user, minutes) for minutes in reversed(range(1_100))]
    await activity_service.publish(IDENTITY, *events)

    async def holds_the_newest() -> bool:
        (newest,) = await items(activity_service, user, limit=1) or [{"timestamp": ""}]
        return str(newest["timestamp"]) == ago(0).isoformat().replace("+00:00", "Z")

    await eventually(holds_the_newest, timeout=60)
    await eventually(lambda: is_at_rest(activity_service), timeout=60)
    everything = await walked(activity_service, user, 200)
    assert len(everything) == len(set(everything)) == 1_000


async def is_at_rest(service: Running) -> bool:
    return bool((await service.health())["lag"] == 0)


async def test_the_summary_counts_the_days_asked_for(activity_service: Running, reader: str) -> None:
    assert await activity_service.get("/activities/summary", reader) == (
        200,
        {"login": 6, "marketplace_browse": 1, "product_view": 12},
    )
    _, of_two_days = await activity_service.get("/activities/summary", reader, {"days": 2})
    assert of_two_days == {"login": 6, "product_view": 12}
    status, problem = await activity_service.get("/activities/summary", reader, {"days": 0})
    assert (status, problem["errors"][0]["pointer"]) == (422, "#/days")


async def test_only_the_gateway_is_answered(activity_service: Running, user: str) -> None:
    for token in (
        "",
        "nonsense",
        activity_service.tokens.sign("profile", user),
        activity_service.tokens.sign("activity"),
    ):
        headers = {"authorization": f"Bearer {token}"}
        async with activity_service.http.get(f"{activity_service.url}/activities", headers=headers) as response:
            assert response.status == 401
            assert response.content_type == "application/problem+json"


GOOD = login("poison@example.org", 1).to_json()
POISON = {
    "empty": None,
    "not_json": b"\xff not json",
    "not_a_cloudevent": b'{"hello": "world"}',
    "unknown_type": GOOD.replace(b"logged_in.v1", b"logged_in.v9"),
    "wrong_topic": make_event(MarketplaceBrowsed(user_email="poison@example.org"), source="/shop").to_json(),
    "invalid": GOOD.replace(b'"session_id":"s-1"', b'"session_id":7'),
    "key_mismatch": login("somebody.else@example.org", 1).to_json(),
    "too_large": b'{"padding":"' + b"x" * 5_000_000 + b'"}',
}


@pytest.mark.parametrize(("reason", "value"), POISON.items())
async def test_what_cannot_be_used_is_kept_byte_for_byte(
    activity_service: Running, user: str, kafka: str, reason: str, value: bytes | None
) -> None:
    mark = f"{reason}-{user}".encode()
    headers = [("mark", mark), ("bytes", b"\xff\xfe")]
    await activity_service.put(IDENTITY, b"poison@example.org", value, headers)
    await activity_service.publish(IDENTITY, login(user, 1))
    await shows(activity_service, user, 1)
    (letter,) = await arrived(kafka, dead_letters("activity").name, lambda r: ("mark", mark) in r.headers)
    added = dict(letter.headers[2:])
    assert (letter.key, letter.value, letter.headers[:2]) == (b"poison@example.org", value, tuple(headers))
    assert added["dlq_reason"] == reason.encode()
    assert (added["dlq_topic"], added["dlq_attempts"]) == (b"identity.events", b"1")
    assert added.keys() == {
        "dlq_reason", "dlq_error", "dlq_topic", "dlq_partition", "dlq_offset", "dlq_attempts", "dlq_at"
    }  # fmt: skip


def produce(
    kafka: str, key: bytes | None, value: bytes | None, headers: Sequence[tuple[str, bytes]], codec: str = "none"
) -> None:
    """Puts a record on the identity topic as a client in another language does: librdkafka, in C."""
    producer = Producer({"bootstrap.servers": kafka, "compression.type": codec})
    producer.produce(IDENTITY.name, value=value, key=key, headers=list(headers))
    assert producer.flush(20) == 0


async def test_events_of_a_foreign_client_appear_in_both_modes(
    activity_service: Running, user: str, kafka: str
) -> None:
    structured = login(user, 2).to_json()
    await asyncio.to_thread(
        produce, kafka, user.encode(), structured, [("content-type", b"application/cloudevents+json")]
    )
    binary = {"specversion": "1.0", "id": "b", "source": "/c", "type": "user.logged_out.v1", "subject": user}
    headers = [(f"ce_{name}", value.encode()) for name, value in {**binary, "time": ago(1).isoformat()}.items()]
    data = orjson.dumps({"user_email": user, "session_id": "s-2"})
    await asyncio.to_thread(produce, kafka, user.encode(), data, [*headers, ("content-type", b"application/json")])
    assert [a["activity_type"] for a in await shows(activity_service, user, 2)] == ["logout", "login"]


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_a_publisher_may_compress(activity_service: Running, user: str, kafka: str, codec: str) -> None:
    event = login(user, 1, "s" * 256).to_json()  # what would not become shorter is not compressed
    await asyncio.to_thread(produce, kafka, user.encode(), event, [CONTENT_TYPE_HEADER], codec)
    await shows(activity_service, user, 1)


async def test_a_header_with_any_bytes_for_a_name_stops_nobody(
    activity_service: Running, user: str, kafka: str
) -> None:
    mark = ("mark", user.encode())
    with sending_any_names():
        headers = [(AnyName("odd"), b"\xff"), mark]
        await activity_service.put(IDENTITY, user.encode(), login(user, 2).to_json(), headers)
        await activity_service.put(IDENTITY, user.encode(), b"no event", headers)
    await activity_service.publish(IDENTITY, login(user, 1))
    await shows(activity_service, user, 2)
    (letter,) = await arrived(kafka, dead_letters("activity").name, lambda record: mark in record.headers)
    assert (letter.value, letter.headers[0]) == (b"no event", ("\\xff\\xfe", b"\xff"))


async def test_a_record_of_nothing_at_all_stops_nobody(activity_service: Running, user: str, kafka: str) -> None:
    mark = ("mark", user.encode())
    await asyncio.to_thread(produce, kafka, None, None, [mark])
    await activity_service.publish(IDENTITY, login(user, 1))
    await shows(activity_service, user, 1)
    (letter,) = await arrived(kafka, dead_letters("activity").name, lambda r: mark in r.headers)
    assert (letter.key, letter.value) == (None, b"")


async def test_a_type_of_no_interest_and_an_unknown_member_are_no_error(activity_service: Running, user: str) -> None:
    await activity_service.publish(IDENTITY, make_event(UserRegistered(user_email=user), source="/id"))
    with_more = orjson.loads(login(user, 1).to_json())
    with_more["data"]["mood"] = "good"
    with_more["extension"] = "x"
    await activity_service.put(IDENTITY, user.encode(), orjson.dumps(with_more))
    await shows(activity_service, user, 1)


async def test_health_and_metrics(activity_service: Running) -> None:
    health = await activity_service.health()
    assert health["checks"] == {"start": "ok", "mongo": "ok", "kafka": "ok"}
    async with activity_service.http.get(f"{activity_service.url}/metrics") as response:
        text = await response.text()
    assert 'mycelium_records_total{outcome="applied"}' in text
    assert "@example.org" not in text


async def test_a_batch_is_committed_once(activity_service: Running, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched, committed = Counter[str](), Counter[str]()
    kafka: Any = AIOKafkaConsumer  # Any: methods of it are replaced, and take what they took
    getmany, commit = kafka.getmany, kafka.commit

    async def counted_getmany(self: Any, **options: Any) -> Any:
        found = await getmany(self, **options)
        fetched.update(batches=bool(found), records=sum(map(len, found.values())))
        return found

    async def counted_commit(self: Any, offsets: Any) -> None:
        await commit(self, offsets)
        committed.update(commits=1)

    monkeypatch.setattr(kafka, "getmany", counted_getmany)
    monkeypatch.setattr(kafka, "commit", counted_commit)
    for number in range(3):
        await activity_service.publish(MARKETPLACE, *(view(f"{n}.{user}", n) for n in range(50)))
        await activity_service.publish(IDENTITY, login(user, number))
        await shows(activity_service, user, number + 1)

    def is_committed() -> bool:  # the fetch that was under way when counting began is not counted
        return fetched["records"] >= 100 and committed["commits"] - fetched["batches"] in (0, 1)

    await eventually(is_committed, what="one commit for each batch")
