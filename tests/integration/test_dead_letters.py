"""Dead letters seen and treated: by the desk, by the command, and by operators over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio
from aiokafka.structs import ConsumerRecord
from structlog.testing import capture_logs
from typer.testing import CliRunner

from mycelium.cli import app
from mycelium.lag import Lag, lags
from services.activity.settings import Settings as ActivitySettings
from services.gateway import main as gateway_main
from services.gateway.settings import Settings as GatewaySettings
from shared.contracts.build import make_event
from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.marketplace import ProductViewed
from shared.contracts.operation_views import Attempt, DeadLetter
from shared.contracts.reading import Poison, PoisonReason
from shared.contracts.topics import AUDIT, IDENTITY, MARKETPLACE, Topic, dead_letters
from shared.plumbing.dead_letter_desk import Desk, Wanted
from shared.plumbing.dead_letters import DeadLetters
from shared.plumbing.letter_ids import HEADER, LetterId
from shared.plumbing.publish import Publisher, Record
from tests.servers.dashboard import PASSWORD, Reply, Site, User, assert_problem, log_in, ready, site
from tests.servers.issuer import AUDIENCE, IssuerServer
from tests.servers.running import Running
from tests.servers.traces import records_of, traces_in_records
from tests.waiting import eventually

OPS = "/ops/v1/dead-letters"
GRACE = f"grace.{uuid4().hex}@example.test"


def new_user() -> str:
    return f"{uuid4().hex}@example.test"


def viewed(user: str, product: str = "p-77") -> bytes:
    return make_event(ProductViewed(user_email=user, product_id=product), source="/tests").to_json()


def without_product(event: bytes) -> bytes:
    whole = orjson.loads(event)
    del whole["data"]["product_id"]
    return orjson.dumps(whole)


def the_id_of(letter: DeadLetter) -> LetterId:
    return LetterId(*LetterId.parse(letter.id) or ())


async def attempts(found: AsyncIterator[Attempt]) -> list[Attempt]:
    return [attempt async for attempt in found]


@pytest.fixture
def desk(activity_service: Running, kafka: str) -> Desk:
    return Desk(kafka, activity_service.publisher)


async def poisoned(service: Running, desk: Desk, user: str) -> tuple[DeadLetter, bytes]:
    """A new dead letter of the activity service about the user, and the event as it should have been."""
    good = viewed(user)
    before = {letter.id for letter in await desk.newest(Wanted(service="activity", reason="invalid"), 10_000)}
    await service.put(MARKETPLACE, user.encode(), without_product(good), [CONTENT_TYPE_HEADER, ("odd", b"\xff")])

    async def arrived() -> DeadLetter | None:
        found = await desk.newest(Wanted(service="activity", reason="invalid"), 10_000)
        return next((letter for letter in found if letter.id not in before), None)

    letter = await eventually(arrived, what="the record is a dead letter")
    assert letter
    return letter, good


async def dead_by_hand(service: Running, reason: str, *users: str, value: bytes | None = None) -> None:
    """Puts records into the dead letters that the service can read by now, all from one place of their topic."""
    for offset, user in enumerate(users):
        said = {"reason": reason, "error": "none any more", "topic": MARKETPLACE.name, "partition": 0, "offset": offset}
        at = datetime.now(UTC).isoformat()
        headers = [(f"dlq_{name}", str(text).encode()) for name, text in (said | {"attempts": 1, "at": at}).items()]
        await service.put(dead_letters("activity"), user.encode(), value or viewed(user), headers)


async def products(service: Running, user: str) -> list[str]:
    _, answer = await service.get("/activities", user)
    return [item["related_entity_id"] for item in answer["items"]]


async def published(kafka: str, user: str) -> list[Record]:
    return traces_in_records(await records_of(kafka, [MARKETPLACE]), [user])


def unusable(topic: Topic, reason: PoisonReason, offset: int) -> tuple[Record, Poison]:
    bad = ConsumerRecord(topic.name, 41, offset, 0, 0, GRACE.encode(), GRACE.encode(), None, 0, 0, ())
    return bad, Poison(reason, "should be something else")


async def test_a_flood_of_them_is_one_line_in_the_log_for_each_topic_and_reason(
    client_settings: dict[str, object], mongo_url: str
) -> None:
    settings = ActivitySettings.model_validate({**client_settings, "mongo_url": mongo_url})
    flood = [unusable(MARKETPLACE, "not_json", offset) for offset in range(7, 507)]
    others = [unusable(MARKETPLACE, "empty", 600), unusable(IDENTITY, "not_json", 700)]
    publisher = Publisher("activity", settings)
    await publisher.start()
    try:
        with capture_logs() as logs:
            await publisher.dead_letters([*flood, *others], attempts=1)
            await publisher.dead_letters([], attempts=1)
    finally:
        await publisher.stop()
    lines = [log for log in logs if log["event"] == "dead_lettered" and log["partition"] == 41]
    assert {line["log_level"] for line in lines} == {"warning"}
    assert [(line["topic"], line["reason"], line["records"], line["offset"]) for line in lines] == [
        ("marketplace.events", "not_json", 500, 7),
        ("marketplace.events", "empty", 1, 600),
        ("identity.events", "not_json", 1, 700),
    ]
    assert GRACE not in str(logs)


async def test_an_edited_one_is_applied_once_however_often_it_is_retried(
    activity_service: Running, desk: Desk, kafka: str
) -> None:
    user = new_user()
    letter, good = await poisoned(activity_service, desk, user)
    one = Wanted([the_id_of(letter)])
    (as_it_is,) = await attempts(desk.retry(one, "grace"))
    assert (as_it_is.outcome, as_it_is.reason, as_it_is.published) == ("poison", "invalid", False)
    (dry,) = await attempts(desk.retry(one, "grace", value=good, dry_run=True))
    assert (dry.outcome, dry.published) == ("applied", False)
    assert len(await published(kafka, user)) == 1
    (wet,) = await attempts(desk.retry(one, "grace", value=good))
    assert (wet.outcome, wet.published) == ("applied", True)
    await eventually(lambda: products(activity_service, user), what="the event is applied")
    (second,) = await attempts(Desk(kafka, activity_service.publisher).retry(one, "ada", value=good))
    assert (second.outcome, second.published) == ("handled_before", False)
    (again,) = await attempts(desk.retry(one, "ada", value=good, again=True))
    assert again.published
    _, *retried = await published(kafka, user)
    assert [(record.key, record.value) for record in retried] == [(user.encode(), good)] * 2
    assert {record.headers for record in retried} == {
        (CONTENT_TYPE_HEADER, ("odd", b"\xff"), (HEADER, letter.id.encode()))
    }
    await eventually(lambda: _is_read(kafka, "activity"), what="both are read")
    assert await products(activity_service, user) == ["p-77"]
    found = await desk.find(the_id_of(letter))
    assert found
    assert [(done.action, done.operator, done.edited) for done in found[0].handled] == [
        ("retried", "grace", True),
        ("retried", "ada", True),
    ]
    assert traces_in_records(await records_of(kafka, [AUDIT]), [user]) == [], "the audit names no user"


async def _is_read(kafka: str, service: str) -> bool:
    return not any(lag.records for lag in await lags(kafka) if lag.service == service)


async def test_many_are_retried_by_their_reason_and_what_would_come_back_is_left(
    activity_service: Running, desk: Desk, kafka: str
) -> None:
    users = [new_user() for _ in range(3)]
    await dead_by_hand(activity_service, "undecryptable", *users)
    await dead_by_hand(activity_service, "undecryptable", bad := new_user(), value=b"no JSON")
    many = Wanted(service="activity", reason="undecryptable", state="open")
    outcomes = sorted((each.outcome, each.published) for each in await attempts(desk.retry(many, "grace")))
    assert outcomes == [("applied", True)] * 3 + [("poison", False)]
    for user in users:
        assert await eventually(lambda user=user: products(activity_service, user)) == ["p-77"]  # type: ignore[misc]
    assert [each.outcome for each in await attempts(desk.retry(many, "grace"))] == ["poison"]
    assert await published(kafka, bad) == []
    assert [letter.state async for letter in desk.discard(many, "grace")] == ["discarded"]
    assert await attempts(desk.retry(many, "grace")) == []


async def test_an_erasure_leaves_the_others_their_names_and_what_was_done(
    activity_service: Running, desk: Desk, client_settings: dict[str, object], mongo_url: str
) -> None:
    gone, discarded, still_open = new_user(), new_user(), new_user()
    letters = [(await poisoned(activity_service, desk, user))[0] for user in (gone, discarded, still_open)]
    done = [letter async for letter in desk.discard(Wanted([the_id_of(letters[1])]), "grace")]
    assert [letter.state for letter in done] == ["discarded"]

    async def about_the_gone(records: Sequence[Record]) -> set[int]:
        return {place for place, record in enumerate(records) if record.key == gone.encode()}

    settings = ActivitySettings.model_validate({**client_settings, "mongo_url": mongo_url})
    await DeadLetters("activity", settings, activity_service.publisher).remove(about_the_gone)
    states = {letter.id: letter.state for letter in await desk.newest(Wanted(service="activity"), 10_000)}
    assert [states.get(letter.id) for letter in letters] == [None, "discarded", "open"]


async def test_a_place_that_is_used_twice_keeps_both_when_others_are_erased(
    activity_service: Running, desk: Desk, client_settings: dict[str, object], mongo_url: str
) -> None:
    first, second, gone = new_user(), new_user(), new_user()
    said = {"dlq_topic": MARKETPLACE.name, "dlq_partition": "0", "dlq_offset": "0", "dlq_reason": "invalid"}
    for user, at in ((first, "2026-02-11T17:00:00+00:00"), (second, "2026-02-12T17:00:00+00:00"), (gone, "")):
        headers = [(name, text.encode()) for name, text in (said | {"dlq_at": at}).items()]
        await activity_service.put(dead_letters("activity"), user.encode(), b"bad", headers)

    async def about_the_gone(records: Sequence[Record]) -> set[int]:
        return {place for place, record in enumerate(records) if record.key == gone.encode()}

    settings = ActivitySettings.model_validate({**client_settings, "mongo_url": mongo_url})
    await DeadLetters("activity", settings, activity_service.publisher).remove(about_the_gone)
    left = await records_of(settings.kafka_bootstrap_servers, [dead_letters("activity")])
    assert [len(traces_in_records(left, [user])) for user in (first, second, gone)] == [1, 1, 0]


async def test_lag_is_what_a_service_has_still_to_read_and_how_old_it_is(activity_service: Running, kafka: str) -> None:
    user = new_user()
    before = {(lag.topic, lag.partition): lag for lag in await lags(kafka) if lag.service == "purchases"}
    for number in range(3):
        await activity_service.put(MARKETPLACE, user.encode(), viewed(user, f"p-{number}"))
    (partition,) = {record.partition for record in await published(kafka, user)}
    place = (MARKETPLACE.name, partition)

    async def of(service: str) -> Lag:
        (found,) = [lag for lag in await lags(kafka) if (lag.service, lag.topic, lag.partition) == (service, *place)]
        return found

    unread = await of("purchases")
    assert (unread.end, unread.position) == (before[place].end + 3, before[place].position)
    assert unread.records == before[place].records + 3
    assert unread.oldest

    async def is_read() -> bool:
        lag = await of("activity")
        return (lag.records, lag.position, lag.oldest) == (0, unread.end, None)

    await eventually(is_read, what="the running service has read them")


async def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    environment = {"COLUMNS": "250", "TERM": "dumb"}
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
    return result.exit_code, result.output


async def test_the_command_lists_shows_tries_edits_and_discards(
    activity_service: Running, desk: Desk, kafka: str, tmp_path: Any
) -> None:
    user = new_user()
    letter, good = await poisoned(activity_service, desk, user)
    there = ("--kafka", kafka)
    code, listed = await run("dead-letters", "list", "--service", "activity", "--since", "1h", *there)
    assert (code, letter.id in listed, user in listed) == (0, True, False)
    code, as_json = await run("dead-letters", "list", "--reason", "invalid", "--json", "--limit", "1", *there)
    assert (code, orjson.loads(as_json)["id"]) == (0, letter.id)
    code, shown = await run("dead-letters", "show", letter.id, *there)
    assert (code, user in shown, "/data/product_id" in shown) == (0, False, True)
    saved = tmp_path / "value.json"
    code, shown = await run("dead-letters", "show", letter.id, "--value", "--save", str(saved), *there)
    assert (code, user in shown, r"\xff" in shown) == (0, True, True)
    assert saved.read_bytes() == without_product(good)
    retry = ("dead-letters", "retry", letter.id, *there)
    assert (await run(*retry, "--dry-run"))[0] == 1
    assert "0 published of 1 (1 poison)" in (await run(*retry))[1]
    saved.write_bytes(good)
    assert "1 would be published" in (await run(*retry, "--edit", str(saved), "--dry-run"))[1]
    assert "1 published of 1 (1 applied)" in (await run(*retry, "--edit", str(saved)))[1]
    assert "0 published of 1 (1 handled before)" in (await run(*retry, "--edit", str(saved)))[1]
    assert "retried" in (await run("dead-letters", "discard", letter.id, *there))[1], "it stays what it is"
    assert letter.id not in (await run("dead-letters", "list", *there))[1]
    assert letter.id in (await run("dead-letters", "list", "--state", "retried", *there))[1]
    assert (await run("dead-letters", "show", f"{letter.id}0", *there))[0] == 1
    assert (await run("dead-letters", "retry", *there))[0] == 2
    assert "activity" in (await run("lag", *there))[1]


async def test_the_command_finds_those_of_one_user_and_names_what_an_edit_leaves_open(
    activity_service: Running, desk: Desk, kafka: str, tmp_path: Path
) -> None:
    user, there = new_user(), ("--kafka", kafka)
    letter, good = await poisoned(activity_service, desk, user)
    stranger, _ = await poisoned(activity_service, desk, new_user())
    said = {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset, "reason": "invalid"}
    headers = [
        (f"dlq_{name}", str(text).encode()) for name, text in (said | {"at": datetime.now(UTC).isoformat()}).items()
    ]
    same, another = without_product(good), without_product(viewed(user))
    for service, value in (("analytics", same), ("purchases", same), ("profile", another)):
        await activity_service.put(dead_letters(service), user.encode(), value, headers)
    code, listed = await run("dead-letters", "list", "--user", f" {user.upper()} ", "--json", *there)
    assert (code, user in listed.lower(), stranger.id in listed) == (0, False, False)
    ids = {item["service"]: item["id"] for item in map(orjson.loads, listed.splitlines())}
    assert (sorted(ids), ids["activity"]) == (["activity", "analytics", "profile", "purchases"], letter.id)
    code, refused = await run("dead-letters", "list", "--user", f"{user} x", *there)
    assert (code, user in refused) == (2, False)
    (edited := tmp_path / "value.json").write_bytes(good)
    retry = ("dead-letters", "retry", letter.id, "--edit", str(edited), *there)
    assert "dead-letters discard" not in (await run(*retry, "--dry-run"))[1]
    code, told = await run(*retry)
    named = told.partition("mycelium dead-letters discard ")[2].split()
    assert (code, sorted(named)) == (0, sorted([ids["analytics"], ids["purchases"]])), "not those of another record"
    code, discarded = await run("dead-letters", "discard", *named, *there)
    assert (code, discarded.splitlines()) == (0, [f"{each}: discarded" for each in named])
    assert "dead-letters discard" not in (await run(*retry, "--again"))[1]
    code, told = await run("dead-letters", "discard", f"{stranger.id}0", stranger.id, *there)
    assert (code, told.splitlines()[:2]) == (1, [f"{stranger.id}0: not found", f"{stranger.id}: discarded"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ops(gateway_settings: GatewaySettings) -> AsyncIterator[Site]:
    """A gateway with one operator, ready."""
    settings = gateway_settings.model_copy(update={"operators": frozenset({GRACE})})
    async with site(gateway_main.build_app(settings), described=True) as served:
        await ready(served)
        made = await served.ask("POST", "/api/v1/auth/register", json={"email": GRACE, "password": PASSWORD})
        assert made.status == 201
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def grace(ops: Site) -> str:
    """The operator's token."""
    return await log_in(ops, GRACE)


EVERYTHING = [
    ("GET", OPS, None),
    ("GET", f"{OPS}/x", None),
    ("POST", f"{OPS}/x/retry", {}),
    ("POST", f"{OPS}/retry", {"service": "activity", "reason": "invalid"}),
    ("POST", f"{OPS}/x/discard", None),
    ("POST", f"{OPS}/discard", {"service": "activity", "reason": "invalid"}),
]


@pytest.mark.parametrize(("method", "path", "body"), EVERYTHING)
async def test_only_operators_may(
    ops: Site, gateway: Site, ada: User, grace: str, method: str, path: str, body: object
) -> None:
    assert_problem(await ops.ask(method, path, json=body), 401, "no-token")
    assert_problem(await ops.ask(method, path, json=body, token=ada.token), 403, "not-an-operator")
    assert_problem(
        await gateway.ask(method, path, json=body, token=await log_in(gateway, GRACE)), 403, "not-an-operator"
    )


async def test_operators_list_in_pages_look_retry_and_discard(
    ops: Site, grace: str, activity_service: Running, desk: Desk
) -> None:
    async def ask(method: str, path: str = "", **how: Any) -> Reply:
        return await ops.ask(method, f"{OPS}{path}", token=grace, **how)

    user = new_user()
    letters = [await poisoned(activity_service, desk, user) for _ in range(3)]
    (first, good), (second, _), (third, _) = letters
    here = "?service=activity&reason=invalid&state=open&limit=2"
    page = (await ask("GET", here)).json
    assert [item["id"] for item in page["items"]] == [third.id, second.id]
    following = (await ask("GET", f"{here}&cursor={page['next_cursor']}")).json
    assert following["items"][0]["id"] == first.id
    assert user not in orjson.dumps([page, following]).decode()
    assert_problem(await ask("GET", "?cursor=made-up"), 400, "bad-cursor")
    assert_problem(await ask("GET", "?limit=0"), 422, "invalid", "#/limit")
    for since in ("2026-01-31T09:30:00", "0.5"):
        assert_problem(await ask("GET", f"?since={since}"), 422, "invalid", "#/since")
    assert_problem(await ask("GET", "/activity:x:1:1:1"), 404, "no-dead-letter")
    shown = (await ask("GET", f"/{first.id}")).json
    assert (shown["id"], shown["content"]) == (first.id, None)
    content = (await ask("GET", f"/{first.id}?content=true")).json["content"]
    assert (content["key"]["text"], content["value"]["encoding"]) == (user, "utf-8")
    dry = (await ask("POST", f"/{first.id}/retry", json={"dry_run": True})).json
    assert (dry["outcome"], dry["error"], dry["published"]) == ("poison", first.error, False)
    edited = {"value": good.decode()}
    assert (await ask("POST", f"/{first.id}/retry", json=edited)).json["published"]
    assert (await ask("POST", f"/{first.id}/retry", json=edited)).json["outcome"] == "handled_before"
    assert await eventually(lambda: products(activity_service, user), what="it is applied") == ["p-77"]
    discarded = (await ask("POST", f"/{second.id}/discard")).json
    assert [(done["action"], done["operator"]) for done in discarded["handled"]] == [("discarded", GRACE)]
    many = {"service": "activity", "reason": "invalid", "dry_run": True}
    counted = (await ask("POST", "/retry", json=many)).json
    assert (counted["published"], third.id in counted["not_published"]) == (0, True)
    assert not {first.id, second.id} & {*counted["not_published"]}
    assert (await ask("POST", "/discard", json={"service": "activity", "reason": "invalid"})).json["discarded"] >= 1
    assert [(await ask("GET", f"/{each.id}")).json["state"] for each in (first, second, third)] == [
        "retried",
        "discarded",
        "discarded",
    ]


async def test_an_outside_issuers_token_carries_the_role(
    gateway_settings: GatewaySettings, issuer: IssuerServer
) -> None:
    signing = {"token_key": None, "oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    answers = [(["operator"], 200), (["user", "operator"], 200), (["operators"], 403), ("operator", 403), (None, 403)]
    async with site(gateway_main.build_app(gateway_settings.model_copy(update=signing))) as served:
        await ready(served)
        for roles, status in answers:
            token = issuer.token(new_user(), {"roles": roles})
            assert (await served.ask("GET", OPS, token=token)).status == status, roles
