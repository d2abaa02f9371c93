"""Answering what others publish while the simulation is live: commands, and the registrations of new users."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError
from joserfc.errors import JoseError
from pydantic import SecretStr

from mycelium.simulator.desk import READS, Desk
from mycelium.simulator.moments import to_ms, to_time
from mycelium.simulator.publishing import Publisher
from shared.contracts.credentials import AccessCredentials, seal_for
from shared.contracts.identity import UserErased
from shared.contracts.reading import AnyEvent, Ignored, Poison, Reader
from shared.contracts.topics import COMMANDS, IDENTITY
from shared.plumbing import consumers, tracing
from shared.plumbing import header_names as header_names  # see there
from shared.plumbing.tracing import trace_of

GROUP = "marketplace-simulator"
_POLL_MS = 200
_FETCH_SECONDS = 5


@dataclass(frozen=True)
class Member:
    """How the simulator is a member of its consumer group, and where the public keys are, if anywhere."""

    kafka: str
    session_timeout_ms: int
    heartbeat_interval_ms: int
    jwks: str | None = None


@asynccontextmanager
async def answering(
    member: Member, desk: Desk, publisher: Publisher, save: Callable[[], None], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Answers in the background; `save` keeps the desk's overlay. Should it fail, `stop` is set.

    Raises aiokafka.errors.KafkaError, on leaving where it failed in the background.
    """
    if member.jwks:
        desk.issue = await _issuer(member.jwks)
    consumer = AIOKafkaConsumer(
        *(COMMANDS.name, IDENTITY.name),
        bootstrap_servers=member.kafka,
        group_id=GROUP,
        client_id="simulator",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=member.session_timeout_ms,
        heartbeat_interval_ms=member.heartbeat_interval_ms,
    )
    leaving = asyncio.Event()
    try:
        await consumer.start()
        task = asyncio.create_task(_answer(consumer, desk, publisher, save, leaving))
        task.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            leaving.set()
            await task
    finally:
        await consumers.stop(consumer)


async def _answer(
    consumer: AIOKafkaConsumer, desk: Desk, publisher: Publisher, save: Callable[[], None], leaving: asyncio.Event
) -> None:
    """Read, decide, keep, publish, commit: what is killed in between is answered again with the same bytes."""
    reader = Reader(READS)
    while not leaving.is_set():
        fetched = await consumer.getmany(timeout_ms=_POLL_MS)
        outcomes = [
            reader.read(record.topic, record.key, record.value, record.headers)
            for records in fetched.values()
            for record in records
        ]
        events = [outcome for outcome in outcomes if not isinstance(outcome, Ignored | Poison)]
        if events:
            await _answer_all(sorted(events, key=_in_turn), desk, publisher, save)
        if fetched:
            await _commit(consumer)


def _in_turn(event: AnyEvent) -> tuple[bool, datetime]:
    """In order of time, but erasures first: nothing is said to who is about to be forgotten."""
    return not isinstance(event.data, UserErased), event.time


async def _answer_all(events: list[AnyEvent], desk: Desk, publisher: Publisher, save: Callable[[], None]) -> None:
    answers = [(event, desk.answer(event, _now())) for event in events]
    save()
    for event, entries in answers:
        asked_on = COMMANDS if type(event.data) in COMMANDS.payloads else IDENTITY
        with tracing.current().taking(asked_on.name, trace_of(event)):
            for topic, answer in entries:
                await publisher.send(topic, answer)
    await publisher.settle()
    for event in events:
        desk.acknowledged(event)
    save()


async def _commit(consumer: AIOKafkaConsumer) -> None:
    """After a rebalance it cannot: the records come again then, and what is answered stays answered."""
    with suppress(CommitFailedError, IllegalStateError):
        await consumer.commit()


async def _issuer(jwks: str) -> Callable[[], str] | None:
    """Makes fresh credentials for the first key for encryption there; None if there is none to be had."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_FETCH_SECONDS)) as http,
            http.get(jwks) as response,
        ):
            keys = (await response.json(content_type=None))["keys"]
        issue = partial(_issue, next(key for key in keys if key["kty"] == "EC" and key.get("use", "enc") == "enc"))
        issue()
    except (aiohttp.ClientError, TimeoutError, JoseError, ValueError, LookupError, TypeError, StopIteration):
        return None
    return issue


def _issue(public_jwk: dict[str, Any]) -> str:  # Any: JSON
    """Fresh credentials, sealed at once."""
    return seal_for(
        public_jwk,
        AccessCredentials(
            username=SecretStr(f"user-{secrets.token_hex(4)}"),
            password=SecretStr(secrets.token_urlsafe(18)),
            api_key=SecretStr(secrets.token_urlsafe(32)),
        ),
    )


def _now() -> datetime:
    """Now, to the millisecond of the simulated time."""
    return to_time(to_ms(datetime.now(UTC)))
