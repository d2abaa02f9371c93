"""Commands at rest: each is one document that holds the request, what was said about it, and its event to publish."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import orjson
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.purchases.domain.commands import Action, Command, Outcome, may_answer, outcome
from services.purchases.domain.settings import renews
from services.purchases.tags import EVERYTHING, tag
from shared.contracts.build import make_event
from shared.contracts.envelope import UserPayload
from shared.contracts.purchases import DeploymentCommandRequested, PurchaseCancelRequested, PurchaseRequested
from shared.contracts.times import microseconds, rfc3339
from shared.contracts.topics import COMMANDS
from shared.folds.facts import SETTINGS, digest, key_of
from shared.folds.state import empty
from shared.plumbing import outbox
from shared.plumbing.mongo import Database, Document

INDEXES: Final = {
    "commands": [
        IndexModel([("user", ASCENDING)], name="user"),
        IndexModel(
            [("user", ASCENDING), ("idempotency", ASCENDING)],
            name="idempotency",
            unique=True,
            partialFilterExpression={"idempotency": {"$exists": True}},
        ),
        outbox.INDEX,
    ]
}
SOURCE: Final = "/mycelium/purchases"
_CANDIDATES = 200


class OtherBodyError(Exception):
    """The idempotency key was used before, for another request."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for: the action, the id of what it is aimed at, and the details that the event carries."""

    action: Action
    target: str
    details: Mapping[str, Any]

    def payload(self, user: str, command_id: str) -> UserPayload:
        """The event's data."""
        named: Mapping[str, Any] = {"user_email": user, "command_id": command_id, **self.details}
        match self.action:
            case "buy":
                return PurchaseRequested(product_id=self.target, **named)
            case "cancel":
                return PurchaseCancelRequested(purchase_id=self.target, **named)
            case action:
                return DeploymentCommandRequested(deployment_id=self.target, action=action, **named)

    def fingerprint(self) -> str:
        """The same for the same request only."""
        return digest(self.action, self.target, orjson.dumps(self.details, option=orjson.OPT_SORT_KEYS).decode())


class CommandStore:
    """Keeps the commands, and works out what became of them."""

    def __init__(self, database: Database, limit_seconds: float) -> None:
        self._commands = database["commands"]
        self._purchases = database["purchases"]
        self._deployments = database["deployments"]
        self._settings = database["settings"]
        self._limit = int(limit_seconds * 1_000_000)

    async def request(self, user: str, request: Request, idempotency_key: str | None) -> str:
        """Stores the command and its event in one write; the command's id. The relay publishes.

        With a key that was used before for the same request, the id of then. Raises OtherBodyError for another one.
        """
        command_id = str(uuid4())
        event = make_event(await self._as_preferred(request.payload(user, command_id)), source=SOURCE)
        document: Document = {
            "_id": key_of(user, command_id),
            "user": user,
            "id": command_id,
            "version": 1,
            **empty(),
            "action": request.action,
            "target": request.target,
            "fingerprint": request.fingerprint(),
            "requested_at": microseconds(event.time),
            "outbox": [outbox.entry(COMMANDS, event)],
        }
        if idempotency_key is not None:
            document["idempotency"] = digest(idempotency_key)
        try:
            await self._commands.insert_one(document)
        except DuplicateKeyError:
            return await self._requested_before(user, document)
        return command_id

    async def _as_preferred(self, payload: UserPayload) -> UserPayload:
        """An order says whether the user wants it renewed; the request itself is the same whatever they prefer."""
        if not isinstance(payload, PurchaseRequested):
            return payload
        settings = await self._settings.find_one({"_id": key_of(payload.user_email, SETTINGS)})
        return payload.model_copy(update={"auto_renewal": renews(settings)})

    async def _requested_before(self, user: str, document: Document) -> str:
        known = await self._commands.find_one({"user": user, "idempotency": document["idempotency"]})
        if known is None or known["fingerprint"] != document["fingerprint"]:
            raise OtherBodyError
        command_id: str = known["id"]
        return command_id

    async def of(self, user: str, command_id: str) -> Document | None:
        """The user's command and what became of it, as the API shows it; None if the user has no such command."""
        known = await self._commands.find_one({"_id": key_of(user, command_id), "requested_at": {"$exists": True}})
        if known is None:
            return None
        command = Command(known["id"], known["action"], known["target"], known["requested_at"])
        target = await self._target(user, command)
        return _view(command, outcome(command, known, target, microseconds(datetime.now(UTC)), self._limit), target)

    async def _target(self, user: str, command: Command) -> Document | None:
        if command.action == "buy":
            return await self._bought(user, command)
        collection = self._purchases if command.action == "cancel" else self._deployments
        return await collection.find_one({"_id": key_of(user, command.target)})

    async def _bought(self, user: str, command: Command) -> Document | None:
        """The purchase that names the command, else the first of its product after it was asked for."""
        if named := await self._purchases.find_one({"user": user, "tags": tag({"command": command.id})}):
            return named
        later = {"user": user, "tags": EVERYTHING, "at": {"$gte": command.requested_at}}
        found = self._purchases.find(later).sort({"at": 1, "_id": 1}).limit(_CANDIDATES)
        return next((bought for bought in await found.to_list(None) if may_answer(command, bought)), None)


def _view(command: Command, result: Outcome, target: Document | None) -> Document:
    aims_at = "purchase_id" if command.action in ("buy", "cancel") else "deployment_id"
    return {
        "command_id": command.id,
        "action": command.action,
        "state": result.state,
        "reason": result.reason,
        "requested_at": rfc3339(command.requested_at),
        "product_id": command.target if command.action == "buy" else None,
        aims_at: target["id"] if target else None,
    }
