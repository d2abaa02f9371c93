"""What those who run the system do over HTTP: see and treat the dead letters of all services."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from aiokafka.errors import KafkaError
from fastapi import APIRouter, Body, Depends, Path, Query

from services.gateway.bodies import JsonRoute
from services.gateway.description import BAD_BODY, BAD_TOKEN, answer, invalid, problem
from services.gateway.operators_examples import (
    ATTEMPT,
    ATTEMPTS,
    DISCARD_MANY,
    DISCARDED,
    DISCARDED_MANY,
    LETTER,
    PAGE,
    RETRY_MANY,
    RETRY_ONE,
)
from services.gateway.services import unavailable
from services.gateway.sessions import Sessions
from services.gateway.tokens import Identity
from shared.contracts.operation_views import (
    Attempt,
    Attempts,
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Discarded,
    LetterIdText,
    Many,
    Outcome,
    RetryMany,
    RetryOne,
    WholeDeadLetter,
)
from shared.plumbing.dead_letter_desk import Desk, Wanted
from shared.plumbing.letter_ids import LetterId
from shared.plumbing.letters import content_of, is_good
from shared.plumbing.logs import get
from shared.plumbing.problems import ProblemError

PREFIX: Final = "/ops/v1"
_SECONDS: Final = 60.0  # all dead letters are read for each answer
_MOST_BYTES: Final = 65_536  # of a key, a header or a value that are shown
_MOST_IDS: Final = 100
_log = get(__name__)

_NO_OPERATOR = ProblemError(403, "not-an-operator", "This is for operators; the token has no role `operator`.")
_NOT_FOUND = ProblemError(404, "no-dead-letter", "There is no such dead letter, or not any more.")
_BAD_CURSOR = ProblemError(
    400, "bad-cursor", "The cursor is not one that this list gave you; leave it out to start anew."
)
_MAY = (
    BAD_TOKEN
    | problem(403, _NO_OPERATOR.code, _NO_OPERATOR.detail)
    | problem(503, "events-unavailable", "The events part does not answer right now; try again in a moment.")
)
_THERE = problem(404, _NOT_FOUND.code, _NOT_FOUND.detail) | invalid("#/id", "String should have at most 256 characters")


def routes(sessions: Sessions, desk: Desk) -> APIRouter:
    """`/ops/v1/dead-letters…`, for tokens with the role `operator`."""
    router = APIRouter(prefix=f"{PREFIX}/dead-letters", tags=["operators"], route_class=JsonRoute)
    at_the_desk = _AtTheDesk()

    async def operator(identity: Annotated[Identity, Depends(sessions.identity)]) -> Identity:
        if not identity.is_operator:
            raise _NO_OPERATOR
        return identity

    Operator = Annotated[Identity, Depends(operator)]  # noqa: N806  (a type)
    Id = Annotated[LetterIdText, Path(alias="id")]  # noqa: N806  (a type)

    @router.get(
        "",
        summary="The records that the services could not use, newest first",
        responses=answer(200, "One page.", PAGE)
        | problem(400, _BAD_CURSOR.code, _BAD_CURSOR.detail)
        | invalid("#/limit", "Input should be less than or equal to 200")
        | _MAY,
    )
    async def dead_letters(_operator: Operator, query: Annotated[DeadLetterQuery, Query()]) -> DeadLetterPage:
        """Filters narrow each other. Nothing of the records themselves is shown."""
        after = LetterId.parse(query.cursor) if query.cursor is not None else None
        if query.cursor is not None and after is None:
            raise _BAD_CURSOR
        wanted = Wanted((), query.service, query.reason, query.topic, query.state, query.since)
        async with at_the_desk.alone():
            found = await desk.newest(wanted, query.limit + 1, after)
        items, more = found[: query.limit], len(found) > query.limit
        return DeadLetterPage(items=items, next_cursor=items[-1].id if more else None)

    @router.get(
        "/{id}",
        summary="One of them",
        responses=answer(200, "The dead letter.", LETTER) | _THERE | _MAY,
    )
    async def dead_letter(
        _operator: Operator,
        letter_id: Id,
        content: Annotated[bool, Query(description="Show key, headers and value too: users' data.")] = False,
    ) -> WholeDeadLetter:
        """With `content=true` also the record, up to 65,536 bytes of each part."""
        async with at_the_desk.alone():
            found = await desk.find(_parsed(letter_id))
        if found is None:
            raise _NOT_FOUND
        letter, record = found
        shown = content_of(record, _MOST_BYTES) if content else None
        return WholeDeadLetter(**letter.model_dump(), content=shown)

    @router.post(
        "/{id}/retry",
        summary="Publish it again",
        responses=answer(200, "What the record would do now, and whether it was published.", ATTEMPT)
        | _THERE
        | BAD_BODY
        | _MAY,
    )
    async def retry_dead_letter(
        who: Operator,
        letter_id: Id,
        asked: Annotated[RetryOne, Body(openapi_examples={"edited": {"value": RETRY_ONE}})],
    ) -> Attempt:
        """On the topic that it came from, with its key and headers. `value` takes the place of what came. What would be
        a dead letter again is not published; what was handled before is not either, unless `again`. On a `dry_run`
        nothing is."""
        value = None if asked.value is None else asked.value.encode()
        attempts = desk.retry(
            Wanted((_parsed(letter_id),)), who.user, value=value, again=asked.again, dry_run=asked.dry_run
        )
        async with at_the_desk.alone():
            found = [attempt async for attempt in attempts]
        if not found:
            raise _NOT_FOUND
        return found[0]

    @router.post(
        "/retry",
        summary="Publish all again that have one reason",
        responses=answer(200, "What the records would do now, and how many were published.", ATTEMPTS)
        | invalid("#/reason", "Field required")
        | BAD_BODY
        | _MAY,
    )
    async def retry_dead_letters(
        who: Operator, asked: Annotated[RetryMany, Body(openapi_examples={"all": {"value": RETRY_MANY}})]
    ) -> Attempts:
        """The open ones of one service. If it takes too long (503), ask again: it goes on from there."""
        async with at_the_desk.alone():
            return await _counted(desk.retry(_open(asked), who.user, dry_run=asked.dry_run))

    @router.post(
        "/{id}/discard",
        summary="Nothing is to be done about it",
        responses=answer(200, "The dead letter as it is now.", DISCARDED) | _THERE | _MAY,
    )
    async def discard_dead_letter(who: Operator, letter_id: Id) -> DeadLetter:
        """It is shown as discarded from then on; nothing is deleted. What was handled before stays as it is."""
        async with at_the_desk.alone():
            found = [letter async for letter in desk.discard(Wanted((_parsed(letter_id),)), who.user)]
        if not found:
            raise _NOT_FOUND
        return found[0]

    @router.post(
        "/discard",
        summary="Nothing is to be done about all that have one reason",
        responses=answer(200, "How many there were.", DISCARDED_MANY)
        | invalid("#/reason", "Field required")
        | BAD_BODY
        | _MAY,
    )
    async def discard_dead_letters(
        who: Operator, asked: Annotated[Many, Body(openapi_examples={"all": {"value": DISCARD_MANY}})]
    ) -> Discarded:
        """The open ones of one service. If it takes too long (503), ask again: it goes on from there."""
        async with at_the_desk.alone():
            return Discarded(discarded=sum([1 async for _ in desk.discard(_open(asked), who.user)]))

    return router


class _AtTheDesk:
    """One operator at a time: reading all dead letters takes memory and time that others need."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Raises a 503 problem where the broker does not answer, or not in time."""
        try:
            async with asyncio.timeout(_SECONDS), self._turn:
                yield
        except (TimeoutError, KafkaError) as error:
            _log.warning("dead_letters_unavailable", error=type(error).__name__)
            raise unavailable("events") from None


def _open(asked: Many) -> Wanted:
    return Wanted(service=asked.service, reason=asked.reason, state="open")


def _parsed(text: str) -> LetterId:
    if (parsed := LetterId.parse(text)) is None:
        raise _NOT_FOUND
    return parsed


async def _counted(attempts: AsyncIterator[Attempt]) -> Attempts:
    outcomes, published, rest = Counter[Outcome](), 0, list[str]()
    async for attempt in attempts:
        outcomes[attempt.outcome] += 1
        published += attempt.published
        if not is_good(attempt) and len(rest) < _MOST_IDS:
            rest.append(attempt.id)
    return Attempts(outcomes=dict(outcomes), published=published, not_published=rest)
