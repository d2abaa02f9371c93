"""Leaving: a user asks to be erased, every service says when it is done, and anybody who has the id sees how far it is.

An erasure is one document in `erasures`, keyed by its id, with `user.erased` in its outbox: once that is published, no
email is in it. `done` has a time for each service that has answered.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, SecretStr
from pymongo import IndexModel, ReturnDocument
from pymongo.errors import PyMongoError

from services.profile.domain.erasure import completed_at, shown
from shared.contracts.accounts import Password
from shared.contracts.build import make_event
from shared.contracts.envelope import Event
from shared.contracts.identity import UserErased
from shared.contracts.privacy import ErasureCompleted
from shared.contracts.topics import IDENTITY, SERVICES
from shared.plumbing import metrics, outbox
from shared.plumbing.erasure import Erasure, StillBeingErasedError
from shared.plumbing.internal_api import caller, user
from shared.plumbing.internal_auth import InternalTokens
from shared.plumbing.mongo import Database, Document
from shared.plumbing.problems import ProblemError

COLLECTION: Final = "erasures"
_SOURCE = "/mycelium/profile"
_KEPT = timedelta(days=90)
_CHECK_SECONDS = 2
INDEXES: Mapping[str, Sequence[IndexModel]] = {
    COLLECTION: [
        outbox.INDEX,
        IndexModel("completed_at", name="kept", expireAfterSeconds=int(_KEPT.total_seconds())),
    ]
}
_NO_ERASURE = ProblemError(404, "no-erasure", "There is no such erasure.")
_UNDER_WAY = ProblemError(
    409,
    "erasure-under-way",
    "The account with this email is being erased; register again in a moment.",
    headers={"Retry-After": "2"},
)

Check = Callable[[str, SecretStr], Awaitable[object]]


class ErasureRequest(BaseModel):
    """Asks for the erasure. Without a password, the gateway had the user's sign-in confirmed by its issuer."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    password: Password | None = None


class Erasures:
    """The erasures. Every method raises pymongo.errors.PyMongoError where Mongo does not answer."""

    def __init__(self, database: Database, erasure: Erasure) -> None:
        self._erasures = database[COLLECTION]
        self._erasure = erasure

    async def request(self, email: str) -> Document:
        """Makes the user gone at once, and has every service told; the `Erasure`.

        The event comes first: whatever breaks off after it is finished when it comes back.
        """
        at = await self._erasure.time_to_leave(email, datetime.now(UTC))
        erasure_id = secrets.token_urlsafe(24)
        told = make_event(UserErased(user_email=email, erasure_id=erasure_id), source=_SOURCE, time=at)
        document = {"_id": erasure_id, "requested_at": at, "done": {}, "outbox": [outbox.entry(IDENTITY, told)]}
        await self._erasures.insert_one(document)
        await self._erasure.bury(email, at)
        return _shown(document)

    async def of(self, erasure_id: str) -> Document | None:
        """The `Erasure` with this id; None if there is none."""
        found = await self._erasures.find_one({"_id": erasure_id})
        return _shown(found) if found else None

    async def fold(self, receipts: Sequence[Event[ErasureCompleted]]) -> int:
        """Notes who is done; how many receipts there were. Their order and number make no difference.

        An erasure that was asked for at an outside identity provider is made known by the first receipt.
        """
        for receipt in receipts:
            if receipt.data.service in SERVICES:
                await self._note(receipt.data, receipt.time)
        return len(receipts)

    async def _note(self, receipt: ErasureCompleted, time: datetime) -> None:
        """The earliest time of each service stays, so `completed_at` can only become earlier once it is there."""
        own = {"_id": receipt.erasure_id}
        known = await self._erasures.find_one_and_update(
            own, {"$min": {f"done.{receipt.service}": time}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        if completed := completed_at(known["done"]):
            await self._erasures.update_one(own, {"$min": {"completed_at": completed}})

    async def unfinished(self) -> int | None:
        """How many erasures some service is not done with yet; None while that cannot be known."""
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                since = [_began(each) async for each in self._erasures.find({"completed_at": None}, hint="kept")]
        except (TimeoutError, PyMongoError):
            return None
        metrics.ERASURES.set(len(since))
        now = datetime.now(UTC)
        metrics.ERASURE_AGE_SECONDS.set((now - min(since, default=now)).total_seconds())
        return len(since)

    async def reopen(self, email: str, now: datetime) -> datetime:
        """Before an account is stored: the time (UTC) that its registration is to be dated with, see `Erasure.reopen`.

        Raises a 409 problem while an earlier account with this email is being erased.
        """
        try:
            if await self._erasures.find_one({"outbox.id": {"$exists": True}, "outbox.key": email}, hint="outbox"):
                raise _UNDER_WAY
            return await self._erasure.reopen(email, now)
        except StillBeingErasedError:
            raise _UNDER_WAY from None


def routes(erasures: Erasures, check: Check, told: Callable[[], None], tokens: InternalTokens) -> APIRouter:
    """`POST /erasures` and `GET /erasures/{id}`.

    `check` raises a problem unless that is the user's password; `told` is called once there is an event to publish.
    """
    router = APIRouter()
    gateway = Depends(caller("profile", tokens))
    User = Annotated[str, Depends(user("profile", tokens))]  # noqa: N806  (a type)

    @router.post("/erasures")
    async def erase(email: User, asked: ErasureRequest) -> Response:
        if asked.password is not None:
            await check(email, asked.password)
        requested = await erasures.request(email)
        told()
        return _answer(requested, 202)

    @router.get("/erasures/{erasure_id}", dependencies=[gateway])
    async def state(erasure_id: str) -> Response:
        known = await erasures.of(erasure_id)
        if known is None:
            raise _NO_ERASURE
        return _answer(known, 200)

    return router


def _shown(document: Document) -> Document:
    return shown(document["_id"], document.get("requested_at"), document["done"])


def _began(document: Document) -> datetime:
    """When an erasure was asked for; of one that was asked for elsewhere, when the first service was done."""
    began: datetime = document.get("requested_at") or min(document["done"].values())
    return began


def _answer(body: Document, status: int) -> Response:
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, media_type="application/json")
