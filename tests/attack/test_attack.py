"""The API and the consumers under attack: no 5xx, nothing lost, nobody held up, no growth in memory.

One stack is attacked by all of it, in this order. `make attack` does more of everything; ATTACK_SEED repeats a run.
"""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack

import orjson
import pytest
import pytest_asyncio

from shared.contracts.envelope import CONTENT_TYPE_HEADER
from shared.contracts.samples import good_event, good_samples
from shared.contracts.topics import IDENTITY, MARKETPLACE, SERVICES, dead_letters
from tests.attack import cursors, shown
from tests.attack.api import ENDING, only, schemathesis, without
from tests.attack.letters import assert_all_settled
from tests.attack.records import TYPES, Hostile, about, at_the_edge, hostile, made_up
from tests.attack.target import SEED, TIMES, Target, target
from tests.servers.dashboard import API, Site, User, assert_problem, sign_up
from tests.servers.raw import Raw, raw
from tests.waiting import eventually

LEAVING = [
    (IDENTITY.name, "user.erased.v1"),
    (IDENTITY.name, "user.registered.v1"),
    (MARKETPLACE.name, "product.viewed.v1"),
]
STAYING = [each for each in TYPES if each != LEAVING[0]] + [
    (dead_letters(s).name, "user.logged_in.v1") for s in SERVICES
]
JSON = {"Content-Type": "application/json"}
MIB = 1_048_576


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Target]:
    async with target(tmp_path_factory.mktemp("attack")) as found:
        print(f"ATTACK_TIMES={TIMES} ATTACK_SEED={SEED}")  # noqa: T201  (to repeat it)
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ada(attacked: Target) -> User:
    return await sign_up(attacked.site)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def slow(attacked: Target, ada: User) -> AsyncIterator[Sequence[Awaitable[bytes]]]:
    """Clients that begin and do not go on, while everything else is tried; what each got until it was cut off."""
    head = b"POST %s/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % API.encode()
    token = b"GET %s/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % (API.encode(), ada.token.encode())
    async with AsyncExitStack() as stack:

        async def begin(sent: bytes) -> Raw:
            client = await stack.enter_async_context(raw(attacked.site.url))
            await client.send(sent)
            return client

        begun = [
            head,
            token,
            head + b"Content-Length: 9\r\n\r\n{",
            head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        ]
        clients = [await begin(sent) for sent in begun for _ in range(50)]
        tasks = [asyncio.create_task(client.rest()) for client in clients]
        yield tasks
        for task in tasks:
            task.cancel()


async def good_events_arrive(attacked: Target) -> None:
    """What comes after all that is applied: somebody new is known to every service."""
    user = await sign_up(attacked.site)
    records = []
    for sample in good_samples():
        if b"amara.okafor@example.org" in sample.value and sample.topic in (MARKETPLACE.name, IDENTITY.name):
            event = about(orjson.loads(sample.value), "amara.okafor@example.org", user.email)
            if event["type"] != "user.erased.v1":
                records.append(Hostile(sample.topic, user.email.encode(), orjson.dumps(event), [CONTENT_TYPE_HEADER]))
    await attacked.put(records)
    for path, expected in (
        ("/activities", b"cart_add"),
        ("/purchases", b"A100"),
        ("/analytics/usage", b'"total_deployments":1'),
    ):

        async def there(path: str = path, expected: bytes = expected) -> bool:
            return expected in (await attacked.site.ask("GET", f"{API}{path}", token=user.token)).body

        await eventually(there, timeout=60, what=f"good events arrive at {path}")


@pytest.mark.usefixtures("slow")
async def test_the_whole_description(attacked: Target, ada: User) -> None:
    records = made_up(hostile(attacked.operator.email, STAYING), 40, SEED)
    await attacked.put(records)
    await attacked.is_at_rest()
    phases, examples = ("fuzzing", 1) if TIMES == 1 else ("examples,coverage,fuzzing", 2 * TIMES)
    await schemathesis(attacked, attacked.operator, phases, examples, *without("log_out", "end"))
    await schemathesis(attacked, attacked.operator, "stateful", 2 * TIMES, *without("log_out", "end"))
    await schemathesis(attacked, await sign_up(attacked.site), "fuzzing", TIMES, *only(*ENDING))


async def test_hostile_records(attacked: Target, ada: User) -> None:
    pids = dict(attacked.up.stack["pids"])
    records = [*made_up(hostile(ada.email, STAYING), 250 * TIMES, SEED), *at_the_edge(ada.email)]
    leaving = made_up(hostile("leaving@attack.example", LEAVING), 40 * TIMES, SEED + 1)
    large = [Hostile(MARKETPLACE.name, ada.email.encode(), b"[" * size, []) for size in (MIB, MIB + 1, 4 * MIB)]
    marks = await attacked.put([*records, *large])
    await attacked.put(leaving)
    await good_events_arrive(attacked)
    await attacked.is_at_rest()
    await assert_all_settled(attacked, dict(zip(marks, [*records, *large], strict=True)))
    assert dict(attacked.up.stack["pids"]) == pids


async def test_what_they_left_is_shown(attacked: Target, ada: User) -> None:
    await shown.assert_all_is_shown(attacked, ada)


async def test_cursors_that_nobody_gave(attacked: Target, ada: User) -> None:
    await cursors.attack(attacked, ada, 1_000 * TIMES)


@pytest.mark.parametrize(
    "place", ["x", "0-0-0", "99999-999999999999999999-999999999999999999", "0--1-0", "é", "9" * 100]
)
async def test_odd_places_in_a_stream(attacked: Target, ada: User, place: str) -> None:
    headers = {"Last-Event-ID": place, "Authorization": f"Bearer {ada.token}"}
    async with attacked.site.http.get(f"{attacked.site.url}{API}/stream", headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        assert (await response.content.readline()).startswith(b"retry: ")


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (JSON, b" " * 65_537, 413),
        (JSON, b"[" * 40 + b"]" * 40, 400),
        (JSON, b'{"a":' * 10_000, 400),
        (JSON, b"9" * 60_000, 400),
        (JSON, b'{"%s": 1}' % (b"x" * 60_000), 422),
        (JSON, b"{%s}" % b",".join(b'"a%d":1' % n for n in range(5_000)), 422),
        (JSON | {"Content-Encoding": "gzip"}, gzip.compress(b" " * 50 * MIB), 400),
        (JSON | {"Content-Encoding": "deflate, gzip"}, gzip.compress(gzip.compress(b" " * 50 * MIB)), 400),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n" * 10_000, 415),
    ],
)
async def test_huge_and_deep_bodies(
    attacked: Target, ada: User, headers: dict[str, str], body: bytes, status: int
) -> None:
    for method, path in (
        ("POST", "/auth/login"),
        ("PATCH", "/profile"),
        ("POST", "/activities"),
        ("POST", "/purchases"),
    ):
        reply = await attacked.site.ask(method, f"{API}{path}", token=ada.token, data=body, headers=headers)
        assert reply.status == status, (path, reply.body)
    imported = await attacked.site.ask("POST", f"{API}/import", token=ada.token, data=body, headers=headers)
    assert imported.status in (400, 415, 422), imported.body


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("&".join(f"type=login{n}" for n in range(500)), {}, 422),
        ("&".join(f"x{n}=1" for n in range(1_000)), {}, 200),
        ("q=" + "x" * 9_000, {}, 414),
        ("limit=" + "9" * 5_000, {}, 422),
        ("", {"X-Large": "x" * 20_000}, 431),
        ("", {f"X-{n}": "x" for n in range(150)}, 431),
        ("", {"Cookie": "; ".join(f"c{n}=x" for n in range(3_000))}, 431),
    ],
)
async def test_huge_heads(attacked: Target, ada: User, query: str, headers: dict[str, str], status: int) -> None:
    reply = await attacked.site.ask("GET", f"{API}/activities?{query}", token=ada.token, headers=headers)
    assert reply.status == status


async def test_the_slow_are_cut_off_and_nobody_else(attacked: Target, slow: Sequence[Awaitable[bytes]]) -> None:
    assert (await attacked.site.ask("GET", "/livez")).status == 200
    for answer in await asyncio.gather(*slow):
        assert answer.startswith(b"HTTP/1.1 408"), answer


async def test_nothing_of_it_is_kept(attacked: Target, ada: User) -> None:
    """What was sent is far more than what may stay: a process that kept a part of it would show."""

    once = JSON | {"Connection": "close"}  # one that was kept may be closed just as it is used again

    async def large_body(site: Site) -> None:
        reply = await site.ask("POST", f"{API}/auth/login", data=b'{"x": "%s"}' % (b"x" * 65_000), headers=once)
        assert_problem(reply, 422, "invalid")

    async def round_of_it() -> None:
        for _ in range(12):
            await asyncio.gather(*(large_body(attacked.site) for _ in range(50)))
        event = good_event("product.viewed.v1")
        value = orjson.dumps(event | {"data": event["data"] | {"padding": "x" * 900_000}})
        record = Hostile(MARKETPLACE.name, ada.email.encode(), value, [CONTENT_TYPE_HEADER])
        for _ in range(2):
            await attacked.put([record] * 20)
            await attacked.is_at_rest()

    await round_of_it()
    before = {name: process.memory_info().rss for name, process in attacked.processes().items()}
    for _ in range(TIMES):
        await round_of_it()
    after = {name: process.memory_info().rss for name, process in attacked.processes().items()}
    grown = {name: (after[name] - before[name]) // MIB for name in before}
    assert max(grown.values()) < 25, grown
    assert attacked.errors() == []
